"""Images and labels listed in a CSV or TSV file."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.files import (
    FileImages,
    NoSplitsError,
    find_split,
    integer_classes,
    listed,
)
from copilot.integrations.images.tables import find_column, read_table
from copilot.utils.validators import clean_text

FILE_COLUMNS = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_file",
    "image_name",
    "image_id",
    "img",
    "img_path",
    "name",
)
LABEL_COLUMNS = ("label", "class", "category", "target", "class_name", "label_name", "labels", "y", "diagnosis", "dx")
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "fold", "phase")
FOLDERS = ("images", "imgs", "img", "data")  # where files may lie that are listed by their bare names
_HINT = "It needs a column with the image's path, such as path, and one with its class, such as label."


class ImageManifest(FileImages):
    """Labelled images listed in a table with a header; a table of two columns needs none.

    The columns are found by their usual names (`FILE_COLUMNS`, `LABEL_COLUMNS`, `SPLIT_COLUMNS`), whatever their case;
    others are passed over. Paths are relative to the table's folder, or to ``images`` in it if they are not there.
    The list is the person's own, so that it may name any file of theirs. Classes are those of the whole
    table, so that a label means the same in each split. An image without a label is left out, and of rows that name the
    same image the first counts.

    Parameters
    ----------
    path : str or Path
        CSV or TSV; the delimiter (``,`` ``;`` tab ``|``) and the encoding are told from the text.
    split : str, optional
        Read only the rows of this split; ``val`` finds ``validation`` too.

    Raises
    ------
    NotFoundError
        The file is not there.
    InputError
        A column or the split is missing, or no row is left.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path).expanduser()
        shown = clean_text(path)
        if not self.path.is_file():
            raise NotFoundError(f"Table of images not found: {shown}", "Pass a CSV file with a path and a label a row.")
        header, rows = read_table(self.path, _HINT)
        at_file = _column(header, FILE_COLUMNS, f"the images' paths, such as {', '.join(FILE_COLUMNS[:4])}", shown)
        at_label = _column(header, LABEL_COLUMNS, f"the classes, such as {', '.join(LABEL_COLUMNS[:4])}", shown)
        notes: list[str] = []
        rows = _full(rows, at_file, at_label, notes)
        class_names, labels = _classes([row[at_label] for row in rows])
        chosen = _of_split(header, rows, split, shown, notes)
        chosen = _without_repeats(rows, labels, chosen, at_file, notes)
        if not chosen:
            raise InputError(f"{shown} lists no image with a label.", _HINT)
        names = [rows[i][at_file].replace("\\", "/") for i in chosen]
        root = _root(self.path.parent, names)
        files = [os.path.join(root, name) for name in names]
        origin = str(path) if split is None else f"{path}#{split}"
        super().__init__(origin, class_names, files, names, labels[chosen], notes=notes)
        self.read_from = [self.path]


def _column(header: list[str], names: tuple[str, ...], what: str, shown: str) -> int:
    found = find_column(header, names)
    if found is None:
        raise InputError(f"{shown} has no column with {what}.", f"Its columns are: {listed(header, 20)}.")
    return found


def _full(rows: list[list[str]], at_file: int, at_label: int, notes: list[str]) -> list[list[str]]:
    """Rows that name an image and its class; a negative number is the usual mark of no class."""
    width = max(at_file, at_label) + 1
    for row in rows:
        row += [""] * (width - len(row))
        row[at_label] = row[at_label].strip()
        row[at_file] = row[at_file].strip(" \t")
    full = [row for row in rows if row[at_file] and row[at_label] and not _is_negative(row[at_label])]
    if lost := len(rows) - len(full):
        notes.append(f"{lost} rows without a path or a label were left out.")
    return full


def _is_negative(label: str) -> bool:
    return label.startswith("-") and label[1:].removesuffix(".0").isdecimal()


def _classes(labels: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names in order, and the index of each label; numbers such as 3 or 3.0 are ordered as numbers."""
    numbers = [label.removesuffix(".0") for label in labels]
    if all(number.isascii() and number.isdecimal() and len(number) < 18 for number in numbers):
        return integer_classes(np.array([int(number) for number in numbers], dtype=np.int64))
    names = sorted(set(labels))
    index = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([index[label] for label in labels], dtype=np.int64)


def _of_split(header: list[str], rows: list[list[str]], split: str | None, shown: str, notes: list[str]) -> list[int]:
    at = find_column(header, SPLIT_COLUMNS)
    if at is None:
        if split is None:
            return list(range(len(rows)))
        what = f"the splits, such as {SPLIT_COLUMNS[0]}, so that it has no {clean_text(split, 40)}"
        raise NoSplitsError(f"{shown} has no column with {what}.", f"Its columns are: {listed(header, 20)}.")
    cells = [row[at].strip() if at < len(row) else "" for row in rows]
    counts = Counter(cells)
    told = ", ".join(f"{clean_text(name, 40) or 'none'} ({n})" for name, n in counts.most_common(8))
    if split is None:
        notes.append(f"All rows were read, whatever their {clean_text(header[at], 40)}: {told}.")
        return list(range(len(rows)))
    found = find_split(split, counts)
    if found is None:
        raise InputError(f"{shown} has no rows of the split {clean_text(split, 40)}.", f"It has: {told or 'no rows'}.")
    return [i for i, cell in enumerate(cells) if cell == found]


def _without_repeats(
    rows: list[list[str]], labels: np.ndarray, chosen: list[int], at_file: int, notes: list[str]
) -> list[int]:
    first: dict[str, int] = {}
    repeats = conflicts = 0
    for i in chosen:
        before = first.setdefault(os.path.normpath(rows[i][at_file].replace("\\", "/")), i)
        repeats += before != i
        conflicts += bool(labels[before] != labels[i])
    if repeats:
        notes.append(f"{repeats} rows name an image again and were left out; {conflicts} of them give another class.")
    return list(first.values())


def _root(folder: Path, names: list[str]) -> Path:
    """The folder that paths start from: that of the table, unless only a folder of images in it has the first ones."""

    below = list(islice((name for name in names if not os.path.isabs(name) and not name.startswith("..")), 5))

    def has_one(root: Path) -> bool:
        return any("\0" not in name and os.path.exists(os.path.join(root, name)) for name in below)

    return next((root for root in (folder, *(folder / name for name in FOLDERS)) if has_one(root)), folder)
