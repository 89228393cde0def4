"""A set of images described: measured in parallel, summed up, and shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from copilot.core.data.description import Description, Facts, describe_images, extremes
from copilot.core.findings import Picture
from copilot.errors import InputError
from copilot.imaging.properties import Properties
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.decoding import SUFFIXES
from copilot.integrations.inspection.measuring import Measured, measured
from copilot.utils.config import ExecutorSettings

Progress = Callable[[float, str], None]
_SHEET, _ROW = 24, 6
_MEASURING = 0.95  # share of the time


def describe(
    images: ImageSet,
    *,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
    pictures: bool = True,
    seed: int = 0,
) -> tuple[Description, tuple[Picture, ...]]:
    """What a set holds, with sheets of images of each class and of those at the ends of the properties.

    Parameters
    ----------
    images : ImageSet
    executor, progress, refresh
        As in `measured`.
    pictures : bool, default True
    seed : int, default 0
        Of the images that are shown of each class.

    Raises
    ------
    InputError
        No image of the set can be read.
    """
    told = progress or (lambda share, line: None)
    found = measured(
        images,
        [Properties()],
        executor=executor,
        refresh=refresh,
        progress=lambda share, line: told(_MEASURING * share, line),
    )
    description = describe_measured(images, found)
    shown = (*class_sheet(images, found, seed), *extreme_sheets(images, found)) if pictures else ()
    told(1.0, "described")
    return description, shown


def describe_measured(images: ImageSet, found: Measured) -> Description:
    """The description of a set whose `Properties` were measured."""
    sizes = [images.file_size(i) for i in range(len(images))]
    whole = sum(size for size in sizes if size is not None)
    facts = Facts(
        origin=images.origin,
        names=images.names,
        labels=images.labels,
        class_names=images.class_names,
        task=images.task,
        formats=list(_formats(images.names)),
        total_bytes=None if None in sizes else whole,
        hashes=np.array(found.keys) if found.keys else None,
        reasons=images.skipped,
        notes=images.notes,
    )
    return describe_images(found.values, found.readable, facts)


def class_sheet(images: ImageSet, found: Measured, seed: int = 0) -> tuple[Picture, ...]:
    """A few images of each class, drawn at random; of the most frequent ones where there are many classes."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(np.flatnonzero(found.readable))
    labels = images.labels[places]
    counts = np.bincount(labels[labels >= 0], minlength=1)
    kinds = [int(k) for k in np.argsort(-counts, kind="stable")[:_SHEET] if counts[k]] or [-1]
    each = max(1, min(_ROW, _SHEET // len(kinds)))
    picked = np.concatenate([places[labels == kind][:each] for kind in sorted(kinds)])
    captions = [images.class_names[images.labels[i]] if images.labels[i] >= 0 else images.names[i] for i in picked]
    title = "Images of each class" if kinds != [-1] else "Images of the set"
    return _sheet(images, picked, captions, title, f"Drawn at random from {images.origin}.")


def extreme_sheets(images: ImageSet, found: Measured) -> tuple[Picture, ...]:
    """The images at the ends of each property, a row of six a kind and four kinds a sheet."""
    kinds = list(extremes(found.values, found.readable, _ROW).items())
    sheets: list[Picture] = []
    for start in range(0, len(kinds), _SHEET // _ROW):
        rows = kinds[start : start + _SHEET // _ROW]
        picked = np.concatenate([places for _, places in rows])
        captions = [f"{words}: {short(images.names[i])}" for words, places in rows for i in places]
        caption = "In each row the most extreme image first: " + ", ".join(words for words, _ in rows) + "."
        sheets += _sheet(images, picked, captions, "Extremes", caption)
    return tuple(sheets)


def pictured(images: ImageSet, places: Iterable[int], captions: Sequence[str]) -> tuple[list[np.ndarray], list[str]]:
    """Images for a sheet with their captions; those that cannot be read any more are left out."""
    shown, words = [], []
    for place, caption in zip(places, captions, strict=True):
        try:
            shown.append(images.image(int(place)))
        except InputError:
            continue
        words.append(caption)
    return shown, words


def short(name: str) -> str:
    """A name that fits a caption: its end."""
    return name if len(name) <= 24 else f"...{name[-22:]}"


def _sheet(
    images: ImageSet, places: np.ndarray, captions: Sequence[str], title: str, caption: str
) -> tuple[Picture, ...]:
    from copilot.probes.sheets import contact_sheet

    shown, words = pictured(images, places, captions)
    return (contact_sheet(shown, words, title=title, caption=caption),) if shown else ()


def _formats(names: Iterable[str]) -> Iterable[str]:
    """Formats by the endings of the names; nothing for images that are not files."""
    for name in names:
        ending = os.path.splitext(name)[1].lower()
        if ending in SUFFIXES:
            yield {"jpg": "jpeg", "tif": "tiff"}.get(ending[1:], ending[1:])
