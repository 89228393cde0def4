"""Overfitting histories with planted onsets.

The onset is the epoch at which the noiseless validation cost (the loss; with accuracies alone, one minus accuracy) is
lowest. Every curve rises after it by at least 8 % and by at least four times the spread of its noise, over three epochs
or 12 % of the run, while training goes on improving: what a person with the plot could tell too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks._shapes import counted, log_uniform, noise, spikes

MIN_RISE, MIN_RISE_IN_NOISE, MIN_EPOCHS_AFTER, MIN_SHARE_AFTER = 0.08, 4.0, 3, 0.12
RISES = ("linear", "saturating", "accelerating", "after a learning-rate drop", "fine-tuning")
Made = tuple[str, dict[str, np.ndarray], int]


def losses(n: int, rng: np.random.Generator) -> Made:
    """A training and a validation loss."""
    kind, train, val, sigma = _planted(n, rng)
    return f"loss, {kind}", _noisy(train, val, sigma, rng), int(np.argmin(val))


def losses_and_accuracies(n: int, rng: np.random.Generator) -> Made:
    """Both losses; validation accuracy falls or, where the model only grows over-confident, holds."""
    kind, train, val, sigma = _planted(n, rng)
    falls = rng.random() < 0.5
    scores = _accuracies(train, val, rng, rng.uniform(0.2, 1.0) if falls else 0.0)
    name = f"loss and accuracy, {kind}, accuracy {'falls' if falls else 'holds'}"
    return name, _noisy(train, val, sigma, rng) | scores, int(np.argmin(val))


def accuracies(n: int, rng: np.random.Generator) -> Made:
    """Both accuracies alone; validation accuracy falls by 0.03 or more."""

    def attempt() -> tuple[str, np.ndarray, np.ndarray, float]:
        kind, train, val, _ = _planted(n, rng, most=1.5)
        worst, images = rng.uniform(0.5, 0.99), log_uniform(rng, 300, 20000)
        error, train_error = worst * val / val.max(), worst * train / train.max()
        jitter = 0.3 * np.sqrt(0.25 / images)
        drop = error[-1] - error.min()
        sigma = np.inf if drop < max(0.03, 4 * jitter) else images
        return kind, train_error, error, sigma

    kind, train_error, error, images = _until(attempt, lambda made: np.isfinite(made[3]))
    series = {
        "train_accuracy": counted(1 - train_error, int(images * 4), rng),
        "val_accuracy": counted(1 - error, int(images), rng),
    }
    return f"accuracy, {kind}", series, int(np.argmin(error))


def segmentation(n: int, rng: np.random.Generator) -> Made:
    """Losses with dice on both sides."""
    name, series, onset = losses_and_accuracies(n, rng)
    series["train_dice"], series["val_dice"] = series.pop("train_accuracy"), series.pop("val_accuracy")
    return name.replace("loss and accuracy", "segmentation"), series, onset


def detection(n: int, rng: np.random.Generator) -> Made:
    """The class loss rises on validation, box and dfl losses level off, mAP falls with it or holds."""
    kind, train, val, sigma = _planted(n, rng)
    onset, start = int(np.argmin(val)), rng.uniform(1.0, 3.0) / val[0]
    series = {"train/cls_loss": train * start, "val/cls_loss": val * start}
    level = np.minimum.accumulate(val) * start
    for part in ("box", "dfl"):
        scale = rng.uniform(0.5, 1.5)
        series[f"train/{part}_loss"] = scale * (0.4 + 0.6 * train * start)
        series[f"val/{part}_loss"] = scale * (0.4 + 0.6 * level)
    for name in series:
        series[name] = series[name] * noise(n, rng, sigma if "val" in name else sigma / 3)
    learned = 1 - (level - level.min()) / (level[0] - level.min() + 1e-12)
    fallen = rng.choice([0.0, 0.3]) * (val / val.min() - 1) * (np.arange(n) > onset)
    series["metrics/mAP50(B)"] = np.clip(rng.uniform(0.3, 0.9) * learned / (1 + fallen) * noise(n, rng, 0.01), 0, 1)
    return f"detection, {kind}", series, onset


def language_model(n: int, rng: np.random.Generator) -> Made:
    """A language model evaluated 6 to 12 times, its eval loss rising from the second evaluation or later."""
    n = int(rng.integers(6, 13))
    kind, train, val, sigma = _planted(n, rng, most=1.0, noisiest=0.015, floors=(0.3, 0.8))  # text keeps much entropy
    series = {"train_loss": train * noise(n, rng, 2 * sigma), "eval_loss": val * noise(n, rng, sigma)}
    return f"language model, {kind}", series, int(np.argmin(val))


FAMILIES = (losses, losses_and_accuracies, accuracies, segmentation, detection, language_model)
WEIGHTS = (0.33, 0.33, 0.1, 0.08, 0.08, 0.08)


def _planted(
    n: int,
    rng: np.random.Generator,
    most: float = 4.0,
    noisiest: float = 0.08,
    floors: tuple[float, float] = (0.03, 0.5),
) -> tuple[str, np.ndarray, np.ndarray, float]:
    """Kind of rise, noiseless training and validation losses, and the noise to put on validation."""

    def attempt() -> tuple[str, np.ndarray, np.ndarray, float]:
        kind, sigma = str(rng.choice(RISES)), log_uniform(rng, 0.001, noisiest)
        train, val = _clean(kind, n, rng, log_uniform(rng, 0.08, most), floors)
        return kind, train, val, sigma

    return _until(attempt, lambda made: _tells(made[2], made[3]))


def _until(attempt: Callable[[], tuple], accepted: Callable[[tuple], bool]) -> tuple:
    for _ in range(2000):
        if accepted(made := attempt()):
            return made
    raise RuntimeError("no curve of this length meets what overfitting curves must meet")


def _tells(val: np.ndarray, sigma: float) -> bool:
    onset, after = int(np.argmin(val)), len(val) - 1 - int(np.argmin(val))
    rise = val[-1] / val[onset] - 1
    long_enough = after >= max(MIN_EPOCHS_AFTER, MIN_SHARE_AFTER * len(val))
    return onset >= 1 and long_enough and rise >= max(MIN_RISE, MIN_RISE_IN_NOISE * sigma)


def _clean(
    kind: str, n: int, rng: np.random.Generator, rise: float, floors: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A descent, and on validation a rise on top of it; training keeps falling below the descent."""
    epochs, begins = np.arange(n), max(1.0, rng.uniform(0.03, 0.75) * n)
    start, floor = log_uniform(rng, 0.5, 7.0), log_uniform(rng, *floors)
    if kind == "fine-tuning":
        floor, begins = rng.uniform(0.4, 0.85), max(1.0, rng.uniform(0.02, 0.3) * n)
    descent = start * (floor + (1 - floor) * np.exp(-epochs * rng.uniform(1.5, 6) / begins))
    if kind == "after a learning-rate drop":
        since_drop = np.maximum(epochs - np.floor(begins), 0)
        descent = descent * (1 + rng.uniform(0.15, 0.8) * np.exp(-since_drop / rng.uniform(0.3, 1 + 0.01 * n)))
    after = np.clip((epochs - begins) / max(1.0, n - 1 - begins), 0, None)
    val = descent + descent[-1] * rise * _rise(kind, after, rng)
    train = descent * np.exp(-log_uniform(rng, 0.7, 4.0) * epochs / n)
    return train, val


