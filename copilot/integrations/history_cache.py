"""A local copy of the curves of one MLflow store, by run and by the fingerprint of what the run had logged.

It only ever saves time: it may be deleted at any moment, and a run whose fingerprint changed is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from copilot.core.pairs import LoggedSeries
from copilot.integrations.mlflow.records import RunInfo
from copilot.integrations.parquet_segments import Segments
from copilot.utils.validators import clean_text

OPEN_FILES = 8  # whose rows stay in memory
_ARRAYS = ("values", "steps", "times")
_Stored = dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]]  # by run id and metric


class HistoryCache:
    """Curves of one store.

    Parameters
    ----------
    folder : Path
    note : callable, optional
        Gets a line for the person when something is wrong with the cache.
    """

    def __init__(self, folder: Path, note: Callable[[str], None] | None = None) -> None:
        self._segments = Segments(folder, note)
        self._places: dict[tuple[str, str], str] = {}  # run id and fingerprint: the file that has them
        self._known: list[str] = []
        self._rows = lru_cache(maxsize=OPEN_FILES)(self._read_rows)

    def load(self, runs: Sequence[RunInfo], wanted: Callable[[str], bool]) -> dict[str, list[LoggedSeries]]:
        """By run id the series of those runs that are known as they are now; metrics not `wanted` have no values."""
        self._look()
        found: dict[str, list[LoggedSeries]] = {}
        for run in runs:
            place = self._places.get((run.run_id, run.fingerprint)) if run.fingerprint else None
            stored = self._rows(place) if place else {}
            keys = [key for key in run.latest if wanted(key)]
            if all((run.run_id, key) in stored for key in keys) and (keys or place):
                found[run.run_id] = [_series(run, key, stored if key in keys else {}) for key in run.latest]
        return found

    def save(self, read: Sequence[tuple[RunInfo, list[LoggedSeries]]], wanted: Callable[[str], bool]) -> None:
        """Keep the series of runs that have a fingerprint."""
        columns: dict[str, list] = {name: [] for name in ("run_id", "fingerprint", "key", *_ARRAYS)}
        for run, series in read:
            by_name = {one.name: one for one in series}
            for key in run.latest if run.fingerprint and len(by_name) == len(series) else ():
                one = by_name.get(clean_text(key))
                if one is not None and wanted(key):
                    row = (run.run_id, run.fingerprint, key, one.values, one.steps, one.times)
                    for column, value in zip(columns.values(), row, strict=True):
                        column.append(value)
        if columns["run_id"]:
            arrays = {name: _lists(columns[name]) for name in _ARRAYS}
            self._segments.append(pl.DataFrame({**columns, **arrays}))

    def tidy(self) -> None:
        """Put small files together; of each run only the newest fingerprint is kept."""
        self._segments.tidy(_newest)

    def _look(self) -> None:
        """Find out what is there, if files came or went."""
        names = self._segments.names()
        if names == self._known:
            return
        for name in sorted(set(names) - set(self._known)):
            frame = self._segments.read(name, ["run_id", "fingerprint"])
            places = frame.iter_rows() if frame is not None else ()
            self._places.update(dict.fromkeys(places, name))
        self._known = names

    def _read_rows(self, name: str) -> _Stored:
        frame = self._segments.read(name)
        if frame is None:
            return {}
        arrays = [_split(frame[column]) for column in _ARRAYS]
        return dict(zip(zip(frame["run_id"], frame["key"], strict=True), zip(*arrays, strict=True), strict=True))


def _series(run: RunInfo, key: str, stored: Mapping[tuple[str, str], tuple[np.ndarray, ...]]) -> LoggedSeries:
    values, steps, times = stored.get((run.run_id, key), (np.zeros(0),) * 3)
    return LoggedSeries(clean_text(key), values, steps, times)


def _lists(arrays: list[np.ndarray]) -> pl.Series:
    """A column of lists; polars would make a column of another kind of arrays that are equally long."""
    return pl.Series([*arrays, np.zeros(0), np.zeros(1)], dtype=pl.List(pl.Float64))[:-2]


def _split(column: pl.Series) -> list[np.ndarray]:
    """The lists of a column as arrays, which share the column's memory."""
    ends = column.list.len().cum_sum().to_list()
    flat = column.explode(empty_as_null=False).to_numpy()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each run the rows of the fingerprint that was written last."""
    last = rows.select("run_id", "fingerprint").unique("run_id", keep="last")
    return rows.join(last, on=["run_id", "fingerprint"]).unique(["run_id", "key"], keep="last", maintain_order=True)
