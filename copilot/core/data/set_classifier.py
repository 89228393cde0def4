"""A linear classifier of which set an image is from, and how surely it can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copilot.core.data.two_samples import Strata


@dataclass(frozen=True)
class Classified:
    """What a linear classifier of the two sets finds.

    Attributes
    ----------
    auc : float
        Share of pairs (one image of each set, of one class) that it puts in the right order, on images that it was not
        fitted to; 0.5 is chance.
    low, high : float
        95 % interval of it, widened for what the folds share.
    p_value : float
        That the sets are alike, by permuting which set an image is of, within its class.
    scores : ndarray of float, shape (n_a + n_b,)
        Higher for images that look like those of b; NaN for those without a counterpart.
    parts : ndarray of float, shape (d,)
        How much each feature adds to the mean difference of the scores; they sum to 1.
    """

    auc: float
    low: float
    high: float
    p_value: float
    scores: np.ndarray
    parts: np.ndarray


def classify_sets(
    a: np.ndarray,
    b: np.ndarray,
    groups: Strata,
    *,
    ridge: float,
    permutations: int,
    folds: int = 5,
    most: int = 256,
    seed: int = 0,
) -> Classified:
    """Whether a linear classifier can tell two sets apart, within groups.

    Features and the set an image is of are centred in each group; the rest is Fisher's linear discriminant with a
    ridge, fitted by least squares. Its own share of the variance, on all images, is what is permuted: that is
    Hotelling's test with a ridge, and needs no second set. Folds share images, so that the variance of the area is
    ``1 + folds / (folds - 1)`` times that on images drawn anew (C. Nadeau and Y. Bengio, Machine Learning 52, 2003).

    Parameters
    ----------
    a, b : ndarray of float, shape (n_a, d) and (n_b, d)
    groups : Strata
    ridge : float
        Added to the eigenvalues of the features' correlation matrix.
    permutations : int
    folds : int, default 5
        Of the cross-validation.
    most : int, default 256
        Principal components that are used.
    seed : int, default 0
    """
    rng = np.random.default_rng(seed)
    group = np.concatenate([groups.a, groups.b])
    used = np.flatnonzero(group >= 0)
    side = np.concatenate([np.zeros(len(a)), np.ones(len(b))])[used]
    kept = group[used]
    features, scale = _standardised(np.concatenate([a, b]).astype(np.float64)[used], kept, groups.count)
    basis, features = _components(features, most)
    shuffled = _shuffled(side, kept, permutations, rng)
    target = _centred(np.column_stack([side, shuffled]), kept, groups.count)
    strength = _explained(features, target, ridge)
    scores = _out_of_fold(features, target[:, 0], kept, ridge, folds, rng)
    auc, error = _auc(scores, side, kept, groups.count)
    error *= math.sqrt(1 + folds / (folds - 1))
    weights = basis @ _fit(features, target[:, 0], ridge)
    parts = weights * (basis @ (features.T @ target[:, 0])) * (scale > 0)
    whole = np.full(len(group), np.nan)
    whole[used] = scores
    half = 1.96 * error
    return Classified(
        auc,
        max(0.0, auc - half),
        min(1.0, auc + half),
        float((1 + (strength[1:] >= strength[0] - 1e-12).sum()) / (permutations + 1)),
        whole,
        parts / (parts.sum() or 1.0),
    )


def group_shares(parts: np.ndarray, sizes: Sequence[int]) -> list[float]:
    """Sums of `parts` over groups of so many features in order, as shares of 1; what speaks against counts as none."""
    ends = np.cumsum(sizes)
    sums = [max(0.0, float(parts[end - size : end].sum())) for size, end in zip(sizes, ends, strict=True)]
    total = sum(sums) or 1.0
    return [value / total for value in sums]


def _centred(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Columns minus their means in each group."""
    if count == 1:
        return values - values.mean(0)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    sizes = np.bincount(group, minlength=count)
    means = np.add.reduceat(values[order], starts, axis=0) / sizes[:, None]
    return values - means[group]


def _standardised(features: np.ndarray, group: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Features centred in each group and divided by their deviation, which is 0 for those that do not vary."""
    centred = _centred(np.nan_to_num(features, posinf=0.0, neginf=0.0), group, count)
    scale = centred.std(0)
    scale[scale < 1e-9 * (np.abs(features).max(initial=0) + 1e-300)] = 0.0
    return centred / np.where(scale > 0, scale, np.inf), scale


def _components(features: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the principal components, shape (d, k), and the images in them, shape (n, k)."""
    small = features.T @ features if features.shape[1] <= len(features) else features @ features.T
    values, vectors = np.linalg.eigh(small)
    keep = np.flatnonzero(values > max(values[-1], 1e-12) * 1e-10)[-most:]
    values, vectors = values[keep], vectors[:, keep]
    if features.shape[1] > len(features):
        vectors = features.T @ vectors / np.sqrt(values)
    return vectors, features @ vectors


def _shuffled(side: np.ndarray, group: np.ndarray, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Permutations of `side` within groups, shape (n, permutations)."""
    order = np.argsort(group, kind="stable")
    keys = rng.random((permutations, len(side))) + group[order]
    shuffled = np.empty((len(side), permutations))
    shuffled[order] = side[order][np.argsort(keys, axis=1)].T
    return shuffled


def _explained(features: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Share of each target's variance that the ridge regression on principal components explains."""
    sizes = (features**2).sum(0)
    seen = (features.T @ target) ** 2 / (sizes + ridge * len(features))[:, None]
    return seen.sum(0) / (target**2).sum(0)


def _fit(features: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    square = features.T @ features
    square[np.diag_indices_from(square)] += ridge * len(features)
    return np.linalg.solve(square, features.T @ target)


def _out_of_fold(
    features: np.ndarray, target: np.ndarray, group: np.ndarray, ridge: float, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """Scores of images by classifiers that were fitted to the others; folds hold equal shares of groups and sides."""
    order = np.lexsort((rng.random(len(target)), target > 0, group))
    fold = np.empty(len(target), np.int64)
    fold[order] = np.arange(len(target)) % folds
    scores = np.empty(len(target))
    for number in range(folds):
        out = fold == number
        scores[out] = features[out] @ _fit(features[~out], target[~out], ridge)
    return scores


def _auc(scores: np.ndarray, side: np.ndarray, group: np.ndarray, count: int) -> tuple[float, float]:
    """Area under the ROC curve within groups, and its standard error (E. R. DeLong et al., Biometrics 44, 1988)."""
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(count), side="right")
    total = found = variance = 0.0
    for members in np.split(order, ends[:-1]):
        low, high = scores[members[side[members] == 0]], scores[members[side[members] == 1]]
        weight = len(low) * len(high) / len(members)
        above, below = _placements(high, low), 1 - _placements(low, high)
        total, found = total + weight, found + weight * float(above.mean())
        variance += weight**2 * (_mean_variance(above) + _mean_variance(below))
    return found / total, math.sqrt(variance) / total


def _placements(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the others below each value, ties counting half."""
    others = np.sort(others)
    return (np.searchsorted(others, values) + np.searchsorted(others, values, side="right")) / (2 * len(others))


def _mean_variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.25