def _rise(kind: str, after: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if kind == "saturating" or (kind == "after a learning-rate drop" and rng.random() < 0.7):
        speed = rng.uniform(1.5, 6)
        return (1 - np.exp(-speed * after)) / (1 - np.exp(-speed))
    return after ** (1.6 if kind == "accelerating" else 1.0)


def _noisy(train: np.ndarray, val: np.ndarray, sigma: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    n, rho = len(val), float(rng.choice([0.0, 0.0, 0.4]))
    observed = val * noise(n, rng, sigma, rho, float(rng.choice([1.0, 2.0])))
    if rng.random() < 0.15:
        observed = observed * spikes(n, rng, 0.02)
    return {"train_loss": train * noise(n, rng, sigma * rng.uniform(0.1, 0.5)), "val_loss": observed}


def _accuracies(train: np.ndarray, val: np.ndarray, rng: np.random.Generator, falling: float) -> dict[str, np.ndarray]:
    """Errors that follow the losses; after the onset that of validation holds, or rises by a share of the loss's."""
    worst, best = rng.uniform(0.5, 0.99), rng.uniform(0.05, 0.4)
    level = np.minimum.accumulate(val)
    error = best + max(worst - best, 0.1) * (level - level.min()) / (level[0] - level.min() + 1e-12)
    error = np.minimum(error * (1 + falling * (val / level - 1)), 0.99)
    train_error = error[0] * train / train.max()
    images = int(log_uniform(rng, 200, 20000))
    return {
        "train_accuracy": counted(1 - np.minimum(train_error, error), images * 4, rng),
        "val_accuracy": counted(1 - error, images, rng),
    }
