"""From a table of logged rows, as files hold them, to the series of a run: its axis, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from copilot.core.naming import parse_metric_name
from copilot.core.pairs import LoggedSeries
from copilot.utils.validators import clean_text

MISSING = frozenset({"", "-", "na", "n/a", "#n/a", "none", "null", "<na>"})
NOT_A_NUMBER = frozenset({"nan", "-nan", "+nan"})
EPOCH_COLUMNS = ("epoch", "epochs", "ep", "trainer/epoch", "train/epoch")
STEP_COLUMNS = ("step", "steps", "global_step", "_step", "trainer/global_step", "iteration", "iterations", "iter")
TIME_COLUMNS = ("timestamp", "_timestamp", "wall_time", "wall time")
SPLIT_COLUMNS = ("phase", "split", "mode", "subset", "stage")
ROWS_PER_EPOCH = 1.5  # from this many rows per epoch on, a column was logged within epochs


Column = tuple[np.ndarray, np.ndarray]


@dataclass
class Table:
    """A table of numbers.

    Attributes
    ----------
    n_rows : int
    columns : dict of str to (rows, values)
        The cells that hold numbers: row numbers, ascending, and values, NaN where NaN was logged.
    words : dict of str to dict of int to str
        Columns that say which split a row belongs to, by row number.
    """

    n_rows: int
    columns: dict[str, Column]
    words: dict[str, dict[int, str]] = field(default_factory=dict)


def number(value: Any) -> float | None:
    """A logged cell as a number, None where it is missing or no number; ``"87 %"`` is 0.87."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return float("inf")
    if not isinstance(value, str) or not (text := value.strip()):
        return None
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def table_from_rows(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A table from one mapping a row; nested mappings become ``outer/inner``."""
    cells: dict[str, list[tuple[int, Any]]] = {}
    n_rows = 0
    for at, row in enumerate(rows):
        n_rows = at + 1
        for name, value in flat(row):
            cells.setdefault(name, []).append((at, value))
    words = {name: {row: str(w) for row, w in column} for name, column in cells.items() if is_split_column(name)}
    return Table(n_rows, {name: column_of(column) for name, column in cells.items()}, words)


def column_of(cells: Iterable[tuple[int, Any]]) -> Column:
    """The numbers among cells given as (row, value)."""
    known = [(row, value) for row, cell in cells if (value := number(cell)) is not None]
    return np.array([row for row, _ in known], dtype=int), np.array([value for _, value in known], dtype=float)


def flat(row: Mapping[str, Any], prefix: str = "", depth: int = 3) -> Iterable[tuple[str, Any]]:
    """The leaves of nested mappings under names joined by slashes."""
    for key, value in row.items():
        name = f"{prefix}{key}".strip()
        if isinstance(value, Mapping) and depth:
            yield from flat(value, f"{name}/", depth - 1)
        else:
            yield name, value


def to_series(table: Table) -> list[LoggedSeries]:
    """The series of a table on its axis: the epoch column, else the step column, else the row number.

    A column that was logged several times per epoch is handed over with row numbers and the epoch column beside it,
    so that it is averaged; runs that were started again keep their epochs, and the last value of each counts.
    """
    columns = _split_by_words(table)
    epochs = _axis(table, EPOCH_COLUMNS)
    steps = _axis(table, STEP_COLUMNS)
    times = _times(table)
    inside_epochs = epochs is not None and bool(np.all(np.diff(epochs) >= 0)) and _logged_within(columns, epochs)
    numbers = np.arange(table.n_rows, dtype=float)
    axis = numbers if inside_epochs else next((a for a in (epochs, steps) if a is not None), numbers)
    axis_names = {*EPOCH_COLUMNS, *STEP_COLUMNS, *TIME_COLUMNS}
    series = [
        LoggedSeries(clean_text(name), values, axis[rows], None if times is None else times[rows])
        for name, (rows, values) in columns.items()
        if name.lower() not in axis_names
    ]
    return [*series, LoggedSeries("epoch", epochs, numbers)] if inside_epochs else series


def _split_by_words(table: Table) -> dict[str, Column]:
    """Columns cut by a column such as ``phase``, whose words become part of the names (``train/loss``)."""
    for words in table.words.values():
        splits = set(words.values())
        if not all((p := parse_metric_name(f"{w}/loss")) and p.split != "unknown" for w in splits):
            continue
        word_of = np.array([words.get(row, "") for row in range(table.n_rows)], dtype=object)
        return {
            f"{word}/{name}": (rows[word_of[rows] == word], values[word_of[rows] == word])
            for word in sorted(splits)
            for name, (rows, values) in table.columns.items()
        }
    return table.columns


def _axis(table: Table, names: tuple[str, ...]) -> np.ndarray | None:
    """An axis value for every row, from the first of `names` that varies; gaps take the value above."""
    known = {name.lower(): column for name, column in table.columns.items()}
    for rows, values in (known[name] for name in names if name in known):
        good = np.isfinite(values)
        rows, values = rows[good], values[good]
        if len(rows) and (table.n_rows == 1 or len(np.unique(values)) > 1):
            return values[np.clip(np.searchsorted(rows, np.arange(table.n_rows), side="right") - 1, 0, None)]
    return None


def _times(table: Table) -> np.ndarray | None:
    times = _axis(table, TIME_COLUMNS)
    if times is None or times.min() < 1e8:  # seconds since the start, not since 1970
        return None
    return times / 1000 if times.min() > 1e11 else times


def _logged_within(columns: Mapping[str, Column], epochs: np.ndarray) -> bool:
    return any(
        len(rows) >= ROWS_PER_EPOCH * len(np.unique(epochs[rows]))
        for name, (rows, _) in columns.items()
        if len(rows) > 1 and parse_metric_name(name)
    )


def is_split_column(name: str) -> bool:
    return name.lower() in SPLIT_COLUMNS


def decimal_comma(text: str) -> str:
    """``0,5`` as ``0.5``; other text as it is."""
    return text.replace(",", ".") if re.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?%?", text) else text
