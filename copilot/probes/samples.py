"""What every probe of predictions asks of its samples first: sound probabilities, enough images, known classes."""

from __future__ import annotations

import re
from collections.abc import Container

import numpy as np

from copilot.core.findings import Evidence
from copilot.core.statistics import wilson_interval
from copilot.errors import InputError
from copilot.probes.base import Certainty, Examined, Sample
from copilot.utils.validators import clean_text

_UNKNOWN: dict[Certainty, str] = {
    "classes": "Only the predicted classes were given: nothing is known of how sure the model is of them.",
    "confidence": "Only the confidence in the predicted class was given: the losses of the labels are not known.",
}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_GUESS = 1.5  # times the share that a guess among the classes gets right
_FEWEST = 30  # images of a split below which no interval says anything


def cannot_judge(examined: Examined, fewest: int = _FEWEST) -> str:
    """Why there is too little to judge, in a sentence; empty where there is enough.

    Raises
    ------
    InputError
        The probabilities are no probabilities.
    """
    for split, sample in (("training", examined.train), ("validation", examined.val)):
        if len(sample) < fewest:
            return f"Only {len(sample)} {split} images: at least {fewest} are needed to tell anything from chance."
        _check(split, sample)
    if examined.train.probabilities.shape[1] != examined.val.probabilities.shape[1]:
        raise InputError(
            "The model gives different numbers of classes on training and on validation.",
            "Predict both splits with one model.",
        )
    return ""


def only_guesses(examined: Examined) -> str:
    """Whether the model is right on its training images no more often than a guess would be, in a sentence; else empty.

    A network that was trained on these images knows some of them: so classes are in another order, or images are
    prepared otherwise, and what else is measured speaks of that.
    """
    classes, n = len(np.unique(examined.train.labels)), len(examined.train)
    if classes < 2 or n < _FEWEST:
        return ""
    right = float(examined.train.correct.mean())
    if wilson_interval(right, n)[1] > _GUESS / classes:
        return ""
    return (
        f"The model is right on {right * 100:.1f} % of its training images, as a guess would be: its classes are in "
        "another order than the images', the images are prepared otherwise than in training, or it was trained on "
        "others."
    )


def unknown_certainty(examined: Examined, enough: Container[Certainty] = ("probabilities",)) -> str:
    """Why the probabilities say too little of how sure the model is, in a sentence; empty where they say enough."""
    for sample in (examined.train, examined.val):
        if sample.certainty not in enough:
            return _UNKNOWN[sample.certainty]
    return ""


def _check(split: str, sample: Sample) -> None:
    given = sample.probabilities
    if given.ndim != 2 or given.shape[0] != len(sample) or given.shape[1] == 0:
        raise InputError(
            f"The {split} probabilities have shape {given.shape} for {len(sample)} images.",
            "They must be an array of shape (images, classes).",
        )
    if not np.isfinite(given).all():
        rows = int((~np.isfinite(given)).any(axis=1).sum())
        raise InputError(
            f"The model gives values that are not numbers for {rows} of {len(sample)} {split} images.",
            "Look for NaN in its weights, or for images that it divides by zero on.",
        )
    if given.min() < -1e-6 or np.abs(given.sum(axis=1) - 1).max() > 1e-2:
        raise InputError(
            f"The {split} probabilities do not sum to 1 for each image.", "Give probabilities, not logits: use softmax."
        )
    if sample.labels.min() < 0:
        raise InputError(f"Some {split} labels are negative.", "Labels count from 0, in the order of the class names.")


def class_name(examined: Examined, index: int, limit: int = 40) -> str:
    """The name of a class on one line, cut; its number where it has no name."""
    names = examined.class_names
    return (clean_text(names[index], limit) if 0 <= index < len(names) else "") or str(index)


def class_word(examined: Examined, index: int, limit: int = 40) -> str:
    """The name of a class as it stands in a sentence: ``class 8`` where the name is a bare number."""
    name = class_name(examined, index, limit)
    return f"class {name}" if _NUMBER.fullmatch(name) else name


def unknown_classes(examined: Examined) -> tuple[np.ndarray, str]:
    """Classes among the labels that the model never gives any probability, shape (k,), and a sentence on them."""
    columns = examined.train.probabilities.shape[1]
    given = np.maximum(examined.train.probabilities.max(axis=0), examined.val.probabilities.max(axis=0))
    labels, counts = np.unique(np.concatenate([examined.train.labels, examined.val.labels]), return_counts=True)
    known = labels < columns
    known[known] = given[labels[known]] > 0
    if known.all():
        return labels[:0], ""
    count = int(counts[~known].sum())
    verb = "image has a label" if count == 1 else "images have labels"
    return labels[~known], f"{count} {verb} that the model does not know: it is wrong on them by design."


def number(
    probe: str,
    name: str,
    value: float,
    unit: str = "",
    interval: tuple[float, float] | None = None,
    quantity: str | None = None,
) -> Evidence:
    """A number that a probe measured, to six digits, with its 95 % interval where it has one."""
    low, high = interval or (None, None)
    return Evidence(
        name=name,
        value=_tidy(value),
        unit=unit,
        source=f"probe:{probe}",
        quantity=quantity,
        low=_tidy(low),
        high=_tidy(high),
    )


def _tidy(value: float | None) -> float | int | None:
    return value if value is None or isinstance(value, (int, np.integer)) else float(f"{value:.6g}")
