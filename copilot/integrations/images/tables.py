"""Tables in text files: CSV and its relatives."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from copilot.errors import InputError
from copilot.integrations.images.files import MAX_TEXT_BYTES, has_image_ending, read_text
from copilot.utils.validators import clean_text

Rows = list[list[str]]


def read_table(path: Path, hint: str, limit: int = MAX_TEXT_BYTES) -> tuple[list[str], Rows]:
    """Header and rows of a CSV or TSV file; the delimiter is the one that is most frequent in the first line.

    A table of two columns whose first line names an image has no header; it is read as ``path`` and ``label``.

    Raises
    ------
    InputError
        It cannot be read, is empty or no table.
    """
    text = read_text(path, limit)
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise InputError(f"{clean_text(path)} is not a table: {clean_text(error)}.", hint) from error
    if not rows:
        raise InputError(f"{clean_text(path)} is empty.", hint)
    header = [cell.strip() for cell in rows[0]]
    if len(header) == 2 and has_image_ending(header[0]):
        return ["path", "label"], rows
    return header, rows[1:]


def find_column(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Position of the column with the first of `names` that there is; case, spaces and dashes do not matter."""
    plain = [cell.lower().replace(" ", "_").replace("-", "_") for cell in header]
    return next((plain.index(name) for name in names if name in plain), None)
