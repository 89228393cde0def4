"""How much worse a model is on test than on train, sample by sample and class by class. NumPy and SciPy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from copilot.core.statistics import wilson_interval

RESAMPLES = 200
SURE = 1e-12  # smallest probability that a loss is taken of
MATCHES = 0.5  # IoU from which a box is that of an object


@dataclass(frozen=True)
class Gap:
    """A mean on train against that on test; ``gap`` is positive where test is worse, ``low`` and ``high`` bound it."""

    train: float
    test: float
    gap: float
    low: float
    high: float


def gap_between(train: np.ndarray, test: np.ndarray, *, sign: int = 1, alpha: float = 0.05, seed: int = 0) -> Gap:
    """Train minus test (times `sign`) of two means of independent samples, with its interval.

    Shares get Newcombe's hybrid of two Wilson intervals (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10),
    other values the normal interval with bootstrapped standard errors (B. Efron and R. Tibshirani, An Introduction to
    the Bootstrap, 1993, chapter 13).

    Parameters
    ----------
    train, test : ndarray of float, shapes (n,) and (m,)
        One value a sample, at least one.
    sign : {1, -1}
        -1 for a quantity that is better when it is lower.
    alpha : float
        Share of intervals that may miss.
    seed : int
        Of the bootstrap.
    """
    z = float(ndtri(1 - alpha / 2))
    a, b = float(train.mean()), float(test.mean())
    if np.isin(train, (0, 1)).all() and np.isin(test, (0, 1)).all():
        (low_a, high_a), (low_b, high_b) = wilson_interval(a, len(train), z), wilson_interval(b, len(test), z)
        low, high = a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)
    else:
        rng = np.random.default_rng(seed)
        half = z * math.hypot(_standard_error(train, rng), _standard_error(test, rng))
        low, high = a - b - half, a - b + half
    low, high = sorted((sign * low, sign * high))
    return Gap(a, b, sign * (a - b), low, high)


def _standard_error(values: np.ndarray, rng: np.random.Generator) -> float:
    n = len(values)
    return float(np.std([values[rng.integers(0, n, n)].mean() for _ in range(RESAMPLES)]))


def of_classification(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy (0 or 1), cross-entropy in nats and confidence of each image.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
    labels : ndarray of int, shape (n,)
    """
    own = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": (probabilities.argmax(axis=1) == labels).astype(float),
        "loss": -np.log(np.maximum(own, SURE)),
        "confidence": probabilities.max(axis=1),
    }


def objects_found(given: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """For each object 1.0 if a box of its class overlaps it by an IoU of `MATCHES`; the surest box chooses first.

    Parameters
    ----------
    given : ndarray of float, shape (k, 6)
        x, y, width, height in pixels, score, class.
    objects : ndarray of float, shape (m, 5)
        Class, x, y, width, height in pixels.

    Returns
    -------
    ndarray of float, shape (m,)
    """
    found = np.zeros(len(objects))
    if not len(given) or not len(objects):
        return found
    overlap = _overlaps(given[:, :4], objects[:, 1:]) * (given[:, 5:6] == objects[:, 0])
    for row in np.argsort(-given[:, 4], kind="stable"):
        free = np.where(found == 0, overlap[row], 0)
        if free.max() >= MATCHES:
            found[free.argmax()] = 1
    return found


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes (x, y, width, height), shape (len(a), len(b))."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    union = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def dice_by_class(given: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes in a mask and the Dice score of each.

    Parameters
    ----------
    given, mask : ndarray of int, shape (h, w)
        Predicted and true class of each pixel.
    """
    size = int(max(given.max(), mask.max())) + 1
    both = np.bincount(mask[given == mask].ravel(), minlength=size)
    true, said = np.bincount(mask.ravel(), minlength=size), np.bincount(given.ravel(), minlength=size)
    present = np.flatnonzero(true)
    return present, 2 * both[present] / (true + said)[present]
