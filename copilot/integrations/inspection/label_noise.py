"""Label noise of two image sets: held-out predictions made or taken, wrong labels estimated, judged and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from copilot.core.data.label_noise import LabelNoise, SplitNoise
from copilot.core.findings import Outcome, Picture
from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.noise_estimate import FOLDS, REFITS, Estimate, estimate_noise, out_of_fold
from copilot.integrations.predictions import Predictions

Progress = Callable[[float, str], None]
SHOWN = 24
MOST_IMAGES = 20_000  # of both sets, beyond which a sample is judged
MOST_CLASSES = 100
_MEMORISED = 0.995  # agreement with the labels beyond which predictions are hardly held out


def judge_label_noise(
    train: ImageSet,
    val: ImageSet,
    features: Mapping[str, tuple[np.ndarray, np.ndarray]],
    check: LabelNoise | None = None,
    *,
    predictions: Predictions | None = None,
    of: Literal["val", "train"] = "val",
    source: str = "classical features",
    progress: Progress | None = None,
    seed: int = 0,
) -> tuple[Outcome, tuple[Picture, ...]]:
    """Whether labels are wrong, with a contact sheet of the most suspicious.

    Parameters
    ----------
    train, val : ImageSet
        Of classification.
    features : mapping of {"train", "val"} to (ndarray of float, shape (len(set), d), ndarray of bool)
        Features of each image (`ClassicalFeatures` or embeddings), and whether it could be read.
    check : LabelNoise, optional
    predictions : Predictions, optional
        By a model that was not trained on these images: of the validation images. They stand in for the features there.
    of : {"val", "train"}, default "val"
        The set that `predictions` are of.
    source : str
        What the features are, for showing.
    progress : callable, optional
    seed : int, default 0

    Raises
    ------
    InputError
        The predictions are of training images, or do not fit the validation images.
    """
    if predictions is not None and of == "train":
        raise InputError(
            "A model's predictions on the images that it was trained on repeat their labels, right or wrong.",
            "Give predictions of the validation images, or none: the training labels are then cross-validated.",
        )
    check = check or LabelNoise()
    told = progress or (lambda share, line: None)
    if train.task != "classification" or val.task != "classification":
        return check.judge([], (), why_not="Label noise is judged for classification only."), ()
    names = tuple(dict.fromkeys((*train.class_names, *val.class_names)))
    by_features = _Gathered.of(names, {"train": train, "val": val}, features, seed)
    found, notes, why = _cross_validated(by_features, check, source, told, seed)
    if predictions is not None and predictions.probabilities is not None:
        given, note = _given(val, names, predictions, check, seed)
        found = [split for split in found if split.split != "val" or given is None] + ([given] if given else [])
        notes = [*notes, *filter(None, [note])]
    told(1.0, "judged the labels")
    outcome = check.judge(found, names, why_not=why, notes=notes)
    shown = found if outcome.state == "issue" else ()
    return outcome, suspicious_sheet({"train": train, "val": val}, shown, names, check.thresholds.suspicion)


@dataclass(frozen=True)
class _Gathered:
    """Features and labels of the images that can be judged, both sets together."""

    features: np.ndarray
    labels: np.ndarray
    from_val: np.ndarray
    places: np.ndarray
    total: int

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        sets: Mapping[str, ImageSet],
        features: Mapping[str, tuple[np.ndarray, np.ndarray]],
        seed: int,
    ) -> _Gathered:
        parts: list[tuple[Any, ...]] = []
        for split, images in sets.items():
            values, readable = features[split]
            places = np.flatnonzero(readable & (images.labels >= 0))
            numbers = np.array([names.index(name) for name in images.class_names], dtype=np.int64)
            parts.append((values[places], numbers[images.labels[places]], np.full(len(places), split == "val"), places))
        values, labels, from_val, places = (np.concatenate(part) for part in zip(*parts, strict=True))
        total = len(labels)
        keep = np.sort(np.random.default_rng(seed).permutation(total)[:MOST_IMAGES])
        return cls(values[keep], labels[keep], from_val[keep], places[keep], total)


def _cross_validated(
    data: _Gathered, check: LabelNoise, source: str, told: Progress, seed: int
) -> tuple[list[SplitNoise], list[str], str]:
    """What cross-validation on both sets together says of each; notes; why it says nothing."""
    classes, labels = np.unique(data.labels, return_inverse=True)
    counts = np.bincount(labels, minlength=len(classes))
    kept = np.flatnonzero(counts >= 2 * FOLDS)
    rows = np.flatnonzero(np.isin(labels, kept))
    if len(rows) < check.thresholds.min_images or len(kept) < 2:
        return [], [], f"Too few labelled images to judge labels: {len(rows)} in classes of {2 * FOLDS} or more."
    if len(kept) > MOST_CLASSES:
        return [], [], f"Labels of {len(kept)} classes are not judged; at most {MOST_CLASSES}."
    place = np.full(len(classes), -1)
    place[kept] = np.arange(len(kept))
    own, features = place[labels[rows]], data.features[rows]
    done = iter(range(1, 10_000))

    def again(drawn: np.ndarray) -> np.ndarray:
        def tick() -> None:
            told(next(done) / (FOLDS * (REFITS + 1) + 1), "cross-validating the labels")

        return out_of_fold(features, drawn, len(kept), seed=seed, tick=tick)

    estimate = estimate_noise(again(own), own, again=again, refits=REFITS, seed=seed)
    found = []
    for split in ("train", "val"):
        mine = data.from_val[rows] == (split == "val")
        if mine.sum() >= check.thresholds.min_images // 2:
            found.append(_split(split, estimate, own, mine, data.places[rows], classes[kept], source))
    lost = len(classes) - len(kept)
    notes = [f"Classes left out for fewer than {2 * FOLDS} images: {lost}."] if lost else []
    notes += [f"{len(data.labels):,} of {data.total:,} images were judged."] * (data.total > len(data.labels))
    return [_whole(split, classes[kept], int(data.labels.max()) + 1) for split in found], notes, ""


def _split(
    name: str,
    estimate: Estimate,
    labels: np.ndarray,
    mine: np.ndarray,
    places: np.ndarray,
    classes: np.ndarray,
    source: str,
) -> SplitNoise:
    posterior = estimate.fit.posterior[mine].copy()
    own = labels[mine]
    suspicion = 1 - posterior[np.arange(len(own)), own]
    posterior[np.arange(len(own)), own] = -1
    return SplitNoise(
        split=name,
        places=places[mine],
        labels=classes[own],
        suggested=classes[posterior.argmax(1)],
        suspicion=suspicion,
        bias=estimate.bias,
        spread=estimate.spread,
        fit=estimate.fit,
        source=source,
        confident_rate=estimate.confident_rate,
    )


def _whole(split: SplitNoise, classes: np.ndarray, size: int) -> SplitNoise:
    """With the classes that were left out back in the fit, so that numbers mean the sets' classes."""
    fit = split.fit
    size = max(size, int(classes.max()) + 1)
    transition = np.eye(size)
    transition[np.ix_(classes, classes)] = fit.transition
    true = np.zeros((len(fit.true), size))
    true[:, classes] = fit.true
    return replace(split, fit=replace(fit, transition=transition, true=true))


