"""Held-out predictions by cross-validation, and what they say of labels: cleanlab's counts start the noise model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from copilot.core.data.noise_model import NoiseFit, fit_noise
from copilot.errors import InputError, MissingExtraError

try:
    from cleanlab.count import compute_confident_joint
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as error:
    raise MissingExtraError("Judging label noise", "data") from error

FOLDS = 5
REFITS = 3
_LANDMARKS, _WIDTH, _STRENGTH = 600, 0.3, 3.0  # of the kernel; its width is per feature


@dataclass(frozen=True)
class Estimate:
    """What was estimated on one array of labels; `bias` and `spread` are of the rate, from refits."""

    fit: NoiseFit
    bias: float
    spread: float
    confident_rate: float


def out_of_fold(
    features: np.ndarray, labels: np.ndarray, classes: int, *, seed: int = 0, tick: Callable[[], None] | None = None
) -> np.ndarray:
    """Class probabilities of each image by a classifier that was fitted without it.

    A logistic regression on a Gaussian kernel (Nyström's approximation), in five folds. Every class needs five images.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
    labels : ndarray of int64, shape (n,)
        From 0 to ``classes - 1``.
    classes : int
    seed : int, default 0
    tick : callable, optional
        Called after each fold.

    Returns
    -------
    ndarray of float64, shape (n, classes)
    """
    found = np.zeros((len(labels), classes))
    for known, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels):
        kernel = Nystroem(gamma=_WIDTH / features.shape[1], n_components=min(_LANDMARKS, len(known)), random_state=seed)
        model = make_pipeline(StandardScaler(), kernel, LogisticRegression(C=_STRENGTH, max_iter=100, tol=1e-3))
        with warnings.catch_warnings(action="ignore"):  # a fit that ends before it converges is good enough
            model.fit(features[known], labels[known])
            found[held] = model.predict_proba(features[held])
        if tick:
            tick()
    return found


def estimate_noise(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    again: Callable[[np.ndarray], np.ndarray] | None = None,
    refits: int = REFITS,
    seed: int = 0,
) -> Estimate:
    """How many of the labels are wrong, and which.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, classes)
        Held-out.
    labels : ndarray of int64, shape (n,)
    again : callable, optional
        Gives held-out probabilities for other labels of the same images; without it the given ones are used, and the
        rate is not corrected.
    refits : int, default 3
        To labels drawn from the model.
    seed : int, default 0

    Raises
    ------
    InputError
        The arrays do not fit each other.
    """
    if probabilities.ndim != 2 or len(probabilities) != len(labels):
        raise InputError(
            f"There are {len(probabilities)} rows of probabilities for {len(labels)} labels.", "Give one for each."
        )
    rng = np.random.default_rng(seed)
    joint = _joint(probabilities, labels)
    fit = fit_noise(probabilities, labels, joint / joint.sum(1, keepdims=True))
    rates = []
    for _ in range(refits):
        drawn = _complete(fit.redrawn(rng), labels, FOLDS)
        other = again(drawn) if again else probabilities
        start = _joint(other, drawn)
        rates.append(fit_noise(other, drawn, start / start.sum(1, keepdims=True), [fit.unmixed]).rate)
    expected = 1 - float((fit.true @ np.diag(fit.transition)[:, None]).mean())
    bias = float(np.mean(rates)) - expected if again and rates else 0.0
    spread = float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0
    return Estimate(fit, bias, spread, float(1 - np.trace(joint) / joint.sum()))


def _joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Confident learning's counts: rows are true classes, columns labels; none is empty."""
    with warnings.catch_warnings(action="ignore"):
        counts = compute_confident_joint(labels, probabilities)
    return np.asarray(counts, dtype=np.float64).T + 1e-3 + np.eye(len(counts))


def _complete(drawn: np.ndarray, labels: np.ndarray, least: int) -> np.ndarray:
    """The drawn labels, with some of the own ones back where a class would have fewer than each fold needs."""
    drawn = drawn.copy()
    for label in range(int(labels.max()) + 1):
        if (drawn == label).sum() < least:
            drawn[np.flatnonzero(labels == label)[:least]] = label
    return drawn
