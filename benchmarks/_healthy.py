"""Healthy histories: validation settles or still falls; training may look worse or better than it.

What counts as healthy: the noiseless validation cost never rises by more than 2 % of its minimum, and ends at most
1.6 times the training cost and, in accuracy, 0.08 below training: a constant gap, not a memorised training set.
"""

from __future__ import annotations

import numpy as np

from benchmarks._shapes import SCHEDULES, counted, log_uniform, noise, remaining, spikes

MAX_RATIO, MAX_GAP, MAX_DRIFT = 1.6, 0.08, 0.02
VARIANTS = ("plain", "dropout", "augmentation", "batch norm", "fine-tuning", "level", "spiky", "recovered spike")


def losses(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """A training and a validation loss."""
    name, train, val, _ = _clean(n, rng)
    return f"loss, {name}", _noisy(name, train, val, rng)


def losses_and_accuracies(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """Both losses and both accuracies of one classifier."""
    name, train, val, left = _clean(n, rng)
    return f"loss and accuracy, {name}", _noisy(name, train, val, rng) | accuracies_of(left, rng)


def accuracies(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """Both accuracies alone."""
    name, _, _, left = _clean(n, rng)
    return f"accuracy, {name}", accuracies_of(left, rng)


def segmentation(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """Losses with dice on both sides, or IoU on validation alone."""
    name, train, val, left = _clean(n, rng)
    scores = accuracies_of(left, rng, classes=20)
    series = _noisy(name, train, val, rng)
    if rng.random() < 0.5:
        series |= {"train_dice": scores["train_accuracy"], "val_dice": scores["val_accuracy"]}
    else:
        series["val_iou"] = scores["val_accuracy"] / (2 - scores["val_accuracy"])
    return f"segmentation, {name}", series


def detection(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """Three loss components on both sides and mAP, as detectors log them; mosaic may close near the end."""
    schedule = str(rng.choice(["cosine", "warm-up", "fast then slow"]))
    left, series = remaining(schedule, n, rng), {}
    closes = n - 10 if n > 40 and rng.random() < 0.5 else n
    for part in ("box", "cls", "dfl"):
        start, floor, sigma = rng.uniform(1.2, 4.0), rng.uniform(0.2, 0.6), log_uniform(rng, 0.004, 0.04)
        train = start * (floor + (1 - floor) * left)
        train[closes:] *= rng.uniform(0.75, 0.95)  # whole images are easier than mosaics of four
        val = start * (floor * rng.uniform(0.85, 1.25) + (1 - floor) * left ** rng.uniform(0.8, 1.0))
        series[f"train/{part}_loss"] = train * noise(n, rng, sigma / 3)
        series[f"val/{part}_loss"] = val * noise(n, rng, sigma, early=3)
    top = rng.uniform(0.3, 0.95)
    for name, scale in (("metrics/mAP50(B)", 1.0), ("metrics/mAP50-95(B)", rng.uniform(0.5, 0.8))):
        series[name] = np.clip(scale * top * (1 - left) * noise(n, rng, 0.01, early=5), 0, 1)
    return "detection", series


def language_model(n: int, rng: np.random.Generator) -> tuple[str, dict[str, np.ndarray]]:
    """A language model evaluated a few times: train_loss, eval_loss and at times perplexity."""
    n = int(rng.integers(5, 13))
    schedule = str(rng.choice(["power law", "exponential", "unfinished", "cosine"]))
    start, floor = rng.uniform(2.5, 9.0), rng.uniform(0.25, 0.75)
    left, sigma = remaining(schedule, n, rng), log_uniform(rng, 0.001, 0.015)
    train = start * (floor + (1 - floor) * left) * noise(n, rng, 2 * sigma)
    val = start * (floor * rng.uniform(0.97, 1.15) + (1 - floor) * left) * noise(n, rng, sigma)
    perplexity = {"eval_perplexity": np.exp(val)} if rng.random() < 0.3 else {}
    return "language model", {"train_loss": train, "eval_loss": val} | perplexity


FAMILIES = (losses, losses_and_accuracies, accuracies, segmentation, detection, language_model)
WEIGHTS = (0.35, 0.35, 0.1, 0.06, 0.07, 0.07)


def _clean(n: int, rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Name, noiseless losses, and the share of learning left."""
    schedule, variant = str(rng.choice(SCHEDULES)), str(rng.choice(VARIANTS))
    left, start, floor = remaining(schedule, n, rng), log_uniform(rng, 0.3, 7.0), log_uniform(rng, 0.01, 0.5)
    if variant == "fine-tuning":
        start, floor = start * 0.5, rng.uniform(0.3, 0.8)
    train = start * (floor + (1 - floor) * left)
    ratio = rng.uniform(1.0, MAX_RATIO)
    val = start * (floor * ratio + (1 - floor) * left ** rng.uniform(0.7, 1.0))
    if variant == "dropout":
        train = train * (1 + rng.uniform(0.1, 0.6))
    elif variant == "augmentation":
        train = train + start * floor * rng.uniform(0.3, 2.0) + (val - train)
    elif variant == "batch norm":
        val = val * (1 + rng.uniform(0.3, 3) * np.exp(-np.arange(n) / rng.uniform(0.5, 3)))
    elif variant == "level":
        val = val * (1 + rng.uniform(0, MAX_DRIFT) * np.arange(n) / n)
    elif variant == "recovered spike" and n >= 10:  # shorter runs would end before it is over
        bump = _bump(n, rng)
        train, val = train * bump, val * bump
    return f"{schedule}, {variant}", train, val, left


def _bump(n: int, rng: np.random.Generator) -> np.ndarray:
    """Both losses jump at one epoch and come back within a few."""
    since = np.arange(n) - rng.integers(1, max(2, round(0.5 * n)))
    return 1 + rng.uniform(0.3, 2) * np.where(since >= 0, np.exp(-since / rng.uniform(0.5, 1 + 0.02 * n)), 0.0)


def _noisy(name: str, train: np.ndarray, val: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    n, rho = len(val), float(rng.choice([0.0, 0.0, 0.4, 0.75]))
    sigma = log_uniform(rng, 0.001, 0.03 if rho > 0.5 else 0.1)  # slow and wide at once would be a real rise
    early = float(rng.choice([1.0, 1.0, 3.0]))
    observed = val * noise(n, rng, sigma, rho, early)
    if "spiky" in name:
        observed = observed * spikes(n, rng, rng.uniform(0.01, 0.06))
    return {"train_loss": train * noise(n, rng, sigma * rng.uniform(0.1, 0.5), early=early), "val_loss": observed}


def accuracies_of(left: np.ndarray, rng: np.random.Generator, classes: int | None = None) -> dict[str, np.ndarray]:
    """Accuracies of a classifier of which `left` is still to be learned."""
    classes = classes or int(rng.choice([2, 5, 10, 100]))
    worst, floor = 1 - 1 / classes, log_uniform(rng, 0.005, 0.3)
    gap = min(floor * rng.uniform(0, MAX_RATIO - 1), MAX_GAP)
    power = rng.uniform(0.6, 1.2)
    train = floor * worst + (1 - floor) * worst * left**power
    val = np.minimum(train + gap, worst)
    images = int(log_uniform(rng, 100, 20000))
    return {
        "train_accuracy": counted(1 - train, int(images * rng.uniform(2, 8)), rng),
        "val_accuracy": counted(1 - val, images, rng),
    }
