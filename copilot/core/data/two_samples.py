"""How far two sets lie apart, within the classes they share: distances and their p-values.

Everything here compares like with like: an image of one set with images of the same class in the other, so that other
shares of the classes are not taken for other images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import kolmogi, kolmogorov

MATCHED = 0.5  # share of each set whose classes both sets must have; below, classes are not matched


@dataclass(frozen=True)
class Strata:
    """Classes that both sets have, as groups to compare within.

    Attributes
    ----------
    a, b : ndarray of int64, shape (n_a,) and (n_b,)
        Group of each image, -1 for those that have no counterpart.
    count : int
    matched : bool
        Whether the groups are classes; else all images are one group.
    classes : ndarray of int64, shape (count,)
        Label of each group; empty where they are not matched.
    """

    a: np.ndarray
    b: np.ndarray
    count: int
    matched: bool
    classes: np.ndarray

    @property
    def effective(self) -> np.ndarray:
        """Of each group ``n_a n_b / (n_a + n_b)``, on which the noise of a difference depends; shape (count,)."""
        n_a, n_b = (np.bincount(side[side >= 0], minlength=self.count).astype(float) for side in (self.a, self.b))
        return n_a * n_b / np.maximum(n_a + n_b, 1)

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Weight of each image; they sum to 1 on either side, and groups weigh the same on both."""
        effective = self.effective
        shares = effective / effective.sum()
        return tuple(_spread(shares, side, self.count) for side in (self.a, self.b))


def strata(labels_a: np.ndarray, labels_b: np.ndarray, least: int = 2) -> Strata:
    """Groups of two sets by their classes, or one group of all images where too few have a counterpart.

    Parameters
    ----------
    labels_a, labels_b : ndarray of int, shape (n_a,) and (n_b,)
        Of the same classes; below 0 where there is none.
    least : int, default 2
        Images that a class needs on either side.
    """
    size = int(max(labels_a.max(initial=-1), labels_b.max(initial=-1))) + 1
    in_a, in_b = (np.bincount(side[side >= 0], minlength=size) for side in (labels_a, labels_b))
    shared = np.flatnonzero((in_a >= least) & (in_b >= least))
    groups = np.full(size + 1, -1)  # the last place is that of label -1
    groups[shared] = np.arange(len(shared))
    a, b = groups[np.maximum(labels_a, -1)], groups[np.maximum(labels_b, -1)]
    if not len(shared) or min((a >= 0).mean(), (b >= 0).mean()) < MATCHED:
        none = np.zeros(0, np.int64)
        return Strata(np.zeros(len(labels_a), np.int64), np.zeros(len(labels_b), np.int64), 1, False, none)
    return Strata(a, b, len(shared), True, shared)


@dataclass(frozen=True)
class Distance:
    """Of two distributions. ``shift`` is the mean of b minus that of a; ``moved`` Wasserstein's distance."""

    distance: float
    p_value: float
    moved: float
    shift: float


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray, groups: Strata | None = None) -> Distance:
    """Largest distance of two distribution functions, each the mean of its groups with the weights of `Strata`.

    With these weights the variance of the difference is at most that of two plain samples of the same effective size,
    since p (1 - p) is concave: the p-value of Kolmogorov's distribution holds, and is cautious where groups differ.

    Parameters
    ----------
    a, b : ndarray of float, shape (n_a,) and (n_b,)
    groups : Strata, optional
        Default: one group.
    """
    groups = groups or strata(np.full(len(a), -1), np.full(len(b), -1))
    weight_a, weight_b = groups.weights()
    values = np.concatenate([a, b]).astype(np.float64)
    order = np.argsort(values, kind="stable")
    values, difference = values[order], np.cumsum(np.concatenate([weight_a, -weight_b])[order])
    steps = np.diff(values)
    difference = np.where(steps > 0, difference[:-1], 0.0)
    distance = float(np.abs(difference).max(initial=0.0))
    return Distance(
        distance,
        float(kolmogorov(math.sqrt(groups.effective.sum()) * distance)),
        float(np.abs(difference) @ steps),
        float(b @ weight_b - a @ weight_a),
    )


def smallest_told(effective: float, alpha: float) -> float:
    """The Kolmogorov-Smirnov distance from which on the p-value is below `alpha`, at most 1."""
    return min(1.0, float(kolmogi(alpha)) / math.sqrt(max(effective, 1e-9)))


def spread_of(values: np.ndarray) -> float:
    """Standard deviation, from the quartiles where they differ; a thousandth of the median where nothing varies."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float((high - low) / 1.349 or values.std() or max(abs(middle) * 1e-3, 1e-9))


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for their number, whatever their dependence (S. Holm, Scand. J. Statistics 6, 1979)."""
    order = np.argsort(p_values, kind="stable")
    n = len(p_values)
    raised = np.maximum.accumulate(p_values[order] * (n - np.arange(n)))
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


def _spread(shares: np.ndarray, side: np.ndarray, count: int) -> np.ndarray:
    sizes = np.maximum(np.bincount(side[side >= 0], minlength=count), 1)
    return np.where(side >= 0, (shares / sizes)[side], 0.0)
