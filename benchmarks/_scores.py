"""The scores that the benchmark prints."""

from __future__ import annotations

import numpy as np


def macro_f1(truth: np.ndarray, called: np.ndarray) -> float:
    """Mean F1 of the classes that occur in the truth or among the calls."""
    truth, called = np.asarray(truth, bool), np.asarray(called, bool)
    scores = []
    for side in (False, True):
        hits = np.sum((truth == side) & (called == side))
        occurrences = np.sum(truth == side) + np.sum(called == side)
        if occurrences:
            scores.append(2 * hits / occurrences)
    return float(np.mean(scores))


def f1_interval(truth: np.ndarray, called: np.ndarray, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval (percentiles) of `macro_f1`, resampled within each class so that both always occur."""
    truth, called = np.asarray(truth, bool), np.asarray(called, bool)
    rng, sides = np.random.default_rng(seed), [np.flatnonzero(truth == side) for side in (False, True)]
    scores = []
    for _ in range(rounds):
        rows = np.concatenate([rng.choice(side, len(side)) for side in sides if len(side)])
        scores.append(macro_f1(truth[rows], called[rows]))
    return tuple(float(q) for q in np.percentile(scores, [2.5, 97.5]))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean |confidence - share right| over `bins` bins of equal mass.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    order = np.random.default_rng(0).permutation(len(confidence))  # so that ties fall into bins at random
    order = order[np.argsort(confidence[order], kind="stable")]
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts) / len(confidence))
