"""Predictions that somebody has already made, read from a file instead of asking a model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.files import listed, read_text
from copilot.integrations.images.manifest import FILE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS
from copilot.integrations.images.npz import Npz
from copilot.integrations.images.tables import Rows, find_column, read_table
from copilot.integrations.predictions import Predictions
from copilot.integrations.predictions_coco import coco_predictions
from copilot.integrations.predictions_values import as_probabilities, from_classes
from copilot.probes.base import Certainty
from copilot.utils.validators import clean_text

MAX_BYTES = 300_000_000
PREDICTED_COLUMNS = ("predicted", "prediction", "pred", "predicted_label", "predicted_class", "y_pred")
CONFIDENCE_COLUMNS = ("confidence", "score", "probability", "prob", "conf")
OTHER_COLUMNS = (*LABEL_COLUMNS, *SPLIT_COLUMNS, "index", "id", "true", "y_true", "true_label", "")
PREFIXES = ("prob_", "proba_", "probability_", "p_", "score_", "logit_", "class_")
PROBABILITY_KEYS = ("probabilities", "probs", "proba", "y_prob", "y_proba", "scores", "logits", "outputs")
CLASS_KEYS = ("predicted", "predictions", "y_pred", "pred")
NAME_KEYS = ("names", "filenames", "file_names", "files", "paths", "images")
_HINT = (
    "Pass a CSV (image, one column a class; or image, predicted, confidence), an .npz (probabilities, names), "
    "or COCO results in .json."
)


def read_predictions(path: str | Path, image_set: ImageSet) -> Predictions:
    """Predictions for the images of a set.

    Images are found by their whole name in the set, by the end of a longer path, then by their file name, with or
    without its ending, where only one image has it. Images without a prediction are left out and counted in ``notes``;
    in COCO results an image without a row is one in which nothing was found.

    Parameters
    ----------
    path : str or Path
        CSV or TSV: image and one column for each class, or image, ``predicted`` and, if there is one, ``confidence``.
        ``.npz``: ``probabilities`` in the order of the set, or with ``names``; ``predicted`` classes do as well.
        ``.json``: COCO results, boxes for detection or run lengths for segmentation.
    image_set : ImageSet

    Returns
    -------
    Predictions
        Rows that hold negative numbers are taken for logits and go through a softmax; percentages are divided by 100.

    Raises
    ------
    NotFoundError
        The file is not there.
    InputError
        It is of another form or for another task, has classes that the set does not know, or numbers that are no
        probabilities.
    """
    file, shown = Path(path).expanduser(), clean_text(path)
    if not file.is_file():
        raise NotFoundError(f"Predictions not found: {shown}", _HINT)
    kind = file.suffix.lower()
    if kind == ".json":
        return coco_predictions(_json(file, shown), image_set, shown)
    if kind not in (".csv", ".tsv", ".npz"):
        raise InputError(f"{shown} is a {kind or 'file without an ending'}, no file of predictions.", _HINT)
    if image_set.task != "classification":
        raise InputError(f"{shown} can hold classes only, but the images are labelled for {image_set.task}.", _HINT)
    return _from_npz(file, image_set, shown) if kind == ".npz" else _from_table(file, image_set, shown)


class NameFinder:
    """Finds the image of a set that a file calls by a name, in a way of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        self._whole = {name: i for i, name in enumerate(names)}
        self._files = _only_ones(names, lambda name: name.rpartition("/")[2])
        self._stems = _only_ones(names, _stem)

    def find(self, name: str) -> int | None:
        """Position in the set, or None."""
        name = clean_text(name.replace("\\", "/")).removeprefix("./")
        parts = name.split("/")
        for start in range(len(parts)):
            if (found := self._whole.get("/".join(parts[start:]))) is not None:
                return found
        found = self._files.get(parts[-1])
        return self._stems.get(_stem(name)) if found is None else found


def _stem(name: str) -> str:
    file = name.rpartition("/")[2]
    return file.rpartition(".")[0] or file


def _only_ones(names: Sequence[str], key) -> dict[str, int]:
    keys = [key(name) for name in names]
    counts = Counter(keys)
    return {k: i for i, k in enumerate(keys) if counts[k] == 1}


