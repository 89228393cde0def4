"""Train small networks on scikit-learn's digits and keep their histories, each with the verdict that is right for it.

    PYTHONPATH=. .venv/bin/python benchmarks/train_histories.py --out FILE [--count 300] [--seed 0]

Same seed, same set-ups; same curves on the same machine. The right verdict comes from what was done to the run and from
a test set of 2,000 images with right labels that neither training nor the logged validation has seen (`_label`). FILE:

    {"made", "machine", "seed", "runs": [{"name", "condition", "params", "accepted": [verdict, ...], "onset",
     "train_loss", "val_loss", "train_accuracy", "val_accuracy", "test_loss", "test_accuracy"}]}

``accepted`` is empty where the test set does not decide; ``onset`` is the index of the lowest test loss of an
overfitting run; a value that was not a number is null.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from benchmarks._shapes import log_uniform
from copilot.demo.data import NOISE_SIGMA
from copilot.demo.training import METRICS, SmallCnn, one_thread

TEST_DRAWS, N_POOL, N_TEST = 5, 1000, 400  # the rest of the 1,797 digits is for validation
RISES, LEVEL = 0.10, 0.03


@dataclass(frozen=True)
class Setup:
    """How one network is trained. ``hidden`` is the width of an MLP's layer; ``width`` above 0 makes it a CNN."""

    condition: str
    n_train: int = N_POOL
    n_val: int = 380
    label_noise: float = 0.0
    optimizer: str = "adam"
    lr: float = 0.002
    lr_schedule: str = "constant"
    batch_size: int = 64
    epochs: int = 40
    width: int = 0
    hidden: int = 64
    dropout: float = 0.0
    weight_decay: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runs, started = [], time.perf_counter()
    with one_thread():
        for i in range(options.count):
            runs.append(_run(i, options.seed))
            took = time.perf_counter() - started
            print(f"\r{i + 1} of {options.count} trained, {took:.0f} s", end="", file=sys.stderr, flush=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    made = {"made": str(datetime.date.today()), "machine": machine, "seed": options.seed, "runs": runs}
    options.out.write_text(json.dumps(made, allow_nan=False))
    print(f"\n{'condition':26} accepted verdicts (none: undecided)")
    for condition in CONDITIONS:
        found = Counter(" or ".join(run["accepted"]) or "none" for run in runs if run["condition"] == condition)
        print(f"{condition:26} {', '.join(f'{n} {verdict}' for verdict, n in found.most_common())}")


def _run(index: int, seed: int) -> dict:
    rng = np.random.default_rng([seed, index])
    condition = list(CONDITIONS)[index % len(CONDITIONS)]
    setup = CONDITIONS[condition](rng)
    torch.manual_seed(int(rng.integers(2**31)))
    curves = _train(setup, *_images(setup, rng))
    accepted, onset = _label(setup, curves)
    known = {name: [v if math.isfinite(v) else None for v in values] for name, values in curves.items()}
    head = {"name": f"{seed}-{index:03d}", "condition": condition, "params": asdict(setup)}
    return head | {"accepted": accepted, "onset": onset} | known


def _size(rng: np.random.Generator) -> dict:
    """Every fourth network is a CNN."""
    if rng.random() < 0.25:
        return {"width": int(rng.choice([4, 6, 8])), "hidden": int(rng.choice([16, 32]))}
    return {"hidden": int(rng.choice([16, 32, 64, 128]))}


def _ordinary(rng: np.random.Generator) -> dict:
    sgd = rng.random() < 0.35
    return _size(rng) | {
        "optimizer": "sgd" if sgd else "adam",
        "lr": log_uniform(rng, 0.005, 0.05) if sgd else log_uniform(rng, 0.0007, 0.005),
        "lr_schedule": str(rng.choice(["constant", "cosine", "steps"])),
        "batch_size": int(rng.choice([32, 64, 128])),
        "n_val": int(rng.choice([100, 200, 380])),
    }


def _regular(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | {
        "dropout": rng.uniform(0.1, 0.5),
        "weight_decay": float(rng.choice([0, 1e-4, 1e-3, 1e-2])),
    }
    return Setup("regularised", **given, epochs=int(rng.integers(10, 61)))


def _brief(rng: np.random.Generator) -> Setup:
    return Setup("brief", **_ordinary(rng), epochs=int(rng.integers(8, 21)))


def _long(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | _quick_to_memorise(rng)
    return Setup("over-long", **given, epochs=int(rng.integers(40, 151)))


def _quick_to_memorise(rng: np.random.Generator) -> dict:
    """Adam with a rate at which these networks memorise a thousand images within some tens of epochs."""
    return {"optimizer": "adam", "lr": log_uniform(rng, 0.002, 0.01)}


def _little(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | (_quick_to_memorise(rng) if rng.random() < 0.6 else {})
    given |= {"batch_size": int(rng.choice([16, 32])), "dropout": float(rng.choice([0, 0, 0.2]))}
    n_train = round(log_uniform(rng, 60, 300))
    return Setup("too little data", **given, n_train=n_train, epochs=int(rng.integers(30, 151)))


def _mislabelled(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | (_quick_to_memorise(rng) if rng.random() < 0.6 else {})
    return Setup("label noise", **given, label_noise=rng.uniform(0.1, 0.4), epochs=int(rng.integers(15, 101)))


def _weak(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | {"width": 0, "hidden": int(rng.choice([1, 2])), "optimizer": "adam"}
    return Setup("too small a model", **given | {"lr": 0.02}, epochs=int(rng.integers(20, 61)))


def _wild(rng: np.random.Generator) -> Setup:
    given = _ordinary(rng) | {"optimizer": "sgd", "lr": log_uniform(rng, 0.5, 4), "lr_schedule": "constant"}
    return Setup("too high learning rate", **given, epochs=int(rng.integers(12, 41)))


CONDITIONS: dict[str, Callable[[np.random.Generator], Setup]] = {
    "regularised": _regular,
    "brief": _brief,
    "over-long": _long,
    "too little data": _little,
    "label noise": _mislabelled,
    "too small a model": _weak,
    "too high learning rate": _wild,
}


def _images(setup: Setup, rng: np.random.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Training, validation and test images with pixel noise, and labels; those of training may be wrong."""
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    pool, test, val = np.split(order, [N_POOL, N_POOL + N_TEST])
    rows = [pool[: setup.n_train], val[: setup.n_val], np.repeat(test, TEST_DRAWS)]
    grey = [digits.images[r] / 16 + rng.normal(0, NOISE_SIGMA, (len(r), 8, 8)) for r in rows]
    labels = [digits.target[r].astype(np.int64) for r in rows]
    wrong = rng.random(len(labels[0])) < setup.label_noise
    labels[0][wrong] = (labels[0][wrong] + rng.integers(1, 10, wrong.sum())) % 10
    images = [torch.from_numpy(np.clip(g, 0, 1)).float().unsqueeze(1) for g in grey]
    return list(zip(images, map(torch.from_numpy, labels), strict=True))


def _model(setup: Setup) -> nn.Module:
    if setup.width:
        return SmallCnn(setup.width, setup.hidden, setup.dropout).layers  # without its averaging of larger images
    first = nn.Linear(64, setup.hidden)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Dropout(setup.dropout), nn.Linear(setup.hidden, 10))


def _train(setup: Setup, train: tuple, val: tuple, test: tuple) -> dict[str, list[float]]:
    model = _model(setup)
    kind = torch.optim.Adam if setup.optimizer == "adam" else torch.optim.SGD
    momentum = {} if setup.optimizer == "adam" else {"momentum": 0.9}
    optimizer = kind(model.parameters(), lr=setup.lr, weight_decay=setup.weight_decay, **momentum)
    curves: dict[str, list[float]] = {name: [] for name in (*METRICS, "test_loss", "test_accuracy")}
    for epoch in range(setup.epochs):
        for group in optimizer.param_groups:
            group["lr"] = setup.lr * _rate(setup, epoch)
        measured = (_epoch(model, optimizer, *train, setup.batch_size), _score(model, *val), _score(model, *test))
        for side, (loss, accuracy) in zip(("train", "val", "test"), measured, strict=True):
            curves[f"{side}_loss"].append(loss)
            curves[f"{side}_accuracy"].append(accuracy)
    return curves


def _rate(setup: Setup, epoch: int) -> float:
    """The learning rate at an epoch as a share of its first."""
    done = epoch / setup.epochs
    if setup.lr_schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 0.1 ** ((done >= 0.5) + (done >= 0.75)) if setup.lr_schedule == "steps" else 1.0


def _epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> tuple[float, float]:
    """Mean loss and accuracy over the batches of one epoch, as training scripts log them."""
    model.train()
    loss_sum = correct = 0.0
    for rows in torch.randperm(len(labels)).split(batch_size):
        logits = model(images[rows])
        loss = functional.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(rows)
        correct += (logits.argmax(1) == labels[rows]).sum().item()
    return loss_sum / len(labels), correct / len(labels)


@torch.inference_mode()
def _score(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    model.eval()
    logits = model(images)
    return functional.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


def _label(setup: Setup, curves: dict[str, list[float]]) -> tuple[list[str], int | None]:
    """The right verdicts and the onset.

    Unstable: the learning rate was too high on purpose, and the training loss is not finite, does not end below where
    it began, or lies 5 % of its first value off the mean of its neighbours (median of the second half); or underfitting
    just as well where test accuracy never leaves chance. Underfitting: the model was too small on purpose, and training
    accuracy ends below 0.75. The other runs, on the test loss averaged over three epochs: overfitting where it ends
    10 % above its lowest and training loss fell by a tenth since; healthy where it ends less than 3 % above and test
    accuracy above 0.75. Undecided: in between; healthy but with training memorised (a training error below a third of
    the test error, and a gap of 0.1), where a rise is no longer the question; and the tests above not met.
    """
    train, test = np.array(curves["train_loss"]), np.array(curves["test_loss"])
    at_chance = max(curves["test_accuracy"]) < 0.2
    if setup.condition == "too high learning rate" and (_is_wild(train) or at_chance):
        return (["unstable"] if _is_wild(train) else ["unstable", "underfitting"]), None
    ends = {side: float(np.mean(curves[f"{side}_accuracy"][-3:])) for side in ("train", "test")}
    if setup.condition == "too small a model":
        return (["underfitting"] if ends["train"] < 0.75 else []), None
    smooth = np.convolve(test, np.ones(3) / 3, "valid")
    onset = int(np.argmin(smooth)) + 1
    rise = smooth[-1] / smooth.min() - 1
    if rise > RISES and train[-3:].mean() < 0.9 * train[onset]:
        return ["overfitting"], onset
    memorised = 1 - ends["train"] < (1 - ends["test"]) / 3 and ends["train"] - ends["test"] > 0.1
    return (["healthy"] if rise < LEVEL and not memorised and ends["test"] > 0.75 else []), None


def _is_wild(train: np.ndarray) -> bool:
    if not np.isfinite(train).all() or train[-1] >= train[0]:
        return True
    half = train[len(train) // 2 :]
    return bool(np.median(np.abs(half[1:-1] - (half[:-2] + half[2:]) / 2)) > 0.05 * train[0])


if __name__ == "__main__":
    main()
