"""Contact sheets that show what moved between two image sets: a row or two of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.image_properties import PROPERTIES
from copilot.core.data.label_drift import LabelDrift, MovedLabels
from copilot.core.data.property_drift import Moved, MovedProperties, PropertyDrift
from copilot.core.findings import Picture
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.describe import pictured, short
from copilot.probes.sheets import contact_sheet

_ROW = 6
_AT = (0.05, 0.25, 0.4, 0.6, 0.75, 0.95)  # quantiles at which images are shown
Part = tuple[ImageSet, np.ndarray, np.ndarray]


def property_sheet(
    a: ImageSet,
    b: ImageSet,
    places_a: np.ndarray,
    places_b: np.ndarray,
    moved: MovedProperties,
    top: Moved,
    values_a: dict[str, np.ndarray],
    values_b: dict[str, np.ndarray],
) -> tuple[Picture, ...]:
    """Images of both sets at the same quantiles of a property that moved.

    Parameters
    ----------
    a, b : ImageSet
    places_a, places_b : ndarray of int64, shape (n,)
        Images that were compared.
    moved : MovedProperties
    top : Moved
        The property, and its class if it moved in one alone.
    values_a, values_b : dict of str to ndarray of float, shape (n,)
        Properties of these images.
    """
    about = PROPERTIES[top.name]
    images, captions = [], []
    sides = ((a, places_a, values_a, moved.groups.a), (b, places_b, values_b, moved.groups.b))
    for name, (own, places, values, groups) in zip(moved.names, sides, strict=True):
        kept = np.flatnonzero(_of_class(groups, moved, top.label))
        ordered = kept[np.argsort(values[top.name][kept], kind="stable")]
        picked = ordered[[round(at * (len(ordered) - 1)) for at in _AT]]
        words = [f"{name}: {values[top.name][i]:,.{about.digits}f}" for i in picked]
        shown, told = pictured(own, places[picked], words)
        images, captions = images + shown, captions + told
    caption = (
        f"Images from low to high {about.label}, at the same quantiles of {moved.names[0]} (above) and "
        f"{moved.names[1]} (below)."
    )
    return _sheet(images, captions, f"{PropertyDrift.title}: {about.label}", caption, PropertyDrift.code)


def class_sheet(a: Part, b: Part, moved: MovedLabels) -> tuple[Picture, ...]:
    """Images of the class whose share moved most, of both sets: images, labels of all of them, and readable places."""
    top = int(moved.most[0])
    images, captions = [], []
    for name, (own, labels, places) in zip(moved.names, (a, b), strict=True):
        picked = places[labels[places] == top]
        picked = picked[np.linspace(0, len(picked) - 1, min(_ROW, len(picked))).astype(int)] if len(picked) else picked
        shown, told = pictured(own, picked, [f"{name}: {short(own.names[i])}" for i in picked])
        images, captions = images + shown, captions + told
    title = f"{LabelDrift.title}: {moved.classes[top]}"
    caption = f"Images of {moved.classes[top]}, the class whose share moved most beyond chance."
    return _sheet(images, captions, title, caption, LabelDrift.code)


def embedding_sheet(
    a: ImageSet,
    b: ImageSet,
    places_a: np.ndarray,
    places_b: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
) -> tuple[Picture, ...]:
    """The images of either set that the classifier is surest about.

    Parameters
    ----------
    a, b : ImageSet
    places_a, places_b : ndarray of int64, shape (n_a,) and (n_b,)
    scores : ndarray of float, shape (n_a + n_b,)
        Higher for images that look like those of b; NaN for those that were left out.
    names : sequence of str
    """
    images, captions = [], []
    sides = ((a, places_a, scores[: len(places_a)]), (b, places_b, -scores[len(places_a) :]))
    for name, (own, places, order) in zip(names, sides, strict=True):
        picked = np.argsort(order, kind="stable")[: min(2 * _ROW, int(np.isfinite(order).sum()))]
        words = [f"{name}: {short(own.names[i])}" for i in places[picked]]
        shown, told = pictured(own, places[picked], words)
        images, captions = images + shown, captions + told
    caption = f"The images that a classifier is surest to be of {names[0]} (above) and of {names[1]} (below)."
    return _sheet(images, captions, EmbeddingDrift.title, caption, EmbeddingDrift.code)


def _of_class(groups: np.ndarray, moved: MovedProperties, label: int) -> np.ndarray:
    if label < 0:
        return groups >= 0
    return groups == int(np.flatnonzero(moved.groups.classes == label)[0])


def _sheet(images: list[np.ndarray], captions: list[str], title: str, caption: str, code: str) -> tuple[Picture, ...]:
    if not images:
        return ()
    return (contact_sheet(images, captions, title=title, caption=caption, code=code, columns=_ROW),)
