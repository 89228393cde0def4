"""The arithmetic of comparisons, named once: intervals, tests, the expected best of many, power laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when first used: scipy.stats takes a second

LEVEL = 0.95
_EXPONENTS = np.geomspace(0.02, 2.0, 240)  # of power laws; published learning curves lie within 0.07 and 1


@dataclass(frozen=True)
class Mean:
    """A mean with its two-sided interval of 95 % and the p-value of its being zero."""

    value: float
    low: float
    high: float
    p: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def corrected_mean(values: np.ndarray, test_to_train: float) -> Mean:
    """Mean over folds, by the corrected resampled t-test.

    Folds share training data, so their variance over k is too small: it is taken times 1/k + n_test/n_train
    (C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003).

    Parameters
    ----------
    values : ndarray of shape (k,)
        One a fold, k at least 2.
    test_to_train : float
        Images tested on over images trained on, 1/(k-1) for k-fold cross-validation.
    """
    k, mean = len(values), float(np.mean(values))
    error = float(np.std(values, ddof=1) * np.sqrt(1 / k + test_to_train))
    if error == 0:
        return Mean(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(scipy.stats.t.ppf((1 + LEVEL) / 2, k - 1)) * error
    return Mean(mean, mean - half, mean + half, float(2 * scipy.stats.t.sf(abs(mean) / error, k - 1)))


def modified_z(values: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations.

    0.6745 (x - median) / MAD; where half of the values are equal, the mean absolute deviation stands in
    (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993).
    """
    away = values - np.median(values)
    spread = np.median(np.abs(away)) / 0.6745
    spread = spread if spread > 0 else np.mean(np.abs(away)) * 1.2533
    return away / spread if spread > 0 else np.zeros(len(values))


def outlier_p(values: np.ndarray) -> np.ndarray:
    """For each value the p-value of its being an outlier among normal ones, corrected for looking at all of them.

    The two-sided test of F. E. Grubbs (Annals of Mathematical Statistics 21, 1950), as a t-test of each value
    against the others.
    """
    k, total, squares = len(values), values.sum(), (values**2).sum()
    mean = (total - values) / (k - 1)
    centred = values - values.mean()
    rest = np.maximum((centred**2).sum() - centred**2 * k / (k - 1), 0.0)
    error = np.sqrt(rest / (k - 2) * (1 + 1 / (k - 1)))
    tiny = 1e-12 * np.sqrt(squares / k + 1e-300)
    return np.minimum(2 * k * scipy.stats.t.sf(np.abs(values - mean) / np.maximum(error, tiny), k - 2), 1.0)


def binomial_error(score: np.ndarray | float, n: np.ndarray | float) -> np.ndarray | float:
    """Standard error of a share `score` measured on `n` images, with one success and one failure added.

    The addition (A. Agresti and B. Caffo, American Statistician 54, 2000) keeps a perfect score from being certain.
    """
    share = (np.clip(score, 0.0, 1.0) * n + 1) / (n + 2)
    return np.sqrt(share * (1 - share) / n)


def expected_maximum(n: int) -> float:
    """Expected largest of `n` independent standard normal numbers, by numerical integration."""

    def tail(x: float) -> float:
        return 1 - scipy.special.ndtr(x) ** n - scipy.special.ndtr(-x) ** n

    return float(scipy.integrate.quad(tail, 0, 12, limit=200)[0])


@dataclass(frozen=True)
class PowerLaw:
    """``a + b n^-c`` fitted to errors at sizes, with what it says of another size; intervals of 95 %.

    ``p`` is that of a flat line doing as well; ``explained`` the share of the variance that the curve explains.
    """

    a: float
    b: float
    c: float
    c_low: float
    c_high: float
    explained: float
    p: float
    now: float
    there: float
    there_low: float
    there_high: float
    gain: float
    gain_low: float
    gain_high: float


def fit_power_law(sizes: np.ndarray, errors: np.ndarray, target: float) -> PowerLaw:
    """Fit ``a + b n^-c`` with a and b at least 0, and say the error at `target` images.

    For each exponent on a grid the rest is linear least squares; intervals are those of the profile likelihood, which
    stay honest where the curve hardly bends (D. Bates and D. Watts, Nonlinear Regression Analysis, 1988, chapter 6).

    Parameters
    ----------
    sizes, errors : ndarray of shape (n,)
        Four points or more.
    target : float
        Images to predict for, above the largest size.
    """
    n, largest = len(sizes), float(sizes.max())
    x = (sizes / largest) ** -_EXPONENTS[:, None]  # scaled, so that no exponent overflows
    a, b, residual = _lines(x, errors)
    best, freedom = int(residual.argmin()), n - 3
    noise = max(float(residual[best]), 1e-14)
    limit = noise * (1 + float(scipy.stats.f.ppf(LEVEL, 1, freedom)) / freedom)
    flat = float(((errors - errors.mean()) ** 2).sum())
    ratio = max(flat - noise, 0.0) / 2 / (noise / freedom)
    at = (target / largest) ** -_EXPONENTS
    there_low, there_high = _profile(x, a + b * at, np.ones_like(at), at, residual, limit)
    gain_low, gain_high = _profile(x, b * (1 - at), np.zeros_like(at), 1 - at, residual, limit)
    likely = _EXPONENTS[residual <= limit]
    return PowerLaw(
        a=float(a[best]),
        b=float(b[best] * largest ** _EXPONENTS[best]),
        c=float(_EXPONENTS[best]),
        c_low=float(likely.min()),
        c_high=float(likely.max()),
        explained=1 - noise / flat if flat > noise else 0.0,
        p=float(scipy.stats.f.sf(ratio, 2, freedom)),
        now=float(a[best] + b[best]),
        there=float(a[best] + b[best] * at[best]),
        there_low=max(there_low, 0.0),
        there_high=there_high,
        gain=float(b[best] * (1 - at[best])),
        gain_low=max(gain_low, 0.0),
        gain_high=gain_high,
    )


def _lines(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares of ``y = a + b x`` with a and b at least 0, for each row of `x`: a, b, residual sum of squares."""
    xm, ym = x.mean(axis=1), y.mean()
    sxx = np.maximum(((x - xm[:, None]) ** 2).sum(axis=1), 1e-300)
    b = np.maximum(((x - xm[:, None]) * (y - ym)).sum(axis=1) / sxx, 0.0)
    a = ym - b * xm
    through = (x * y).sum(axis=1) / (x * x).sum(axis=1)  # the best with a = 0
    b, a = np.where(a < 0, np.maximum(through, 0.0), b), np.maximum(a, 0.0)
    return a, b, ((y - a[:, None] - b[:, None] * x) ** 2).sum(axis=1)


def _profile(
    x: np.ndarray, value: np.ndarray, on_a: np.ndarray, on_b: np.ndarray, residual: np.ndarray, limit: float
) -> tuple[float, float]:
    """Range of ``on_a a + on_b b`` over all parameters whose residual stays within `limit`."""
    inside = residual <= limit
    x, value, on_a, on_b, residual = x[inside], value[inside], on_a[inside], on_b[inside], residual[inside]
    xm = x.mean(axis=1)
    sxx = np.maximum(((x - xm[:, None]) ** 2).sum(axis=1), 1e-300)
    variance = on_a**2 / x.shape[1] + (on_b - on_a * xm) ** 2 / sxx
    reach = np.sqrt(variance * (limit - residual))
    return float((value - reach).min()), float((value + reach).max())