def _given(
    val: ImageSet, names: Sequence[str], predictions: Predictions, check: LabelNoise, seed: int
) -> tuple[SplitNoise | None, str]:
    """What held-out predictions say of the validation labels, or why they say nothing."""
    if len(predictions) and predictions.indices.max() >= len(val):
        raise InputError("The predictions are of other images than the validation set's.", "Ask the model again.")
    probabilities = predictions.probabilities
    labels = predictions.labels
    known = (labels >= 0) & (labels < probabilities.shape[1])
    classes, own = np.unique(labels[known], return_inverse=True)
    if known.sum() < check.thresholds.min_images or not 2 <= len(classes) <= MOST_CLASSES:
        return None, ""
    part = np.maximum(probabilities[known][:, classes], 1e-9)
    part /= part.sum(1, keepdims=True)
    if (part.argmax(1) == own).mean() > _MEMORISED:
        return None, "The model's predictions repeat nearly every validation label; they were not used to judge them."
    estimate = estimate_noise(part, own, seed=seed)
    numbers = np.array([names.index(predictions.class_names[c]) for c in classes])
    mine = np.ones(len(own), bool)
    split = _split("val", estimate, own, mine, predictions.indices[known], numbers, "model's held-out predictions")
    return _whole(split, numbers, len(names)), ""


def suspicious_sheet(
    sets: Mapping[str, ImageSet], found: Sequence[SplitNoise], names: Sequence[str], least: float
) -> tuple[Picture, ...]:
    """The most suspicious images with their label and the suggested one."""
    from copilot.probes.sheets import contact_sheet

    ranked = [(split, row) for split in found for row in np.flatnonzero(split.suspicion >= least)]
    ranked.sort(key=lambda item: -item[0].suspicion[item[1]])
    images, captions = [], []
    for split, row in ranked[:SHOWN]:
        images.append(sets[split.split].image(int(split.places[row])))
        captions.append(f"{names[split.labels[row]][:18]} rather {names[split.suggested[row]][:18]}?")
    if not images:
        return ()
    caption = "The images whose label is most probably wrong: the given label, and the likeliest other."
    return (contact_sheet(images, captions, title=LabelNoise.title, caption=caption, code=LabelNoise.code),)
