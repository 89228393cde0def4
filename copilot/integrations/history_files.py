"""History files: CSV and JSON as training frameworks write them, and TensorBoard folders."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from copilot.core.history import RunHistory
from copilot.errors import InputError, NotFoundError
from copilot.integrations.history_json import read_json
from copilot.integrations.history_tables import (
    MISSING,
    NOT_A_NUMBER,
    Table,
    decimal_comma,
    is_split_column,
    number,
    to_series,
)
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

MAX_BYTES = 200_000_000
KINDS = "Pass a CSV or JSON file of curves, or a TensorBoard folder."
# What the frameworks call the file in a run's own folder.
KNOWN_NAMES = (
    "results.csv",
    "metrics.csv",
    "summary.csv",
    "trainer_state.json",
    "history.json",
    "log.csv",
    "history.csv",
)
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read_history(path: str | Path, *, train_pattern: Patterns = None, val_pattern: Patterns = None) -> RunHistory:
    """Read the curves of one run from a file or folder.

    Parameters
    ----------
    path : str or Path
        CSV (Keras, Lightning, Ultralytics, timm, or any with a header), JSON (mapping of lists, list of rows,
        JSON lines, ``trainer_state.json``, a saved analysis), or a TensorBoard event file or folder.
    train_pattern, val_pattern : str, optional
        The project's own metric names, ``{}`` standing for the quantity.

    Returns
    -------
    RunHistory
        Named after the file. Empty cells are missing values; ``nan`` and ``inf`` count as logged.

    Raises
    ------
    InputError
        Missing, empty, binary, too large or not readable, or no metric in it was recognised.
    """
    path = Path(path).expanduser()
    try:
        path = _one_file(path)
        if path.is_dir() or "tfevents" in path.name:
            from copilot.integrations.tensorboard_reader import read_events

            return read_events(path, train_pattern=train_pattern, val_pattern=val_pattern)
        text = _text(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", KINDS) from error
    params, notes, name = {}, (), None
    if path.suffix.lower() in (".json", ".jsonl", ".ndjson") or text.lstrip()[:1] in ("{", "["):
        found = read_json(text, str(path))
        series, params, notes, name = found.series, found.params, found.warnings, found.name
    else:
        series, notes = _read_csv(text, path)
    return RunHistory.from_series(
        series,
        name=name or clean_text(path.name, 80),
        params=params,
        train_pattern=train_pattern,
        val_pattern=val_pattern,
        warnings=notes,
    )


def _one_file(path: Path) -> Path:
    """The file or TensorBoard folder to read; in a run's own folder the file that the framework writes."""
    if not path.exists():
        raise NotFoundError(f"{path} does not exist.", "Check the path.")
    if not path.is_dir():
        return path
    found = [path / name for name in KNOWN_NAMES if (path / name).is_file()]
    return found[0] if len(found) == 1 else path


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path} is not a regular file.", KINDS)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise InputError(
            f"{path} has {size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read.", "Log once per epoch."
        )
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif _CONTROL_BYTES.search(raw[:100_000]):
        raise InputError(f"{path} is a binary file.", f"{KINDS} Unpack archives first.")
    else:
        encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("utf-16" if encoding == "utf-16" else "latin-1", errors="replace")
    if not text.strip():
        raise InputError(f"{path} is empty.", KINDS)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_csv(text: str, path: Path) -> tuple[list, tuple[str, ...]]:
    text = _from_header(text)
    header = text.partition("\n")[0]
    separator = _separator(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        reason = clean_text(str(error).rpartition("C error: ")[2], 120)
        raise InputError(
            f"{path} is not a table: {reason}.", "Pass a CSV file with a header and as many cells a line."
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    if all(number(name) is not None for name in re.split(separator, header.replace('"', "")) if name.strip()):
        raise InputError(f"{path} has no header line.", "Name the columns, such as epoch,train_loss,val_loss.")
    if frame.empty:
        columns = ", ".join(clean_text(name, 40) for name in frame.columns[:6])
        raise InputError(f"{path} has a header ({columns}) but no rows.", "Was anything logged?")
    return _series(frame, decimal=separator != ",")


def _series(frame: pd.DataFrame, *, decimal: bool) -> tuple[list, tuple[str, ...]]:
    table, notes = Table(len(frame), {}), []
    for at, name in enumerate(frame.columns):
        cells = frame.iloc[:, at].fillna("").str.strip()
        if is_split_column(name):
            table.words[name] = dict(enumerate(cells))
            continue
        values, known, words = _numbers(cells, decimal=decimal)
        if words and known.any():
            notes.append(f"'{clean_text(name, 60)}' holds text in {words} rows; they count as missing.")
        rows = np.flatnonzero(known)
        table.columns.setdefault(name, (rows, values[rows]))
    return to_series(table), tuple(notes)


def _numbers(cells: pd.Series, *, decimal: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Values, which of them are known (a logged NaN is), and how many cells hold something else."""
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
    odd = np.flatnonzero(np.isnan(values))
    lower = cells.iloc[odd].str.lower()
    logged_nan, missing = lower.isin(NOT_A_NUMBER).to_numpy(), lower.isin(MISSING).to_numpy()
    known = ~np.isnan(values)
    known[odd[logged_nan]] = True
    rest = odd[~logged_nan & ~missing]
    like_numbers = rest[cells.iloc[rest].str.fullmatch(r"[-+\d.,eE]+ ?%?").to_numpy(dtype=bool)]
    for row, cell in zip(like_numbers, cells.iloc[like_numbers], strict=True):
        if (value := number(decimal_comma(cell) if decimal else cell)) is not None:
            values[row], known[row] = value, True
    return values, known, int((~known[rest]).sum())


def _from_header(text: str) -> str:
    """The text from its header on; a header may stand in a comment above the numbers."""
    lines = text.lstrip().split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    if first == 0:
        return text.lstrip()
    cells = re.split(r"[,;\t ]+", lines[first].strip()) if first < len(lines) else []
    if first == len(lines) or all(number(cell) is not None for cell in cells):
        first -= 1
        lines[first] = lines[first].lstrip("# ")
    return "\n".join(lines[first:])


def _separator(text: str) -> str:
    header, _, rest = text.partition("\n")
    counts = {mark: header.count(mark) for mark in (";", "\t", ",")}
    best = max(counts, key=lambda mark: counts[mark])
    if counts[best]:
        return best
    widths = {len(line.split()) for line in (header, rest.partition("\n")[0])}
    return r"\s+" if len(widths) == 1 and widths != {1} else ","