def _json(file: Path, shown: str) -> object:
    try:
        return json.loads(read_text(file, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown} is not valid JSON: {clean_text(error, 80)}.", _HINT) from error


def _from_table(file: Path, image_set: ImageSet, shown: str) -> Predictions:
    header, rows = read_table(file, _HINT, MAX_BYTES)
    at_name = find_column(header, FILE_COLUMNS)
    if at_name is None:
        raise InputError(f"{shown} has no column with the images' names.", f"Its columns are: {listed(header, 20)}.")
    notes: list[str] = []
    rows = [row + [""] * (len(header) - len(row)) for row in rows]
    indices, kept = _matched([row[at_name] for row in rows], image_set, shown, notes)
    rows = [rows[k] for k in kept]
    columns = _class_columns(header, at_name, image_set.class_names)
    at_class = find_column(header, PREDICTED_COLUMNS)
    if columns and (unknown := [header[c] for c, name in columns.items() if name is None]) and at_class is None:
        raise _unknown(shown, unknown, image_set)
    columns = {c: name for c, name in columns.items() if name is not None}
    if len(columns) > 1 or (columns and at_class is None):
        values = _numbers([[row[c] for c in columns] for row in rows], shown)
        return _finished(image_set, indices, list(columns.values()), as_probabilities(values, shown, notes), notes)
    if at_class is None:
        expected = f"a column for each of the classes {listed(image_set.class_names)}, or one called predicted"
        raise InputError(f"{shown} holds no predictions; expected {expected}.", f"It has: {listed(header, 20)}.")
    at_confidence = find_column(header, CONFIDENCE_COLUMNS)
    sure = None if at_confidence is None else _numbers([[row[at_confidence]] for row in rows], shown)[:, 0]
    predicted = _class_numbers([row[at_class].strip() for row in rows], image_set, shown)
    probabilities = from_classes(predicted, sure, len(image_set.class_names), shown, notes)
    certainty = "classes" if sure is None else "confidence"
    return _finished(image_set, indices, list(image_set.class_names), probabilities, notes, certainty)


def _class_columns(header: list[str], at_name: int, class_names: tuple[str, ...]) -> dict[int, str | None]:
    """Class of each column that could hold one; None where the set has no such class."""
    found: dict[int, str | None] = {}
    others = {at for names in (PREDICTED_COLUMNS, CONFIDENCE_COLUMNS) if (at := find_column(header, names)) is not None}
    for at, cell in enumerate(header):
        name = clean_text(cell, 80)
        bare = next((name[len(p) :] for p in PREFIXES if name.lower().startswith(p)), name)
        known = next((n for n in (name, bare) if n in class_names), None)
        passed = at == at_name or at in others or find_column([cell], (*OTHER_COLUMNS, *FILE_COLUMNS)) is not None
        if known is not None and at != at_name and known not in found.values():
            found[at] = known
        elif not passed:
            found[at] = None
    return found


def _class_numbers(texts: list[str], image_set: ImageSet, shown: str) -> np.ndarray:
    index = {name: i for i, name in enumerate(image_set.class_names)}
    names = [clean_text(text, 80) for text in texts]
    if unknown := sorted({name for name in names if name not in index}):
        raise _unknown(shown, unknown, image_set)
    return np.array([index[name] for name in names], dtype=np.int64)


def _unknown(shown: str, unknown: Sequence[str], image_set: ImageSet) -> InputError:
    return InputError(
        f"{shown} has classes that the images do not have: {listed(unknown)}.",
        f"Expected: {listed(image_set.class_names, 20)}.",
    )


def _numbers(cells: Rows, shown: str) -> np.ndarray:
    try:
        return np.array([[float(cell) for cell in row] for row in cells], dtype=float)
    except ValueError as error:
        raise InputError(f"{shown} holds something else than numbers: {clean_text(error, 100)}.", _HINT) from error


def _matched(names: list[str], image_set: ImageSet, shown: str, notes: list[str]) -> tuple[np.ndarray, list[int]]:
    """Images that rows are about, in the order of the set, and the row of each; the first row of an image counts."""
    finder = NameFinder(image_set.names)
    found = [finder.find(name) for name in names]
    first: dict[int, int] = {}
    for row, index in enumerate(found):
        if index is not None:
            first.setdefault(index, row)
    strange = [name for name, index in zip(names, found, strict=True) if index is None]
    if not first:
        raise InputError(
            f"{shown} names no image of {image_set.origin}; it names {listed(strange, 2) or 'none'}.",
            f"Expected names such as {listed(image_set.names, 2)}.",
        )
    if strange:
        notes.append(f"{len(strange)} rows name no image of the set, or several: {listed(strange, 3)}.")
    if repeats := len(names) - len(strange) - len(first):
        notes.append(f"{repeats} rows name an image again and were left out.")
    if missing := len(image_set) - len(first):
        notes.append(f"{missing} of {len(image_set)} images have no prediction and were left out.")
    indices = np.array(sorted(first), dtype=np.int64)
    return indices, [first[i] for i in indices.tolist()]


def _from_npz(path: Path, image_set: ImageSet, shown: str) -> Predictions:
    file = Npz(path)
    notes: list[str] = []
    told = "It holds: " + ", ".join(f"{clean_text(k, 40)} {s}" for k, s in list(file.shapes.items())[:12]) + "."
    keys = [k for k in (*PROBABILITY_KEYS, *CLASS_KEYS) if k in file.shapes]
    key = keys[0] if keys else next(iter(file.shapes)) if len(file.shapes) == 1 else None
    if key is None:
        raise InputError(f"{shown} holds no array called {', '.join(PROBABILITY_KEYS[:3])} or predicted.", told)
    values = file.whole(key)
    at_names = next((k for k in NAME_KEYS if k in file.shapes and file.kinds[k].kind in "US"), None)
    if at_names is not None:
        names = [n.decode("utf-8", "replace") if isinstance(n, bytes) else n for n in file.whole(at_names).tolist()]
    n = len(image_set) if at_names is None else len(names)
    if values.ndim not in (1, 2) or len(values) != n or values.dtype.kind not in "fiuUS":
        what = f"{n} rows, one for each {'image of the set' if at_names is None else 'name'}"
        raise InputError(f"{key} in {shown} has the shape {values.shape} of {values.dtype}; expected {what}.", told)
    if at_names is None:
        indices = np.arange(n)
    else:
        indices, kept = _matched(names, image_set, shown, notes)
        values = values[kept]
    if values.ndim == 2:
        class_names = _npz_classes(file, values.shape[1], image_set, shown)
        return _finished(image_set, indices, class_names, as_probabilities(values, shown, notes), notes)
    if values.dtype.kind == "f" and (values % 1).any():
        raise InputError(f"{key} in {shown} holds one number an image; expected one for each class.", told)
    texts = values.astype(np.int64).astype(str) if values.dtype.kind == "f" else values.astype(str)
    known = image_set.class_names
    if values.dtype.kind in "fiu" and values.size and values.min() >= 0 and values.max() < len(known):
        predicted = values.astype(np.int64)
    else:
        predicted = _class_numbers(texts.tolist(), image_set, shown)
    certain = from_classes(predicted, None, len(known), shown, notes)
    return _finished(image_set, indices, list(known), certain, notes, "classes")


def _npz_classes(file: Npz, n: int, image_set: ImageSet, shown: str) -> list[str]:
    given = next((k for k in ("class_names", "classes") if k in file.shapes and file.kinds[k].kind == "U"), None)
    names = [clean_text(n, 80) for n in file.whole(given).tolist()] if given else list(image_set.class_names)
    if unknown := [name for name in names if name not in image_set.class_names]:
        raise _unknown(shown, unknown, image_set)
    if len(names) != n or len(set(names)) != n:
        raise InputError(
            f"{shown} has {n} columns of probabilities; expected {len(names)}, one for each class.",
            f"The classes are: {listed(names, 20)}. Save class_names beside them if the model knows fewer.",
        )
    return names


def _finished(
    image_set: ImageSet,
    indices: np.ndarray,
    class_names: list[str],
    probabilities: np.ndarray,
    notes: list[str],
    certainty: Certainty = "probabilities",
) -> Predictions:
    """Predictions whose classes are the model's, then those that only the images have."""
    own = [name for name in image_set.class_names if name not in class_names]
    if own:
        notes.append(f"Classes that the predictions do not know: {listed(own)}.")
    together = [*class_names, *own]
    place = np.array([together.index(name) for name in image_set.class_names], dtype=np.int64)
    return Predictions(
        task="classification",
        class_names=tuple(together),
        indices=np.asarray(indices, dtype=np.int64),
        labels=place[image_set.labels[indices]],
        probabilities=np.pad(probabilities, ((0, 0), (0, len(own)))),
        certainty=certainty,
        notes=tuple(notes),
    )
