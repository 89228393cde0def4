"""What a worker process does for `measuring`: decode a chunk of images and measure each. Light to import on purpose."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.decoding import BROKEN, as_pixels, broken_reason
from copilot.utils.validators import clean_text


class Measure(Protocol):
    """Something measured on one image, by itself. It travels to other processes by pickle.

    ``name`` and ``version`` are letters, digits and dashes; another version is measured anew. Called with uint8 of
    shape (h, w, 1 or 3), it returns numbers or arrays by name, each of the same shape and type for every image.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def __call__(self, image: np.ndarray) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Chunk:
    """Images to decode, by what `decode` takes, and what to measure on each."""

    decode: Callable[[Any], Image.Image]
    arguments: list[Any]
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class ChunkMeasured:
    """Rows of each measure (arrays by name) of the images that could be read, and why others could not, by place."""

    read: np.ndarray
    rows: tuple[dict[str, np.ndarray], ...]
    reasons: dict[int, str]
    seconds: float


def measure_chunk(chunk: Chunk) -> ChunkMeasured:
    """Decode and measure; an image that fails is told and left out."""
    started = time.perf_counter()
    read: list[int] = []
    found: list[list[Mapping[str, Any]]] = []
    reasons: dict[int, str] = {}
    for place, argument in enumerate(chunk.arguments):
        try:
            with warnings.catch_warnings(action="ignore"):
                image = as_pixels(chunk.decode(argument))
        except BROKEN as error:
            reasons[place] = broken_reason(error)
            continue
        try:
            found.append([measure(image) for measure in chunk.measures])
            read.append(place)
        except Exception as error:  # a measure that a plugin brings, or that an odd image is too much for
            reasons[place] = clean_text(f"it cannot be measured: {type(error).__name__}: {error}", 160)
    rows = tuple(_stacked([row[number] for row in found], m.name) for number, m in enumerate(chunk.measures))
    return ChunkMeasured(np.array(read, dtype=np.int64), rows, reasons, time.perf_counter() - started)


def _stacked(rows: Sequence[Mapping[str, Any]], measure: str) -> dict[str, np.ndarray]:
    try:
        return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]} if rows else {}
    except (ValueError, KeyError) as error:
        told = f"The measure {clean_text(measure, 40)} does not give the same names and sizes for every image."
        raise InputError(told, "Mend the measure.") from error
