"""The shapes in which training loops write histories as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from copilot.core.naming import parse_metric_name
from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError
from copilot.integrations.history_tables import (
    EPOCH_COLUMNS,
    Table,
    column_of,
    flat,
    number,
    table_from_rows,
    to_series,
)
from copilot.utils.validators import clean_text

SHAPES = (
    'Pass a mapping of lists such as {"train_loss": [...], "val_loss": [...]}, a list of rows, JSON lines of rows, '
    "a trainer_state.json or an analysis that was saved here."
)
MAX_PARAMS = 200


@dataclass(frozen=True)
class JsonHistory:
    """What a JSON text held: series, what was logged beside them, and what was left out."""

    series: list[LoggedSeries]
    params: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    name: str | None = None


def read_json(text: str, where: str) -> JsonHistory:
    """Read JSON or JSON lines.

    Parameters
    ----------
    text : str
    where : str
        The file, for messages.

    Raises
    ------
    InputError
        Not JSON, or a shape that holds no curves.
    """
    try:
        document, warnings = json.loads(text), ()
    except RecursionError:
        raise InputError(f"{where} is nested too deeply.", SHAPES) from None
    except ValueError as error:
        document, warnings = _json_lines(text, where, error)
    return _by_shape(document, where, warnings)


def _json_lines(text: str, where: str, error: ValueError) -> tuple[list[Any], tuple[str, ...]]:
    lines = [(at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    rows: list[Any] = []
    for at, line in lines:
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            if rows and at == lines[-1][0]:
                return rows, ("The last line is cut off; it was left out.",)
            place = f"line {at}" if rows else f"line {getattr(error, 'lineno', at)}"
            raise InputError(f"{where} is not valid JSON ({place}).", SHAPES) from None
    return rows, ()


def _by_shape(document: Any, where: str, warnings: tuple[str, ...]) -> JsonHistory:
    if isinstance(document, list) and len(document) == 1 and _is_record(document[0]):
        document = document[0]
    if isinstance(document, list):
        return JsonHistory(_rows(document, where), warnings=warnings)
    if not isinstance(document, Mapping):
        raise InputError(f"{where} holds a single {type(document).__name__}, not curves.", SHAPES)
    for key in ("history", "metrics", "logs"):
        if isinstance(inner := document.get(key), Mapping):
            outer = {name: value for name, value in document.items() if name != key}
            return _analysis(document, inner, where) if "pairs" in inner else _lists({**outer, **inner}, where)
    if isinstance(analyses := document.get("analyses"), list):
        if len(analyses) != 1:
            raise InputError(f"{where} holds {len(analyses)} analyses.", "Pass one run at a time.")
        return _by_shape(analyses[0], where, warnings)
    for key in ("log_history", "history", "epochs", "rows", "log", "metrics"):
        if isinstance(rows := document.get(key), list) and rows and all(isinstance(row, Mapping) for row in rows):
            return JsonHistory(_rows(rows, where), _params(document), warnings)
    return _lists(document, where)


def _is_record(value: Any) -> bool:
    """Whether a row is a whole history: its cells are lists."""
    return isinstance(value, Mapping) and any(isinstance(cell, list) and len(cell) > 1 for cell in value.values())


def _rows(rows: list[Any], where: str) -> list[LoggedSeries]:
    if not rows:
        raise InputError(f"{where} is an empty list.", SHAPES)
    if not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"{where} is a list of {type(rows[0]).__name__}, not of rows.", SHAPES)
    if any(_is_record(row) for row in rows):
        raise InputError(f"{where} holds {len(rows)} histories.", "Pass one of them at a time.")
    return to_series(table_from_rows(rows))


def _lists(document: Mapping[str, Any], where: str) -> JsonHistory:
    """A mapping of lists (Keras), or of mappings from row number to value (pandas)."""
    lists = {name: value for name, value in flat(document) if isinstance(value, list)}
    lists |= {str(name): _by_row_number(value) for name, value in document.items() if _has_row_numbers(value)}
    if not lists:
        seen = ", ".join(clean_text(key, 40) for key in list(document)[:6]) or "nothing"
        raise InputError(f"{where} holds no lists of numbers (found: {seen}).", SHAPES)
    axis = next((cells for name, cells in lists.items() if name.lower() in EPOCH_COLUMNS), None)
    n_rows = max(len(axis) if axis else max(map(len, lists.values())), 1)
    columns, notes = {}, []
    for name, cells in lists.items():
        every, note = _spacing(name, len(cells), n_rows)
        notes += note
        columns[name] = column_of(((at + 1) * every - 1, cell) for at, cell in enumerate(cells[:n_rows]))
    return JsonHistory(to_series(Table(n_rows, columns)), _params(document), tuple(notes))


def _spacing(name: str, length: int, n_rows: int) -> tuple[int, list[str]]:
    """Epochs from one value to the next of a list that has fewer values than there are epochs, and what to say."""
    if length in (0, 1, n_rows) or parse_metric_name(name) is None:
        return 1, []
    name = clean_text(name, 60)
    if n_rows % length == 0:
        return n_rows // length, [
            f"'{name}' has {length} values for {n_rows} epochs: one every {n_rows // length} epochs."
        ]
    return 1, [f"'{name}' has {length} values for {n_rows} epochs; they were matched from the first epoch on."]


def _has_row_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(key).isdecimal() for key in value)


def _by_row_number(value: Mapping[str, Any]) -> list[Any]:
    return [value[key] for key in sorted(value, key=int)]


def _params(document: Mapping[str, Any]) -> dict[str, str]:
    plain = {k: v for k, v in document.items() if isinstance(v, (str, int, float, bool))}
    return {clean_text(k, 80): clean_text(v) for k, v in list(plain.items())[:MAX_PARAMS]}


def _analysis(document: Mapping[str, Any], history: Mapping[str, Any], where: str) -> JsonHistory:
    """The history section of an analysis document."""
    try:
        epochs = np.array([float(e) for e in history["epochs"]])
        series = []
        for pair in history["pairs"]:
            for split in ("train", "val"):
                cells = [number(v) for v in pair[split]]
                known = np.array([v is not None for v in cells], dtype=bool)
                values = np.array([np.nan if v is None else v for v in cells])
                if known.any():
                    name = _side_name(pair, split)
                    series.append(LoggedSeries(name, values[known], epochs[: len(cells)][known]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{where} is not a whole analysis document.", "Save it again with --format json.") from error
    subject = document.get("subject")
    run_name = subject.get("run_name") if isinstance(subject, Mapping) else None
    return JsonHistory(series, name=clean_text(run_name) if run_name else None)


def _side_name(pair: Mapping[str, Any], split: str) -> str:
    """The logged name if it still says quantity and split, else both of them in plain words."""
    logged = str(pair.get(f"{split}_name") or "")
    parsed = parse_metric_name(logged)
    return clean_text(logged if parsed and parsed.quantity == pair["quantity"] else f"{split}/{pair['quantity']}")
