"""The arithmetic of the checks, named once. Every function works along the last axis, on one curve or many."""

from __future__ import annotations

import numpy as np


def smoothing_window(n: int) -> int:
    """Odd width of the moving mean for a curve of `n` points: about a tenth of it, 1 below ten points."""
    return 2 * (n // 20) + 1 if n >= 20 else (3 if n >= 10 else 1)


def tail_length(n: int) -> int:
    """Points that stand for "the end" of a curve of `n` points: about a tenth, at least one, three from six on."""
    return max(3, n // 10) if n >= 6 else 1


def moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Centred moving mean; windows are cut at the ends of the curve.

    Parameters
    ----------
    values : ndarray of shape (..., n)
    width : int
        Odd number of points.
    """
    if width <= 1:
        return values
    half, n = width // 2, values.shape[-1]
    sums = np.cumsum(np.concatenate([np.zeros((*values.shape[:-1], 1)), values], axis=-1), axis=-1)
    high = np.minimum(np.arange(n) + half + 1, n)
    low = np.maximum(np.arange(n) - half, 0)
    return (sums[..., high] - sums[..., low]) / (high - low)


def noise_scale(values: np.ndarray) -> np.ndarray:
    """Standard deviation of the point-to-point noise, from the median absolute second difference.

    Second differences cancel a linear trend; for white noise their standard deviation is sqrt(6) times the noise's
    (J. W. Gasser et al., Biometrika 73, 1986). Zero for curves of fewer than three points.
    """
    if values.shape[-1] < 3:
        return np.zeros(values.shape[:-1])
    second = np.abs(np.diff(values, n=2, axis=-1))
    return 1.4826 * np.median(second, axis=-1) / np.sqrt(6.0)


def tail_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of the last `length` points."""
    return values[..., -length:].mean(axis=-1)


def take(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The point at `index` of each curve."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]


def last_index_where(mask: np.ndarray) -> np.ndarray:
    """Index of the last True along the last axis; -1 where there is none."""
    n = mask.shape[-1]
    found = n - 1 - np.argmax(mask[..., ::-1], axis=-1)
    return np.where(mask.any(axis=-1), found, -1)


def logistic(x: np.ndarray | float) -> np.ndarray | float:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60, 60)))


def hinge_index(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where the best-fitting broken line bends: the change point of a curve that turns.

    Fits ``a + b x + d max(0, x - knot)`` by least squares for every knot at once and takes the knot with the smallest
    residual among those that bend upwards (``d > 0``): profile least squares of D. V. Hinkley (JASA 66, 1971).

    Parameters
    ----------
    values : ndarray of shape (rows, n)
    weights : ndarray of shape (rows, n)
        Zero for points that are not to count.

    Returns
    -------
    ndarray of shape (rows,)
        Index of the knot; 0 where no knot improves the fit.
    """
    n = values.shape[-1]
    x = np.broadcast_to(np.arange(n, dtype=float), values.shape)
    total = np.maximum(weights.sum(axis=-1, keepdims=True), 1.0)
    x = x - (weights * x).sum(axis=-1, keepdims=True) / total
    y = values - (weights * values).sum(axis=-1, keepdims=True) / total
    sxx = np.maximum((weights * x * x).sum(axis=-1, keepdims=True), 1e-12)
    residual = y - x * (weights * x * y).sum(axis=-1, keepdims=True) / sxx

    def after(terms: np.ndarray) -> np.ndarray:  # sums over the points from each knot on
        return np.cumsum((weights * terms)[..., ::-1], axis=-1)[..., ::-1]

    w0, w1, w2 = after(np.ones_like(x)), after(x), after(x * x)
    hinge_y = after(x * residual) - x * after(residual)
    hinge_1 = w1 - x * w0
    hinge_x = w2 - x * w1
    hinge_hinge = w2 - 2 * x * w1 + x * x * w0
    norm = hinge_hinge - hinge_1**2 / total - hinge_x**2 / sxx
    usable = (norm > 1e-9 * sxx) & (hinge_y > 0) & (weights > 0)
    gain = np.where(usable, hinge_y**2 / np.where(usable, norm, 1.0), -1.0)
    return np.where(gain.max(axis=-1) > 0, gain.argmax(axis=-1), 0)
