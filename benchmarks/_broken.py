"""Histories of runs that went wrong in other ways than overfitting, and histories that tell too little."""

from __future__ import annotations

import numpy as np

from benchmarks._healthy import losses as healthy_losses
from benchmarks._shapes import counted, log_uniform, noise, remaining

UNDERFITTING, UNSTABLE, INCONCLUSIVE = ("underfitting",), ("unstable",), ("inconclusive",)
Made = tuple[str, dict[str, np.ndarray], tuple[str, ...]]


def too_weak(n: int, rng: np.random.Generator) -> Made:
    """Both sides level off early, near the start: at most a third of the way from chance to perfect."""
    n, classes = max(n, 12), int(rng.choice([5, 10, 100]))
    left, worst = remaining("exponential", n, rng), 1 - 1 / classes
    floor, start = rng.uniform(0.68, 0.93), np.log(classes)
    loss = start * (floor + (1 - floor) * left)
    error = worst * (floor + (1 - floor) * left)
    sigma, images = log_uniform(rng, 0.002, 0.03), int(log_uniform(rng, 300, 10000))
    series = {
        "train_loss": loss * noise(n, rng, sigma / 3),
        "val_loss": loss * rng.uniform(0.99, 1.04) * noise(n, rng, sigma),
        "train_accuracy": counted(1 - error, images * 4, rng),
        "val_accuracy": counted(1 - np.minimum(error * rng.uniform(0.99, 1.03), worst), images, rng),
    }
    return "too weak a model", series, UNDERFITTING


def never_learned(n: int, rng: np.random.Generator) -> Made:
    """Losses stay where a guess is, accuracies at chance."""
    n, classes = max(n, 8), int(rng.choice([2, 10, 100]))
    sigma, images = log_uniform(rng, 0.0005, 0.02), int(log_uniform(rng, 300, 10000))
    chance = np.full(n, 1 / classes)
    series = {f"{side}_loss": np.log(classes) * noise(n, rng, sigma) for side in ("train", "val")}
    if rng.random() < 0.7:
        series |= {f"{side}_accuracy": counted(chance, images, rng) for side in ("train", "val")}
    return "never learned", series, (*UNDERFITTING, *UNSTABLE)


def oscillating(n: int, rng: np.random.Generator) -> Made:
    """Both losses jump by a third and more from epoch to epoch, all the way."""
    n, sigma = max(n, 12), rng.uniform(0.35, 0.9)
    left, start = remaining("exponential", n, rng), log_uniform(rng, 0.5, 5.0)
    both = start * (0.3 + 0.7 * left) * noise(n, rng, sigma)
    series = {"train_loss": both, "val_loss": both * noise(n, rng, sigma / 2) * rng.uniform(1.0, 1.2)}
    return "oscillating", series, UNSTABLE


def turned_nan(n: int, rng: np.random.Generator) -> Made:
    """Falls as it should, then every loss is NaN to the end."""
    n = max(n, 8)
    _name, series = healthy_losses(n, rng)
    at = int(rng.integers(1, max(2, round(0.9 * n))))
    for values in series.values():
        values[at:] = np.nan
    return "turned NaN", series, UNSTABLE


def diverged(n: int, rng: np.random.Generator) -> Made:
    """Falls, then training and validation loss blow up together and stay there."""
    n = max(n, 10)
    _, series = healthy_losses(n, rng)
    at = rng.uniform(0.1, 0.8) * n
    height, speed = log_uniform(rng, 5, 1e4), rng.uniform(1, 1 + 0.05 * n)
    blown = 1 + height * (1 - np.exp(-np.maximum(np.arange(n) - at, 0) / speed))
    for name in series:
        start = series[name][0]
        series[name] = series[name] + start * (blown - 1) * noise(n, rng, 0.3)
    return "diverged", series, UNSTABLE


def one_side(n: int, rng: np.random.Generator) -> Made:
    """Training or validation alone was logged."""
    _, series = healthy_losses(n, rng)
    del series[str(rng.choice(["train_loss", "val_loss"]))]
    return "one side only", series, INCONCLUSIVE


def too_short(n: int, rng: np.random.Generator) -> Made:
    """Two to four epochs."""
    _, series = healthy_losses(int(rng.integers(2, 5)), rng)
    return "too short", series, INCONCLUSIVE


def pure_noise(n: int, rng: np.random.Generator) -> Made:
    """No trend on either side, and noise as wide as a real run's trend would be."""
    series = {f"{side}_loss": rng.uniform(0.5, 2) * noise(max(n, 8), rng, 0.25) for side in ("train", "val")}
    return "pure noise", series, (*INCONCLUSIVE, *UNSTABLE, *UNDERFITTING)


BROKEN = (too_weak, never_learned, oscillating, turned_nan, diverged)
AMBIGUOUS = (one_side, too_short, pure_noise)
