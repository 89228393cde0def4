"""How far two samples of images lie apart, property by property, beside `core.data.two_samples`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2_contingency, false_discovery_control

from copilot.imaging.properties import Properties

MAX_BINS, IN_A_BIN = 10, 20
PROPERTIES = {
    "Brightness": "grey levels",
    "Contrast": "grey levels",
    "Sharpness": "",
    "Red share": "",
    "Green share": "",
    "Blue share": "",
    "Area": "pixels",
    "Aspect ratio": "",
}


def properties_of(image: np.ndarray) -> dict[str, float]:
    """What `PROPERTIES` names, of one image.

    Those of `copilot.imaging.properties`; area is in pixels, and the aspect ratio height over width.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 1) or (h, w, 3)
    """
    found = Properties()(image)
    light = (found[name] for name in ("brightness", "contrast", "sharpness", "red", "green", "blue"))
    values = (*light, image.shape[0] * image.shape[1], image.shape[0] / image.shape[1])
    return dict(zip(PROPERTIES, map(float, values), strict=True))


def population_stability(train: np.ndarray, test: np.ndarray) -> float:
    """Population stability index over bins that hold equal shares of train, fewer where there are few values.

    Half a value is added to each bin, so that an empty one does not make it infinite (N. Siddiqi, Credit Risk
    Scorecards, 2006, for the index).
    """
    bins = int(np.clip(min(len(train), len(test)) // IN_A_BIN, 2, MAX_BINS))
    edges = np.unique(np.quantile(train, np.linspace(0, 1, bins + 1)[1:-1]))
    a, b = (np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) + 0.5 for x in (train, test))
    a, b = a / a.sum(), b / b.sum()
    return float(np.sum((a - b) * np.log(a / b)))


def cramers_v(train: Mapping[int, int], test: Mapping[int, int]) -> tuple[float, float]:
    """Bias-corrected Cramer's V of class counts against the split, 0 to 1, and the p-value of their chi-squared test.

    Source: W. Bergsma, Journal of the Korean Statistical Society 42, 2013.
    """
    classes = sorted({k for counts in (train, test) for k, count in counts.items() if count})
    table = np.array([[counts.get(k, 0) for k in classes] for counts in (train, test)], dtype=float)
    if len(classes) < 2 or (table.sum(axis=1) == 0).any():
        return 0.0, 1.0
    found = chi2_contingency(table, correction=False)
    n, k = table.sum(), len(classes)
    phi = max(0.0, found.statistic / n - (k - 1) / (n - 1))
    columns, rows = k - (k - 1) ** 2 / (n - 1), 2 - 1 / (n - 1)
    return min(1.0, math.sqrt(phi / max(1e-9, min(columns - 1, rows - 1)))), float(found.pvalue)


def corrected(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for their number, however they depend on each other (Benjamini and Yekutieli 2001)."""
    return false_discovery_control(p_values, method="by") if len(p_values) else p_values
