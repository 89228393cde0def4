"""What a set of images holds: counts, classes, sizes, formats and the distribution of each property."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from copilot.core.checks.base import percent
from copilot.core.data.image_properties import COLOURS, PROPERTIES
from copilot.core.findings import Document
from copilot.utils.validators import clean_text

MOST_CLASSES, MOST_SIZES, MOST_CORRUPT = 200, 12, 50
_CHANNELS = ("grey", "grey stored as colour", "colour")


class Tally(Document):
    """How many images have a value, and their share of those that were counted."""

    name: str
    count: int
    share: float


class PropertySummary(Document):
    """Distribution of a property over the images that could be read, in ``unit``; ``q05`` is the 5 % quantile."""

    name: str
    label: str
    unit: str
    mean: float
    deviation: float
    least: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    most: float


class CorruptImage(Document):
    name: str
    reason: str


class Description(Document):
    """A set of images. Lists are cut (classes at 200, sizes at 12, corrupt images at 50); the counts are whole.

    ``classes`` and ``n_unlabelled`` are empty for tasks without one label an image. ``sizes`` are ``width x height``,
    the most frequent first. ``formats`` go by the endings of the names. ``exact_duplicates`` counts the images whose
    pixels an earlier image has; None where that was not looked for. ``bytes`` is None where a size is not known.
    """

    origin: str
    task: str
    n_images: int
    n_readable: int
    n_classes: int
    n_unlabelled: int
    classes: tuple[Tally, ...] = ()
    n_sizes: int = 0
    sizes: tuple[Tally, ...] = ()
    formats: tuple[Tally, ...] = ()
    channels: tuple[Tally, ...] = ()
    properties: tuple[PropertySummary, ...] = ()
    n_corrupt: int = 0
    corrupt: tuple[CorruptImage, ...] = ()
    exact_duplicates: int | None = None
    bytes: int | None = None
    notes: tuple[str, ...] = ()
    summary: str


@dataclass(frozen=True)
class Facts:
    """What is known of a set without its pixels.

    ``labels`` is int of shape (n,), below 0 where there is none. ``formats`` may be empty; ``hashes`` (n,) are equal
    where the pixels are.
    """

    origin: str
    names: Sequence[str]
    labels: np.ndarray
    class_names: Sequence[str]
    task: str = "classification"
    formats: Sequence[str] = ()
    total_bytes: int | None = None
    hashes: np.ndarray | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def describe_images(values: Mapping[str, np.ndarray], readable: np.ndarray, facts: Facts) -> Description:
    """The description of a set.

    Parameters
    ----------
    values : mapping of str to ndarray of float, shape (n,)
        `PROPERTIES`, ``stored`` and ``grey`` of `copilot.imaging.properties`, rows of unreadable images included.
    readable : ndarray of bool, shape (n,)
    facts : Facts
    """
    known = {name: array[readable] for name, array in values.items()}
    labelled = facts.labels[facts.labels >= 0]
    counts = np.bincount(labelled, minlength=len(facts.class_names)) if len(labelled) else np.zeros(0, np.int64)
    classes = _tallies(dict(zip(facts.class_names, counts.tolist(), strict=True))) if len(counts) else ()
    sizes = _tallies(_sizes(known))
    broken = np.flatnonzero(~readable)
    parts = {
        "n_images": len(readable),
        "n_readable": int(readable.sum()),
        "n_classes": len(facts.class_names),
        "n_unlabelled": len(facts.labels) - len(labelled) if facts.task == "classification" else 0,
        "classes": classes[:MOST_CLASSES],
        "n_sizes": len(sizes),
        "sizes": sizes[:MOST_SIZES],
        "formats": _tallies(Counter(clean_text(f, 12) for f in facts.formats)),
        "channels": _tallies(_channels(known)),
        "n_corrupt": len(broken),
        "exact_duplicates": None if facts.hashes is None else _repeats(facts.hashes[readable]),
        "bytes": facts.total_bytes,
    }
    return Description(
        origin=facts.origin,
        task=facts.task,
        **parts,
        properties=tuple(_summaries(known)),
        corrupt=tuple(_corrupt(facts, broken[:MOST_CORRUPT])),
        notes=tuple(facts.notes),
        summary=_summary(parts, facts.task),
    )


def extremes(values: Mapping[str, np.ndarray], readable: np.ndarray, count: int = 6) -> dict[str, np.ndarray]:
    """Which images lie at the ends of the properties.

    Parameters
    ----------
    values, readable
        As in `describe_images`.
    count : int, default 6
        Images of each kind at most.

    Returns
    -------
    dict of str to ndarray of int64
        By words such as "darkest"; the most extreme image first. Kinds that all images share are left out.
    """
    places = np.flatnonzero(readable)
    found = {}
    for words, name, sign in _KINDS:
        own = values[name][places] if name in values else np.zeros(0)
        if len(own) and (own != own[0]).any():
            found[words] = places[np.argsort(sign * own, kind="stable")[:count]]
    return found


_KINDS = (
    ("darkest", "brightness", 1),
    ("brightest", "brightness", -1),
    ("blurriest", "sharpness", 1),
    ("sharpest", "sharpness", -1),
    ("flattest", "contrast", 1),
    ("most clipped", "clipped", -1),
    ("most colourful", "colourfulness", -1),
    ("least colourful", "colourfulness", 1),
    ("broadest", "aspect", -1),
    ("slimmest", "aspect", 1),
    ("smallest", "width", 1),
)


def _tallies(counts: Mapping[str, int]) -> tuple[Tally, ...]:
    """The most frequent first."""
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return tuple(Tally(name=name, count=count, share=round(count / total, 6)) for name, count in ordered)


def _sizes(known: Mapping[str, np.ndarray]) -> dict[str, int]:
    pairs = np.stack([known["width"], known["height"]], 1).astype(np.int64)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    return {f"{width} x {height}": int(count) for (width, height), count in zip(kinds, counts, strict=True)}


def _channels(known: Mapping[str, np.ndarray]) -> dict[str, int]:
    kind = np.where(known["stored"] == 1, 0, np.where(known["grey"] > 0, 1, 2))
    counts = np.bincount(kind, minlength=len(_CHANNELS))
    return {name: int(count) for name, count in zip(_CHANNELS, counts, strict=True) if count}


def _repeats(hashes: np.ndarray) -> int:
    return len(hashes) - len(np.unique(hashes))


def _summaries(known: Mapping[str, np.ndarray]) -> Iterable[PropertySummary]:
    grey = known["grey"].all()
    for name, about in PROPERTIES.items():
        if name in known and len(known[name]) and not (grey and name in COLOURS):
            values = known[name].astype(np.float64)
            quantiles = np.quantile(values, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))
            fields = ("least", "q05", "q25", "median", "q75", "q95", "most")
            numbers = dict(zip(fields, map(_tidy, quantiles), strict=True))
            spread = {"mean": _tidy(values.mean()), "deviation": _tidy(values.std())}
            yield PropertySummary(name=name, label=about.label, unit=about.unit, **spread, **numbers)


def _tidy(value: float) -> float:
    return float(f"{value:.6g}")


def _corrupt(facts: Facts, places: np.ndarray) -> Iterable[CorruptImage]:
    for place in places:
        name = facts.names[place]
        yield CorruptImage(name=name, reason=clean_text(facts.reasons.get(name, "it cannot be read"), 160))


def _summary(parts: Mapping[str, object], task: str) -> str:
    n, classes, sizes = parts["n_images"], parts["classes"], parts["sizes"]
    told = f"{n:,} {'image' if n == 1 else 'images'}"
    if classes:
        most, least = classes[0], classes[-1]
        kinds = f" of {parts['n_classes']:,} {'class' if parts['n_classes'] == 1 else 'classes'}"
        told += f"{kinds}, from {least.count:,} ({least.name}) to {most.count:,} ({most.name})" if kinds else ""
    elif task != "classification":
        told += f" for {task}, {parts['n_classes']:,} classes of objects"
    if sizes:
        one = parts["n_sizes"] == 1
        told += f"; {'all' if one else percent(sizes[0].share)} {sizes[0].name} pixels"
        told += "" if one else f", {parts['n_sizes']:,} sizes"
    told += f"; {', '.join(f'{percent(kind.share)} {kind.name}' for kind in parts['channels'])}"
    if parts["n_corrupt"]:
        told += f"; {parts['n_corrupt']:,} cannot be read"
    if parts["exact_duplicates"]:
        told += f"; {parts['exact_duplicates']:,} repeat another image exactly"
    return f"{told}."
