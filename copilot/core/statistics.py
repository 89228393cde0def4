"""The arithmetic of the checks, named once. Every function works along the last axis, on one curve or many."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit

MAD_TO_DEVIATION = 1.4826  # standard deviation over median absolute deviation, of a normal distribution


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
    (T. Gasser et al., Biometrika 73, 1986). Zero for curves of fewer than three points.
    """
    if values.shape[-1] < 3:
        return np.zeros(values.shape[:-1])
    second = np.abs(np.diff(values, n=2, axis=-1))
    return MAD_TO_DEVIATION * np.median(second, axis=-1) / np.sqrt(6.0)


def late_noise_scale(values: np.ndarray) -> np.ndarray:
    """As `noise_scale`, from the points about the lowest one and after it, where that is less.

    In a short run the steep descent at the start bends the curve more than its noise does. At least four points are
    used, and at most the noise is taken to be a seventh of that of the whole curve.
    """
    n, whole = values.shape[-1], noise_scale(values)
    if n < 6:
        return whole
    first = np.maximum(np.minimum(values.argmin(axis=-1), n - 4) - 1, 0)
    second = np.abs(np.diff(values, n=2, axis=-1))
    late = np.sort(np.where(np.arange(n - 2) >= first[..., None], second, np.inf), axis=-1)
    middle = take(late, (n - 3 - first) // 2)  # those left out sort behind
    return np.clip(MAD_TO_DEVIATION * middle / np.sqrt(6.0), 0.15 * whole, whole)


def without_spikes(values: np.ndarray, reach: float = 6.0) -> np.ndarray:
    """Single points that rise above their neighbours by more than `reach` times the noise, replaced.

    Costs spike upwards; a single low point may be the minimum of a run that overfits from then on.

    An inner point becomes the median of itself and its neighbours; the last one the highest of the four before it. The
    first point stays (J. W. Tukey, Exploratory Data Analysis, 1977, chapter 7: running medians of three).
    """
    if values.shape[-1] < 5:
        return values
    limit = reach * noise_scale(values)[..., None]
    before, inner, after = values[..., :-2], values[..., 1:-1], values[..., 2:]
    middle = np.maximum(np.minimum(before, inner), np.minimum(np.maximum(before, inner), after))
    cleaned = values.copy()
    cleaned[..., 1:-1] = np.where(inner - middle > limit, middle, inner)
    highest = values[..., -5:-1].max(axis=-1)
    cleaned[..., -1] = np.where(values[..., -1] - highest > limit[..., 0], highest, values[..., -1])
    return cleaned


def tail_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of the last `length` points."""
    return values[..., -length:].mean(axis=-1)


def mean_half_width(values: np.ndarray) -> np.ndarray:
    """Half the width of Student's 95 % interval of the mean along the last axis; 0 for fewer than two points."""
    n = values.shape[-1]
    if n < 2:
        return np.zeros(values.shape[:-1])
    return student_quantile(n - 1) * values.std(axis=-1, ddof=1) / np.sqrt(n)


@lru_cache(maxsize=256)
def student_quantile(degrees: int, probability: float = 0.975) -> float:
    """Quantile of Student's distribution."""
    return float(stdtrit(degrees, probability))


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a proportion observed on `n` items (E. B. Wilson, JASA 22, 1927)."""
    share = min(max(share, 0.0), 1.0)
    middle, scale = share + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / scale, (middle + half) / scale


def difference_interval(a: float, n_a: int, b: float, n_b: int) -> tuple[float, float]:
    """95 % interval of ``a - b``, two proportions on independent sets of `n_a` and `n_b` items.

    Newcombe's hybrid of two Wilson intervals (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10).
    """
    (low_a, high_a), (low_b, high_b) = wilson_interval(a, n_a), wilson_interval(b, n_b)
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def take(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The point at `index` of each curve."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]


def last_index_where(mask: np.ndarray) -> np.ndarray:
    """Index of the last True along the last axis; -1 where there is none."""
    n = mask.shape[-1]
    found = n - 1 - np.argmax(mask[..., ::-1], axis=-1)
    return np.where(mask.any(axis=-1), found, -1)
