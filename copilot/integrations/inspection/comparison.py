"""Two image sets compared, two splits or two revisions: measured, judged and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.label_drift import LabelDrift
from copilot.core.data.property_drift import PropertyDrift
from copilot.core.data.set_comparison import SetComparison, brief, image_changes, same_classes, told
from copilot.core.findings import Outcome, Picture
from copilot.errors import InputError
from copilot.imaging.properties import Properties
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.comparison_sheets import class_sheet, embedding_sheet, property_sheet
from copilot.integrations.inspection.describe import describe_measured
from copilot.integrations.inspection.embeddings import Embedding, embedding_of, features_of, sample_by_content
from copilot.integrations.inspection.measuring import Measured, measured
from copilot.utils.config import ExecutorSettings

Progress = Callable[[float, str], None]
SHARED = 0.2  # of the smaller set's contents, from which two sets are taken for revisions of one
_SHARES = (0.4, 0.8)  # of the time, after which the sets are measured


@dataclass(frozen=True)
class DriftChecks:
    """The checks of a comparison, with thresholds of their own."""

    properties: PropertyDrift
    labels: LabelDrift
    embeddings: EmbeddingDrift

    @classmethod
    def default(cls) -> DriftChecks:
        return cls(PropertyDrift(), LabelDrift(), EmbeddingDrift())


@dataclass(frozen=True)
class _Side:
    """Images of a set that are compared. ``labels`` are those of all its images, as indices into common classes."""

    images: ImageSet
    found: Measured
    labels: np.ndarray
    places: np.ndarray
    name: str

    def __len__(self) -> int:
        return len(self.places)

    def properties(self) -> dict[str, np.ndarray]:
        return {name: values[self.places] for name, values in self.found.values.items()}


def compare_sets(
    a: ImageSet,
    b: ImageSet,
    *,
    names: tuple[str, str] = ("training", "validation"),
    revisions: bool | None = None,
    model: Any = None,
    checks: DriftChecks | None = None,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
    pictures: bool = True,
    seed: int = 0,
) -> SetComparison:
    """What moved from one set to another: properties, shares of the classes, and features of the images.

    Two revisions share images, in which nothing can move: what is new in `b` is compared with all of `a`, or, where
    next to nothing is new, what is gone with what stayed. Exact copies count once, but for the shares of the classes.
    Only images whose content was never measured are measured.

    Parameters
    ----------
    a, b : ImageSet
        The reference, and what is compared with it. Classes go by name.
    names : (str, str)
        What they are called in sentences.
    revisions : bool, optional
        Whether the two are revisions of one set, so that names and contents go together. Default: if they share a fifth
        of the smaller one's contents.
    model : Embedding, LoadedModel or callable, optional
        As in `embedding_of`.
    checks : DriftChecks, optional
    executor, progress, refresh
        As in `measured`.
    pictures : bool, default True
    seed : int, default 0
        Of the random tables and permutations.

    Raises
    ------
    InputError
        No image of a set can be read, or the model cannot be used.
    """
    options = _Options(
        checks or DriftChecks.default(),
        embedding_of(model),
        {"executor": executor, "refresh": refresh},
        progress or (lambda share, line: None),
        pictures,
        seed,
    )
    found = _measured(a, b, options)
    classes, *labels = same_classes(a.class_names, a.labels, b.class_names, b.labels)
    whole = tuple(map(_side, (a, b), found, labels, names))
    together = _are_revisions(*found) if revisions is None else revisions
    sides = _new_or_gone(*whole, options.checks.properties.thresholds.min_images) if together else whole
    outcomes, shown = _judged(sides, whole, classes, options)
    briefs = [brief(describe_measured(side.images, side.found)) for side in whole]
    known = set(found[0].keys) - {""}
    shared = sum(key in known for key in found[1].keys)
    changes = image_changes(a.names, found[0].keys, b.names, found[1].keys) if together else None
    options.report(1.0, "compared")
    return SetComparison(
        a=briefs[0],
        b=briefs[1],
        compared=(sides[0].name, sides[1].name),
        n_compared=(len(sides[0]), len(sides[1])),
        n_shared=shared,
        changes=changes,
        outcomes=tuple(outcomes),
        pictures=tuple(shown),
        n_measured=len(a) + len(b) - sum(one.from_cache for one in found),
        summary=told(*briefs, changes, shared, outcomes),
    )


@dataclass(frozen=True)
class _Options:
    checks: DriftChecks
    embedding: Embedding
    work: dict[str, Any]
    report: Progress
    pictures: bool
    seed: int

    def progress(self, start: float, end: float) -> Progress:
        """Progress of the part of the work between two shares of the time."""
        return lambda share, line: self.report(start + (end - start) * share, line)


def _measured(a: ImageSet, b: ImageSet, options: _Options) -> tuple[Measured, Measured]:
    first, last = _SHARES
    return (
        measured(a, [Properties()], progress=options.progress(0, first), **options.work),
        measured(b, [Properties()], progress=options.progress(first, last), **options.work),
    )


def _side(images: ImageSet, found: Measured, labels: np.ndarray, name: str) -> _Side:
    """The images that can be read; of exact copies the first, since copies would make chance look sure."""
    first = np.zeros(len(images), bool)
    first[np.unique(np.array(found.keys), return_index=True)[1]] = True
    return _Side(images, found, labels, np.flatnonzero(found.readable & first), name)


def _are_revisions(a: Measured, b: Measured) -> bool:
    contents = set(a.keys) - {""}, set(b.keys) - {""}
    fewest = min(map(len, contents))
    return fewest > 0 and len(contents[0] & contents[1]) >= SHARED * fewest


def _new_or_gone(a: _Side, b: _Side, least: int) -> tuple[_Side, _Side]:
    """All of a, and what is new in b; where that is too little, what stayed and what is gone, if that is enough."""
    new, gone = _only(b, a), _only(a, b)
    if len(new) < least <= len(gone):
        stayed = np.setdiff1d(a.places, gone)
        return replace(a, places=stayed, name=f"what stayed of {a.name}"), replace(
            a, places=gone, name=f"what is gone from {a.name}"
        )
    return a, b if len(new) == len(b) else replace(b, places=new, name=f"what is new in {b.name}")


def _only(side: _Side, other: _Side) -> np.ndarray:
    known = set(other.found.keys)
    return np.array([i for i in side.places if side.found.keys[i] not in known], dtype=np.int64)


def _judged(
    sides: tuple[_Side, _Side], whole: tuple[_Side, _Side], classes: Sequence[str], options: _Options
) -> tuple[list[Outcome], list[Picture]]:
    """Outcomes of the three checks with their pictures. Shares of classes are compared over whole sets."""
    moved, properties = _properties(*sides, classes, options)
    shares, labels = _labels(*whole, classes, options)
    apart, embeddings = _embeddings(*sides, options)
    return [moved, shares, apart], [*properties, *labels, *embeddings]


def _properties(a: _Side, b: _Side, classes: Sequence[str], options: _Options) -> tuple[Outcome, tuple[Picture, ...]]:
    check, values = options.checks.properties, (a.properties(), b.properties())
    found = check.find(*values, a.labels[a.places], b.labels[b.places], classes, (a.name, b.name))
    outcome = check.judge(found)
    if outcome.state != "issue" or not options.pictures:
        return outcome, ()
    return outcome, property_sheet(a.images, b.images, a.places, b.places, found, check.counting(found)[0], *values)


def _labels(a: _Side, b: _Side, classes: Sequence[str], options: _Options) -> tuple[Outcome, tuple[Picture, ...]]:
    check = options.checks.labels
    found = check.find(a.labels, b.labels, classes, (a.name, b.name), seed=options.seed)
    outcome = check.judge(found)
    if outcome.state != "issue" or not options.pictures:
        return outcome, ()
    return outcome, class_sheet((a.images, a.labels, a.places), (b.images, b.labels, b.places), found)


def _embeddings(a: _Side, b: _Side, options: _Options) -> tuple[Outcome, tuple[Picture, ...]]:
    check, embedding, names = options.checks.embeddings, options.embedding, (a.name, b.name)
    limits, half = check.thresholds, (1 + _SHARES[1]) / 2
    if min(len(a), len(b)) < limits.min_images:
        few = f"There are {len(a):,} and {len(b):,} images to compare; {limits.min_images} are needed of each."
        return check.outcome("not_applicable", few), ()
    places = [sample_by_content(side.found.keys, side.places, limits.images) for side in (a, b)]
    told = options.progress(_SHARES[1], half), options.progress(half, 1.0)
    try:
        features = [
            features_of(side.images, own, embedding, progress=line, **options.work)
            for side, own, line in zip((a, b), places, told, strict=True)
        ]
    except InputError as error:  # a model for other images, or images of different sizes: the rest still holds
        return check.outcome("not_applicable", f"There are no features of the images: {error.message}"), ()
    if features[0].shape[1] != features[1].shape[1]:
        return check.outcome("not_applicable", "The features of the two sets differ in number."), ()
    labels = (side.labels[own] for side, own in zip((a, b), places, strict=True))
    words = {"features": embedding.words, "groups": embedding.groups, "seed": options.seed}
    found = check.find(*features, *labels, names, **words)
    outcome = check.judge(found)
    if outcome.state != "issue" or not options.pictures or found.classified is None:
        return outcome, ()
    return outcome, embedding_sheet(a.images, b.images, *places, found.classified.scores, names)
