"""What was measured on images, kept by the content of each: a second revision costs its changed images only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from copilot.integrations.parquet_segments import Segments

_COLUMNS = ("key", "row", "layout")
_UNREADABLE = (pl.exceptions.PolarsError, ValueError, TypeError, KeyError, OSError)


class MeasureCache:
    """Rows of one measure in one version. Others may write at the same time, and any file may vanish.

    Parameters
    ----------
    folder : Path
    note : callable, optional
        Gets a line for the person when something is wrong with the cache.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None) -> None:
        self._segments = Segments(folder, note)

    def load(self, places: Mapping[str, int], take: Callable[[np.ndarray, dict[str, np.ndarray]], None]) -> None:
        """Pass what is known of the contents in `places` to `take`, a file at a time: places, and arrays by name."""
        wanted = set(places)
        for name in self._segments.names():
            if not wanted:
                return
            try:
                known = _known(self._segments.read(name, _COLUMNS), wanted)
            except _UNREADABLE:  # written by something else
                continue
            for keys, arrays in known:
                take(np.array([places[key] for key in keys], dtype=np.int64), arrays)
                wanted.difference_update(keys)

    def save(self, keys: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
        """Keep rows; those without a key are not kept."""
        kept = [i for i, key in enumerate(keys) if key]
        if not kept:
            return
        kind = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
        table = np.empty(len(kept), kind)
        for name, array in arrays.items():
            table[name] = array[kept]
        layout = json.dumps([[name, array.dtype.str, array.shape[1:]] for name, array in arrays.items()])
        size, content = kind.itemsize, table.tobytes()
        rows = [content[i : i + size] for i in range(0, len(content), size)]
        self._segments.append(pl.DataFrame({"key": [keys[i] for i in kept], "row": rows, "layout": layout}))

    def tidy(self) -> None:
        """Put small files together; of each content only the newest row is kept."""
        self._segments.tidy(lambda frame: frame.unique("key", keep="last", maintain_order=True))


def _known(frame: pl.DataFrame | None, wanted: set[str]) -> list[tuple[list[str], dict[str, np.ndarray]]]:
    """Keys and arrays of the rows that are wanted, for each layout."""
    if frame is None:
        return []
    frame = frame.filter(pl.Series([key in wanted for key in frame["key"]], dtype=pl.Boolean))
    frame = frame.unique("key", keep="last", maintain_order=True)
    found = []
    for layout, part in frame.partition_by("layout", as_dict=True).items():
        kind = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in json.loads(layout[0])])
        if kind.hasobject:
            raise ValueError("rows hold objects")
        table = np.frombuffer(b"".join(part["row"]), kind)
        keys = part["key"].to_list()
        if len(table) != len(keys):
            raise ValueError("rows of another length")
        found.append((keys, {name: table[name] for name in kind.names}))
    return found
