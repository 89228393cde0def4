"""Image sets measured: each image decoded once for all measures, in parallel, and never twice for the same content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.measure_cache import MeasureCache
from copilot.integrations.inspection.reading import Chunk, ChunkMeasured, Measure, measure_chunk
from copilot.utils.config import ExecutorSettings
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text, home_folder

Progress = Callable[[float, str], None]
CHUNK = 500  # images at most that a worker gets at a time
WAVE = 60  # chunks after which what was measured is kept
FIRST = 16  # images that tell how long the rest will take
ALONE_S = 2.0  # work below this is not worth a pool of processes
CHUNK_S = 1.0
_KEYS = 2000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")


@dataclass
class Measured:
    """What was measured on a set.

    Attributes
    ----------
    values : dict of str to ndarray
        Rows are the set's images; zeros where an image could not be read.
    readable : ndarray of bool, shape (n,)
    from_cache : int
        Images of which everything was known.
    keys : tuple of str
        `ImageSet.content_key` of each image.
    """

    values: dict[str, np.ndarray]
    readable: np.ndarray
    from_cache: int = 0
    keys: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]


def measured(
    images: ImageSet,
    measures: Sequence[Measure],
    *,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
    note: Callable[[str], None] | None = None,
) -> Measured:
    """Measure every image of a set.

    Only a chunk of decoded images is in memory at a time; the result is as large as the measures' rows. What was
    measured is kept in the home folder by the image's content and the measure's version, and taken from there.

    Parameters
    ----------
    images : ImageSet
        Its ``skipped`` gets the images that cannot be read, with the reason.
    measures : sequence of Measure
        What they return by name must differ in name.
    executor : ExecutorSettings, optional
        Where the work is done; default: as many processes here as there are cores. Little work stays in this one.
    progress : callable, optional
        Called with a fraction from 0 to 1 and a line; what it raises ends the work, and what was kept stays.
    refresh : bool, default False
        Measure anew what is known.
    note : callable, optional
        Gets a line for the person when something is wrong with the cache.

    Raises
    ------
    InputError
        Not one image can be read, measures share a name, or one gives other names and sizes from image to image.
    ToolError
        A worker process died, or a Dask cluster is out of reach.
    """
    names = [clean_text(measure.name) for measure in measures]
    if not names or len(set(names)) < len(names) or not all(_NAME.fullmatch(f"{m.name}-{m.version}") for m in measures):
        raise InputError("Measures need names of their own, of letters and digits.", f"Given: {', '.join(names)}.")
    work = _Work(images, measures, executor, progress or (lambda share, line: None), note)
    if not refresh:
        work.recall()
    work.measure()
    return work.result()


@dataclass
class _Rows:
    """The rows of one measure as they come in."""

    known: np.ndarray
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, places: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
        for name, rows in arrays.items():
            if name not in self.arrays:
                self.arrays[name] = np.zeros((len(self.known), *rows.shape[1:]), rows.dtype)
            if self.arrays[name].shape[1:] != rows.shape[1:]:
                raise InputError(f"The measure of {clean_text(name, 40)} has no fixed size.", "Mend the measure.")
            self.arrays[name][places] = rows
        self.known[places] = True


class _Work:
    """One call of `measured`. Images of the same content are one: only the first of them, the `owner`, is measured."""

    def __init__(
        self,
        images: ImageSet,
        measures: Sequence[Measure],
        executor: ExecutorSettings | None,
        progress: Progress,
        note: Callable[[str], None] | None,
    ) -> None:
        self._images, self._measures, self._executor, self._progress = images, tuple(measures), executor, progress
        folder = home_folder() / "measures"
        self._caches = [MeasureCache(folder / f"{m.name}-{m.version}", note) for m in measures]
        self._rows = [_Rows(np.zeros(len(images), bool)) for _ in measures]
        self._keys = _content_keys(images, progress)
        self._places: dict[str, int] = {}
        self._owner = np.array([self._places.setdefault(k, i) if k else i for i, k in enumerate(self._keys)], np.int64)
        self._reasons: dict[int, str] = {}
        self._from_cache = 0
        self._seconds = 0.0  # that the last wave took

    def recall(self) -> None:
        """Take what is known."""
        for cache, rows in zip(self._caches, self._rows, strict=True):
            cache.load(self._places, rows.take)
        self._from_cache = int(np.all([rows.known[self._owner] for rows in self._rows], axis=0).sum())

    def measure(self) -> None:
        """Measure the rest; images that lack the same measures go together."""
        owners = np.unique(self._owner)
        lacking = np.array([~rows.known[owners] for rows in self._rows]).T
        patterns = [pattern for pattern in np.unique(lacking, axis=0) if pattern.any()]
        total, done = int(lacking.any(1).sum()), 0
        for pattern in patterns:
            todo = owners[(lacking == pattern).all(1)]
            wanted = np.flatnonzero(pattern)
            for part in self._waves(todo, wanted):
                found = parallel_map(
                    measure_chunk,
                    (self._chunk(indices, wanted) for indices in part.chunks),
                    progress=_scaled(self._progress, done, part.count, total),
                    **part.options,
                )
                self._keep(part.chunks, wanted, found)
                done += part.count
        if total:
            for cache in self._caches:
                cache.tidy()

    def result(self) -> Measured:
        readable = np.all([rows.known for rows in self._rows], axis=0)[self._owner]
        for index in np.flatnonzero(~readable):
            reason = self._reasons.get(int(self._owner[index]), "it cannot be read")
            self._images.skipped[self._images.names[index]] = reason
        if not readable.any():
            name, reason = next(iter(self._images.skipped.items()), ("it", "it is empty"))
            told = f"No image in {self._images.origin} can be read; {name}: {reason}."
            raise InputError(told, "Pass PNG or JPEG files.")
        copies = np.flatnonzero(self._owner != np.arange(len(self._owner)))
        values: dict[str, np.ndarray] = {}
        for rows in self._rows:
            for name, array in rows.arrays.items():
                if name in values:
                    raise InputError(f"Two measures give {clean_text(name, 40)}.", "Rename one of them.")
                array[copies] = array[self._owner[copies]]
                values[name] = array
        return Measured(values, readable, self._from_cache, tuple(self._keys))

    def _chunk(self, indices: np.ndarray, wanted: np.ndarray) -> Chunk:
        decode, arguments = self._images.recipe(indices)
        return Chunk(decode, arguments, tuple(self._measures[i] for i in wanted))

    def _waves(self, todo: np.ndarray, wanted: np.ndarray) -> Iterator[_Wave]:
        """The first few images here, with a clock; by that, the rest here or in processes."""
        yield _Wave([todo[:FIRST]], {"workers": 1})
        rest, pace = todo[FIRST:], self._seconds / len(todo[:FIRST])
        alone = pace * len(rest) < ALONE_S and (self._executor is None or self._executor.kind == "local")
        size = int(np.clip(CHUNK_S / max(pace, 1e-9), 1, CHUNK))
        where = {"workers": 1} if alone else {"backend": "processes", "executor": self._executor}
        for start in range(0, len(rest), size * WAVE):
            wave = rest[start : start + size * WAVE]
            yield _Wave([wave[i : i + size] for i in range(0, len(wave), size)], where)

    def _keep(self, chunks: Sequence[np.ndarray], wanted: np.ndarray, found: Sequence[ChunkMeasured]) -> None:
        self._seconds = sum(one.seconds for one in found)
        for indices, one in zip(chunks, found, strict=True):
            self._reasons.update({int(indices[place]): reason for place, reason in one.reasons.items()})
        places = np.concatenate([i[one.read] for i, one in zip(chunks, found, strict=True)])
        if not len(places):
            return
        for number, measure in enumerate(wanted):
            parts = [one.rows[number] for one in found if len(one.read)]
            for indices, one in zip(chunks, found, strict=True):
                if len(one.read):
                    self._rows[measure].take(indices[one.read], one.rows[number])
            arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            self._caches[measure].save([self._keys[i] for i in places], arrays)


@dataclass(frozen=True)
class _Wave:
    chunks: list[np.ndarray]
    options: dict[str, Any]

    @property
    def count(self) -> int:
        return sum(map(len, self.chunks))


def _content_keys(images: ImageSet, progress: Progress) -> list[str]:
    """What each image's content is known by; files are read for it, in threads."""
    parts = [range(i, min(i + _KEYS, len(images))) for i in range(0, len(images), _KEYS)]
    found = parallel_map(lambda part: [images.content_key(i) for i in part], parts, progress=_quiet(progress))
    return [key for part in found for key in part]


def _quiet(progress: Progress) -> Progress:
    """Progress that stays at the beginning, but can end the work."""
    return lambda share, line: progress(0.0, "looking for images that are known")


def _scaled(progress: Progress, done: int, count: int, total: int) -> Progress:
    def told(share: float, line: str) -> None:
        now = done + round(share * count)
        progress(now / total, f"{now:,} of {total:,} images measured")

    return told
