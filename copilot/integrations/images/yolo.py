"""Images for detection as Ultralytics keeps them: a text file of boxes for each image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.boxes import BoxedImages, clip_boxes
from copilot.integrations.images.files import (
    NoSplitsError,
    file_stamp,
    find_split,
    folders_in,
    folders_of,
    has_image_ending,
    image_files,
    inside,
    listed,
    read_text,
    refuse_splits,
)
from copilot.utils.validators import clean_text

MAX_YAML_BYTES = 10_000_000
MAX_LABEL_BYTES = 10_000_000
_HINT = "A data.yaml needs names and, for each split, a folder of images with one of labels beside it."
_SPLIT_KEYS = ("train", "val", "valid", "test", "minival")


class YoloImages(BoxedImages):
    """Images with one text file of boxes each (class, centre, width and height as shares of the image).

    The labels of ``.../images/a/b.jpg`` are ``.../labels/a/b.txt``, else the text file beside the image. Outlines
    (class and points) count as boxes by their bounds. An image without a text file has no objects.

    Parameters
    ----------
    path : str or Path
        ``data.yaml``, or a folder with ``images`` and ``labels``.
    split : str, optional
        Such as ``val``; may be left out where there is only one.

    Raises
    ------
    NotFoundError
        The file or its images are not there.
    InputError
        It is no such file or folder, or there is no such split.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path).expanduser()
        shown = clean_text(path)
        config = None if self.path.is_dir() else _config(self.path, shown)
        notes: list[str] = []
        if config is None:
            root = self.path
            pairs = list(_of_folder(root / "images", split, shown))
            near = next(filter(is_yolo_config, _settings_near(root)), None)
            config = _config(near, shown) if near else None
            places = [near] if near else []
        else:
            root = _root(self.path, config)
            places = _places(root, config, split, shown)
            pairs = list(_of_config(root, places, shown, notes))
        if not pairs:
            raise NotFoundError(f"{shown} leads to no images.", _HINT)
        files = [file for file, _ in pairs]
        self._labels = [_labels_of(file) for file in files]
        keypoints = bool(config and config.get("kpt_shape"))
        owners, boxes = _all_boxes(self._labels, keypoints, notes)
        class_names = _class_names(root, config, boxes)
        known = (boxes[:, 0] >= 0) & (boxes[:, 0] < len(class_names))
        if strange := int((~known).sum()):
            numbers = sorted({int(c) for c in boxes[~known, 0]})
            notes.append(
                f"{strange} boxes of classes without a name ({listed(numbers, 5)}) were left out; "
                f"there are {len(class_names)} names."
            )
        good = clip_boxes(boxes, 1.0, 1.0, notes) & known
        origin = str(path) if split is None else f"{path}#{split}"
        names = [name for _, name in pairs]
        super().__init__(
            origin, class_names, files, names, owners=owners[good], boxes=boxes[good], relative=True, notes=notes
        )
        self.read_from = [self.path, *places]

    def _stamp(self, index: int) -> object:
        return file_stamp(self._files[index]), file_stamp(self._labels[index])

    def _folders(self) -> Iterable[str]:
        return folders_of([*self._files, *self._labels])


def is_yolo_config(path: Path) -> bool:
    """Whether a file is a data.yaml: one that names classes."""
    try:
        return path.is_file() and bool(_config(path, path.name))
    except InputError:
        return False


def _config(path: Path, shown: str) -> dict[str, Any]:
    if not path.is_file():
        raise NotFoundError(f"Not found: {shown}", _HINT)
    try:
        config = yaml.safe_load(read_text(path, MAX_YAML_BYTES))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{shown} is not valid YAML: {clean_text(error, 80)}.", _HINT) from error
    if not isinstance(config, dict) or not isinstance(config.get("names"), list | dict):
        held = listed(config) if isinstance(config, dict) else "no mapping"
        raise InputError(f"{shown} has no names of classes; it holds: {held}.", _HINT)
    return config


def _root(path: Path, config: dict[str, Any]) -> Path:
    """The data set's folder: `path` of the file, from the file's folder, where it is there; else the file's folder."""
    named = config.get("path")
    places = [path.parent / named, Path(named)] if isinstance(named, str) and named and "\0" not in named else []
    return next((place for place in places if place.is_dir()), path.parent)


def _places(root: Path, config: dict[str, Any], split: str | None, shown: str) -> list[Path]:
    """The folders of images, and files that list some, of a split."""
    splits = [key for key in _SPLIT_KEYS if config.get(key)]
    found = find_split(split, splits) if split else (splits[0] if len(splits) == 1 else None)
    if found is None:
        said = f"has no split {clean_text(split, 40)}" if split else "holds several splits or none"
        raise InputError(f"{shown} {said}; its splits are: {listed(splits) or 'none'}.", f"Name one: {shown}#val.")
    places = []
    for place in config[found] if isinstance(config[found], list) else [config[found]]:
        # exports of Roboflow write ../train/images for a folder beside the file
        tries = [root / str(place), root / str(place).removeprefix("../")] if "\0" not in str(place) else []
        at = next((tried for tried in tries if tried.exists()), None)
        if at is None:
            raise NotFoundError(f"{shown} names {clean_text(place, 80)} for {found}, which is not there.", _HINT)
        places.append(at)
    return places


