"""Noiseless learning curves and the noise on them, for the generator in `_curves.py`.

Shapes follow what is known of real runs: exponential and power-law decays [1]_, learning-rate steps after which the
loss drops, and cosine schedules whose loss falls with the summed learning rate, plus a term that the rate itself holds
up [2]_.

References
----------
.. [1] Viering and Loog, "The Shape of Learning Curves: a Review", arXiv:2103.10948.
.. [2] Tissue et al., "Scaling Law with Learning Rate Annealing", arXiv:2408.11029.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

SCHEDULES = ("exponential", "power law", "fast then slow", "steps", "cosine", "warm-up", "unfinished")


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def remaining(schedule: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """The share of what is to be learned that is still left: 1 at epoch 0, never rising.

    Parameters
    ----------
    schedule : str
        One of `SCHEDULES`.
    n : int
        Epochs.
    """
    share = np.arange(n) / n
    if schedule == "exponential":
        return np.exp(-rng.uniform(3, 15) * share)
    if schedule == "unfinished":
        return np.exp(-rng.uniform(0.8, 2.5) * share)
    if schedule == "power law":
        return (1 + share / rng.uniform(0.01, 0.1)) ** -rng.uniform(0.5, 1.5)
    if schedule == "fast then slow":
        fast = rng.uniform(0.5, 0.9)
        return fast * np.exp(-rng.uniform(15, 40) * share) + (1 - fast) * np.exp(-rng.uniform(1, 4) * share)
    if schedule == "steps":
        return _with_steps(n, rng)
    return _by_learning_rate(_cosine(n) if schedule == "cosine" else _warmed_up(n, rng), rng)


def _with_steps(n: int, rng: np.random.Generator) -> np.ndarray:
    """Two learning-rate drops, each followed by a quick fall of the loss."""
    epochs = np.arange(n)
    parts = rng.dirichlet((6.0, 2.5, 1.0))
    curve = parts[0] * np.exp(-rng.uniform(6, 20) * epochs / n)
    for part, at in zip(parts[1:], (rng.uniform(0.35, 0.6), rng.uniform(0.7, 0.85)), strict=True):
        since = np.maximum(epochs - round(at * n), 0)
        curve += part * np.exp(-since / max(0.5, rng.uniform(0.005, 0.04) * n))
    return curve


def _cosine(n: int) -> np.ndarray:
    return 0.5 * (1 + np.cos(np.pi * np.arange(n) / n))


def _warmed_up(n: int, rng: np.random.Generator) -> np.ndarray:
    """A linear warm-up over 3 to 15 % of the epochs, then a cosine or a constant rate."""
    ramp = np.minimum((np.arange(n) + 1) / max(1.0, rng.uniform(0.03, 0.15) * n), 1.0)
    return ramp * (_cosine(n) if rng.random() < 0.5 else 1.0)


def _by_learning_rate(rate: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    done = np.concatenate([[0.0], np.cumsum(rate)[:-1]]) / rate.sum()
    held_up = rng.uniform(0.0, 0.12)
    falling_rate = np.minimum.accumulate(rate / rate.max() if rate[0] == rate.max() else np.ones_like(rate))
    return (1 - held_up) * np.exp(-rng.uniform(3, 12) * done) + held_up * falling_rate


def noise(n: int, rng: np.random.Generator, sigma: float, rho: float = 0.0, early: float = 1.0) -> np.ndarray:
    """Factors around 1: log-normal AR(1) noise of stationary spread `sigma`, `early` times as wide at the start."""
    white = rng.normal(0.0, 1.0, n)
    white[1:] *= np.sqrt(1 - rho**2)
    wave = lfilter([1.0], [1.0, -rho], white)
    return np.exp(sigma * wave * (1 + (early - 1) * np.exp(-8 * np.arange(n) / n)))


def spikes(n: int, rng: np.random.Generator, share: float) -> np.ndarray:
    """Factors of 1 with a few single epochs of 1.2 to 3 among them."""
    hit = rng.random(n) < share
    return np.where(hit, np.exp(rng.uniform(0.2, 1.1, n)), 1.0)


def counted(accuracy: np.ndarray, images: int, rng: np.random.Generator, jitter: float = 0.3) -> np.ndarray:
    """Accuracy as it is measured on a set of `images`: a whole number of hits.

    The set is the same at each epoch, so most of its sampling error is one common offset; `jitter` is the part of it
    that changes from epoch to epoch.
    """
    spread = np.sqrt(np.clip(accuracy * (1 - accuracy), 1e-4, None) / images)
    common = rng.normal() * np.sqrt(max(0.0, 1 - jitter**2))
    hits = (accuracy + spread * (common + jitter * rng.normal(size=len(accuracy)))) * images
    return np.clip(np.round(hits), 0, images) / images
