"""Wrong labels found: ranking and estimated rate on MNIST and CIFAR-10, next to cleanlab on the same predictions.

.venv/bin/python benchmarks/label_noise.py            # classical features, cross-validated: a few minutes
.venv/bin/python benchmarks/label_noise.py --cnn      # held-out predictions of small networks too: a quarter of an hour

Labels of MNIST (3,000 images) and CIFAR-10 (5,000) are flipped, each with the same chance, to any other class
(symmetric) or to the next one (pair); `worse` and `aggre` are the human labels of CIFAR-10N (arXiv:2110.12088).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks._small_nets import IMAGES, fit, flips_and_shifts, shifts
from copilot.core.data.label_noise import LabelNoiseThresholds, SplitNoise
from copilot.imaging.features import ClassicalFeatures
from copilot.integrations.inspection.noise_estimate import Estimate, estimate_noise, out_of_fold

_SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
_EPOCHS = 8


def flipped(labels: np.ndarray, share: float, pair: bool, seed: int = 1) -> np.ndarray:
    """Labels of ten classes, each flipped with chance `share`."""
    rng, moved = np.random.default_rng(seed), labels.copy()
    wrong = rng.random(len(labels)) < share
    moved[wrong] = (moved[wrong] + (1 if pair else rng.integers(1, 10, wrong.sum()))) % 10
    return moved


def _sets() -> dict[str, tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Images, true labels, and human ones."""
    with np.load(IMAGES / "mnist.npz", allow_pickle=False) as file:
        chosen = np.random.default_rng(0).permutation(len(file["y_train"]))[:3000]
        digits = file["x_train"][chosen][..., None], file["y_train"][chosen].astype(np.int64), {}
    with np.load(IMAGES / "cifar10_small.npz", allow_pickle=False) as file:
        human = {name: file[f"y_train_{name}"].astype(np.int64) for name in ("worse", "aggre")}
        return {"MNIST": digits, "CIFAR-10": (file["x_train"], file["y_train"].astype(np.int64), human)}


def _by_networks(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Held-out probabilities of five small networks, each trained on four fifths."""
    found, change = np.zeros((len(labels), 10)), flips_and_shifts if images.shape[-1] == 3 else shifts
    for known, held in StratifiedKFold(5, shuffle=True, random_state=0).split(images, labels):
        net = fit(images[known], labels[known], epochs=_EPOCHS, change=change)
        found[held] = net.predict(images[held])
    return found


def _line(name: str, true: np.ndarray, given: np.ndarray, probabilities: np.ndarray, estimate: Estimate) -> str:
    rows, wrong = np.arange(len(given)), true != given
    suspicion = estimate.fit.suspicion(given)
    split = SplitNoise(
        "train",
        rows,
        given,
        given,
        suspicion,
        estimate.bias,
        estimate.spread,
        estimate.fit,
        "",
        estimate.confident_rate,
    )
    limits = LabelNoiseThresholds()
    low, high = split.interval(limits.doubt)
    told = max(high - split.rate(), split.rate() - low) <= limits.widest
    parts = [
        f"{name:<24} sees {np.mean(probabilities.argmax(1) == true):.3f}  true {wrong.mean():.3f}",
        f"ours {split.rate():.3f} [{low:.3f}, {high:.3f}]{'' if told else ' cannot tell'}",
        f"cleanlab {estimate.confident_rate:.3f}",
    ]
    if wrong.any():
        scores = [-get_label_quality_scores(given, probabilities, method=method) for method in _SCORES]
        aucs = [roc_auc_score(wrong, score) for score in scores]
        found = find_label_issues(given, probabilities)
        ours = suspicion > limits.suspicion
        parts.append(f"AUC ours {roc_auc_score(wrong, suspicion):.4f} cleanlab {' '.join(f'{a:.4f}' for a in aucs)}")
        parts.append(f"F1 ours {_f1(wrong, ours):.3f} find_label_issues {_f1(wrong, found):.3f}")
    return "  ".join(parts)


def _f1(wrong: np.ndarray, found: np.ndarray) -> float:
    return 2 * float((wrong & found).sum()) / max(int(wrong.sum() + found.sum()), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cnn", action="store_true")
    parser.add_argument("--only", default="", help="run only cases whose name contains this")
    options = parser.parse_args()
    for name, (images, true, human) in _sets().items():
        measure = ClassicalFeatures()
        features = np.stack([measure(image)["features"] for image in images])
        cases = {"clean": true}
        cases |= {f"{k} {s}": flipped(true, s, k == "pair") for k in ("symmetric", "pair") for s in (0.2, 0.4)}
        for case, given in (cases | human).items():
            if options.only not in f"{name} {case}":
                continue

            def again(labels: np.ndarray, features: np.ndarray = features) -> np.ndarray:
                return out_of_fold(features, labels, 10)

            probabilities = again(given)
            estimate = estimate_noise(probabilities, given, again=again)
            print("features", _line(f"{name} {case}", true, given, probabilities, estimate), flush=True)
            if options.cnn:
                _networks(f"{name} {case}", images, true, given, _by_networks)


def _networks(name: str, images: np.ndarray, true: np.ndarray, given: np.ndarray, predict: Callable) -> None:
    probabilities = predict(images, given)
    print("networks", _line(name, true, given, probabilities, estimate_noise(probabilities, given)), flush=True)


if __name__ == "__main__":
    main()
