"""A folder of Parquet files that are written once and never changed: a cache that several processes may use at a time.

A file's name says when it was written and what its bytes hash to. So nobody waits for a lock, a file that is damaged or
half written is found out, and any of them may vanish at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from copilot.utils.logging import get_logger

SMALL_BYTES = 8_000_000
MERGED_BYTES = 24_000_000
MOST_SMALL = 48  # so many small files are put together
MOST_BYTES = 2_000_000_000  # of one folder; beyond, the oldest files go
LEFT_BEHIND_S = 3600
_END = ".parquet"
log = get_logger(__name__)


class Segments:
    """The files of one folder.

    Parameters
    ----------
    folder : Path
        Made with the first file.
    note : callable, optional
        Gets a line for the person when a file is damaged or none can be written.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None) -> None:
        self._folder = folder
        self._note = note or (lambda line: log.warning(line))
        self._told: set[str] = set()

    def names(self) -> list[str]:
        """The files there are, the newest first."""
        try:
            return sorted((name for name in os.listdir(self._folder) if name.endswith(_END)), reverse=True)
        except OSError:
            return []

    def read(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame | None:
        """The rows of a file; None where it is gone or damaged, in which case it is removed."""
        content = self.content(name)
        return None if content is None else rows(content, columns)

    def content(self, name: str) -> bytes | None:
        """The bytes of a file, for `rows`; None where it is gone or damaged, in which case it is removed."""
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if _digest(content) == name.removesuffix(_END).rpartition("-")[2]:
            return content
        self._tell("A cache file was damaged. It was removed, and what it held is read from its source again.")
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def append(self, frame: pl.DataFrame) -> bool:
        """Keep rows; without room or permission they are not kept, which costs time only and returns False."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=1)
        name = f"{time.time_ns():020d}-{_digest(buffer.getbuffer())}{_END}"
        part = self._folder / f"{uuid.uuid4().hex}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(buffer.getbuffer())
            part.replace(self._folder / name)
            return True
        except OSError as error:
            self._tell(f"The cache cannot be written ({error.strerror}); the next scan reads everything again.")
            with contextlib.suppress(OSError):
                part.unlink()
            return False

    def tidy(self, merge: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Put small files together, their rows through `merge` (oldest rows first), and let old ones go for room."""
        sizes = dict(self._sizes())
        small = [name for name in sorted(sizes) if sizes[name] < SMALL_BYTES]
        if len(small) > MOST_SMALL:
            for names in _batches(small, sizes):
                frames = [frame for name in names if (frame := self.read(name)) is not None]
                if not frames or self.append(merge(pl.concat(frames, how="vertical_relaxed"))):
                    self._remove(names)
        self._sweep()
        while sizes and sum(sizes.values()) > MOST_BYTES:
            oldest = min(sizes)
            self._remove([oldest])
            del sizes[oldest]

    def _sweep(self) -> None:
        """Remove what a writer that was killed left behind."""
        with contextlib.suppress(OSError):
            for part in self._folder.glob("*.part"):
                if part.stat().st_mtime < time.time() - LEFT_BEHIND_S:
                    part.unlink()

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for name in self.names():
            with contextlib.suppress(OSError):
                yield name, (self._folder / name).stat().st_size

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._note(line)


def _batches(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Names in turn, few enough at a time for their rows to fit into memory."""
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if sum(sizes[n] for n in batch) > MERGED_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def rows(content: bytes, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows in the bytes of a file."""
    return pl.read_parquet(io.BytesIO(content), columns=columns)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