def _of_config(root: Path, places: list[Path], shown: str, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Path and name of each image of a split."""
    outside: list[str] = []
    for at in places:
        yield from _of_list(root, at, outside) if at.is_file() else _of_folder(at, None, shown, root)
    if outside:
        notes.append(f"{len(outside)} images were left out, since they lie outside the folder: {listed(outside, 3)}.")


def _of_list(root: Path, file: Path, outside: list[str]) -> Iterator[tuple[str, str]]:
    """Images that a text file lists, one a line; ``./`` starts at that file, as Ultralytics has it."""
    for line in filter(None, map(str.strip, read_text(file).splitlines())):
        path = inside(root, str(file.parent / line) if line.startswith("./") else line)
        if path is None:
            outside.append(line)
        elif has_image_ending(path):
            yield path, _name(root, path)


def _of_folder(folder: Path, split: str | None, shown: str, root: Path | None = None) -> Iterator[tuple[str, str]]:
    inner = folders_in(folder)
    if root is None and split is None:
        refuse_splits(inner, shown)
    if split is not None:
        found = find_split(split, inner)
        if found is None:
            kind = InputError if inner else NoSplitsError
            raise kind(
                f"{shown} has no split {clean_text(split, 40)} in images.", f"It has: {listed(inner) or 'none'}."
            )
        folder = folder / found
    for name in image_files(folder):
        yield str(folder / name), _name(root, str(folder / name)) if root else name


def _name(root: Path, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _labels_of(file: str) -> str:
    """Path of an image's text file; empty if it has none."""
    above, mark, below = file.rpartition(f"{os.sep}images{os.sep}")
    own = [f"{above}{os.sep}labels{os.sep}{below}"] if mark else []
    tries = (f"{os.path.splitext(path)[0]}.txt" for path in [*own, file])
    return next(filter(os.path.isfile, tries), "")


def _settings_near(root: Path) -> tuple[Path, Path]:
    return root / "data.yaml", root.resolve().parent / "data.yaml"


def _all_boxes(files: list[str], keypoints: bool, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The image of each box, and class, x, y, width, height as shares of the image."""
    owners: list[int] = []
    boxes: list[tuple[float, ...]] = []
    strange: list[str] = []
    for index, file in enumerate(files):
        try:
            text = read_text(file, MAX_LABEL_BYTES) if file else ""
        except InputError:
            strange.append(os.path.basename(file))
            continue
        for line in filter(None, map(str.split, text.splitlines())):
            if box := _box(line, keypoints):
                owners.append(index)
                boxes.append(box)
            else:
                strange.append(os.path.basename(file))
    if strange:
        notes.append(f"{len(strange)} lines that are no boxes were left out, such as in {clean_text(strange[0], 40)}.")
    return np.array(owners, dtype=np.int64), np.array(boxes, dtype=float).reshape(-1, 5)


def _box(words: list[str], keypoints: bool) -> tuple[float, ...] | None:
    try:
        label, *numbers = map(float, words)
    except ValueError:
        return None
    if label != label or label % 1 or abs(label) > 1e6:
        return None
    if len(numbers) in (4, 5) or (keypoints and len(numbers) > 5):  # the fifth is a confidence
        x, y, width, height = numbers[:4]
        return label, x - width / 2, y - height / 2, width, height
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        xs, ys = numbers[0::2], numbers[1::2]
        return label, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    return None


def _class_names(root: Path, config: dict[str, Any] | None, boxes: np.ndarray) -> list[str]:
    """Names from the settings, else from ``classes.txt``, else the numbers."""
    if config is not None:
        names = config["names"]
        if isinstance(names, list):
            return [str(name) if isinstance(name, str | int) else "" for name in names]
        by_number = {int(k): v for k, v in names.items() if str(k).isdecimal() and int(k) < 10_000}
        given = [by_number.get(i, i) for i in range(max(by_number, default=-1) + 1)]
        return [str(name) if isinstance(name, str | int) else str(i) for i, name in enumerate(given)]
    for file in (root / "classes.txt", root / "labels" / "classes.txt", root / "obj.names"):
        if file.is_file():
            return [line.strip() for line in read_text(file, MAX_LABEL_BYTES).splitlines() if line.strip()]
    numbers = boxes[(boxes[:, 0] >= 0) & (boxes[:, 0] < 10_000), 0]
    return [str(i) for i in range(int(numbers.max(initial=-1)) + 1)]
