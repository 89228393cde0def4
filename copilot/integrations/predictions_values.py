"""Numbers that a file gives for the classes of an image, as probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from copilot.errors import InputError

SUM_TOLERANCE = 0.02  # probabilities written with two or three digits


def as_probabilities(values: np.ndarray, shown: str, notes: list[str]) -> np.ndarray:
    """Rows that sum to 1.

    Parameters
    ----------
    values : ndarray, shape (n, classes)
        Probabilities, percentages, or logits: numbers of which some are negative.
    shown : str
        What the file is called in errors.
    notes : list of str
        Gets what was done to them.

    Returns
    -------
    ndarray of float64, shape (n, classes)

    Raises
    ------
    InputError
        Missing or infinite values, values outside 0 to 1, or rows that do not sum to 1.
    """
    values = np.asarray(values, dtype=np.float64)
    hint = "Save probabilities, or logits."
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise InputError(f"{shown} holds missing or infinite values, first for image {row + 1} of those matched.", hint)
    if not values.size:
        return values
    if values.min() < 0:
        notes.append("The numbers are logits, since some are negative; a softmax made them probabilities.")
        return softmax(values, axis=1)
    sums = values.sum(1)
    if values.max() > 1.5 and values.max() <= 100.5 and np.abs(sums - 100).max() <= 100 * SUM_TOLERANCE:
        notes.append("The numbers are percentages and were divided by 100.")
        return values / sums[:, None]
    if values.max() > 1 + 1e-6:
        raise InputError(f"{shown} holds values up to {values.max():g}; expected 0 to 1.", hint)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum())} of {len(values)} rows of {shown} do not sum to 1, such as {sums[wrong][0]:.3g}; "
            "expected the probabilities of classes that exclude each other.",
            hint,
        )
    return values / sums[:, None]


def from_classes(
    predicted: np.ndarray, confidence: np.ndarray | None, n_classes: int, shown: str, notes: list[str]
) -> np.ndarray:
    """Probabilities where only the predicted class is known and, if given, how sure the model was of it.

    Parameters
    ----------
    predicted : ndarray of int64, shape (n,)
    confidence : ndarray of float64, shape (n,), optional
        From 0 to 1; what is left is spread evenly over the other classes. Default: 1.
    n_classes : int
    shown : str
    notes : list of str

    Returns
    -------
    ndarray of float64, shape (n, n_classes)

    Raises
    ------
    InputError
        A confidence is missing or outside 0 to 1.
    """
    if confidence is None:
        notes.append(
            "Only classes are given, so that each counts as certain: calibration and memorisation cannot be judged."
        )
        sure = np.ones(len(predicted))
    else:
        if not ((confidence >= 0) & (confidence <= 1)).all():
            bad = confidence[~((confidence >= 0) & (confidence <= 1))][0]
            raise InputError(f"{shown} holds a confidence of {bad:g}; expected 0 to 1.", "Write shares, not percent.")
        notes.append("What a confidence leaves was spread evenly over the other classes.")
        sure = confidence
    if n_classes == 1:
        return np.ones((len(predicted), 1))
    probabilities = np.repeat(((1 - sure) / (n_classes - 1))[:, None], n_classes, axis=1)
    probabilities[np.arange(len(predicted)), predicted] = sure
    return probabilities
