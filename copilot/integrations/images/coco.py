"""Images with COCO annotations: boxes for detection, masks for segmentation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.base import Task
from copilot.integrations.images.boxes import BoxedImages, clip_boxes
from copilot.integrations.images.coco_masks import instance_mask
from copilot.integrations.images.files import file_stamp, find_split, folders_in, inside, is_folder, listed, read_text
from copilot.utils.validators import clean_text

MAX_BYTES = 1_000_000_000
MAX_MASK_CLASSES = 254
MAX_NOTES = 30
NO_CLASS = 255
BACKGROUND = "background"
_HINT = "Pass a COCO instances file: images, annotations and categories."


class CocoImages(BoxedImages):
    """Images with the objects that a COCO ``instances`` file gives them.

    Categories are classes in the order of their ids, which need not be contiguous. Boxes are cut at the edges of
    their image. Crowds (``iscrowd``) are no objects: as boxes they are left out, as pixels they have no class. For
    segmentation the first class is the background, and of objects that overlap the smaller one is in front.

    Parameters
    ----------
    path : str or Path
        The JSON file. Images are looked for beside it, in ``images``, in a folder named like the split, and
        in the folder above; a ``file_name`` that leads out of there is refused.
    task : {"detection", "segmentation"}, default "detection"

    Attributes
    ----------
    image_ids : tuple
        COCO's id of each image.
    category_ids : tuple
        COCO's id of each class; without the background.

    Raises
    ------
    NotFoundError
        The file or its images are not there.
    InputError
        It is no COCO instances file.
    """

    def __init__(self, path: str | Path, task: Task = "detection") -> None:
        self.path = Path(path).expanduser()
        shown = clean_text(path)
        if not self.path.is_file():
            raise NotFoundError(f"COCO file not found: {shown}", _HINT)
        document = _document(self.path, shown)
        categories = {_id(c): str(c.get("name", _id(c))) for c in document["categories"] if _id(c) is not None}
        self.category_ids = tuple(sorted(categories, key=lambda i: (isinstance(i, str), i)))
        notes: list[str] = []
        rows, files = _images(document["images"], self.path, shown, notes)
        self.image_ids = tuple(row["id"] for row in rows)
        sizes = np.array([_size(row) for row in rows]).reshape(-1, 2)
        self._sizes = sizes
        kept, owners, boxes = _objects(document["annotations"], self.image_ids, self.category_ids, sizes, notes)
        names = [row["file_name"] for row in rows]
        class_names = [categories[i] for i in self.category_ids]
        if task == "segmentation":
            class_names = [BACKGROUND, *class_names]
            self._take_segments(document["annotations"], owners, boxes, kept, shown)
        crowd = np.array([bool(document["annotations"][k].get("iscrowd")) for k in kept], dtype=bool)
        if crowd.any():
            notes.append(f"{int(crowd.sum())} crowds are not counted as objects.")
        super().__init__(str(path), class_names, files, names, owners=owners[~crowd], boxes=boxes[~crowd], notes=notes)
        self.task = task
        self.read_from = [self.path]
        self._file_stamp = file_stamp(self.path) if task == "segmentation" else None

    def size_of(self, index: int) -> tuple[int, int]:
        width, height = self._sizes[index]
        return (int(width), int(height)) if np.isfinite([width, height]).all() else super().size_of(index)

    def mask(self, index: int) -> np.ndarray:
        """Class of each pixel: 0 is the background, 255 a crowd or the box of an object that cannot be drawn.

        Raises
        ------
        InputError
            The image's size is not known and cannot be read.
        MissingExtraError
            There are polygons and pycocotools is not installed.
        """
        width, height = self.size_of(index)
        mask = np.zeros((height, width), np.uint8)
        for label, box, segmentation, is_crowd in self._segments.get(index, ()):
            try:
                pixels = instance_mask(segmentation, width, height)
            except (ValueError, TypeError) as error:
                self._note_undrawn(index, error)
                x, y, right, bottom = box
                mask[int(y) : int(np.ceil(bottom)), int(x) : int(np.ceil(right))] = NO_CLASS
                continue
            mask[pixels & (mask == 0) if is_crowd else pixels] = NO_CLASS if is_crowd else label + 1
        return mask

    def _note_undrawn(self, index: int, error: Exception) -> None:
        note = f"An object in {self.names[index]} has {clean_text(error, 120)}; its box counts as no class."
        if note not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes += (note,)

    def _take_segments(self, annotations: list, owners: np.ndarray, boxes: np.ndarray, kept: list, shown: str) -> None:
        """What `mask` draws of each image: large objects first, crowds last where nothing else is."""
        if len(self.category_ids) > MAX_MASK_CLASSES:
            raise InputError(f"{shown} has {len(self.category_ids)} categories; masks hold {MAX_MASK_CLASSES}.", _HINT)
        self._segments: dict[int, list[tuple[int, np.ndarray, Any, bool]]] = {}
        crowd = [bool(annotations[k].get("iscrowd")) for k in kept]
        area = boxes[:, 3] * boxes[:, 4]
        corners = np.concatenate([boxes[:, 1:3], boxes[:, 1:3] + boxes[:, 3:5]], axis=1)
        for at in sorted(range(len(kept)), key=lambda i: (crowd[i], -area[i])):
            if segmentation := annotations[kept[at]].get("segmentation"):
                found = int(boxes[at, 0]), corners[at], segmentation, crowd[at]
                self._segments.setdefault(int(owners[at]), []).append(found)

    def _stamp(self, index: int) -> object:
        return super()._stamp(index), self._file_stamp


def find_annotations(folder: Path, split: str | None) -> Path | None:
    """The instances file of a COCO data set in `folder`, or None where there are none.

    Raises
    ------
    InputError
        There are several and none of them is of `split`.
    """
    places = [folder / "annotations", folder]
    files = {f.stem: f for place in reversed(places) if place.is_dir() for f in sorted(place.glob("instances_*.json"))}
    exported = [folder / split / "_annotations.coco.json" for split in folders_in(folder)[:50]]  # by Roboflow
    files |= {f"instances_{file.parent.name}": file for file in exported if file.is_file()}
    if (folder / "_annotations.coco.json").is_file() and not split:
        return folder / "_annotations.coco.json"
    if not files:
        return None
    splits = {name.removeprefix("instances_"): file for name, file in files.items()}
    if split is None and len(splits) == 1:
        return next(iter(splits.values()))
    plain = {name.rstrip("0123456789") or name: name for name in splits}  # val for val2017
    found = find_split(split or "", splits) or plain.get(find_split(split or "", plain) or "")
    if found is None:
        said = f"no split {clean_text(split, 40)}" if split else "several splits"
        raise InputError(
            f"{clean_text(folder)} holds {said}.", f"Name one of: {listed(splits)}, as in PATH#{next(iter(splits))}."
        )
    return splits[found]


def _document(path: Path, shown: str) -> dict[str, list[dict]]:
    try:
        document = json.loads(read_text(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown} is not valid JSON: {clean_text(error, 80)}.", _HINT) from error
    parts = ("images", "annotations", "categories")
    found = document if isinstance(document, dict) else {}
    if missing := [part for part in parts if not isinstance(found.get(part), list)]:
        held = listed(found) or f"a {type(document).__name__}"
        raise InputError(f"{shown} has no list of {' and '.join(missing)}; it holds: {held}.", _HINT)
    return {part: [row for row in found[part] if isinstance(row, dict)] for part in parts}


def _id(row: dict, key: str = "id") -> int | str | None:
    value = row.get(key)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _size(row: dict) -> tuple[float, float]:
    def number(value: Any) -> float:
        return value if isinstance(value, int) and 0 < value <= 1_000_000 else np.inf

    return number(row.get("width")), number(row.get("height"))


def _images(rows: list[dict], path: Path, shown: str, notes: list[str]) -> tuple[list[dict], list[str]]:
    """Rows of images whose files lie below the folder of images, each once, and their paths."""
    named = {_id(row): row for row in rows if _id(row) is not None and isinstance(row.get("file_name"), str)}
    if lost := len(rows) - len(named):
        notes.append(f"{lost} images without a name or with the id of another were left out.")
    if not named:
        raise InputError(f"{shown} lists no images.", _HINT)
    root = _root(path, [row["file_name"] for row in named.values()], shown)
    placed = [(row, inside(root, row["file_name"])) for row in named.values()]
    if outside := [row["file_name"] for row, file in placed if file is None]:
        notes.append(f"{len(outside)} images were left out, since they lie outside the folder: {listed(outside, 3)}.")
    kept = [(row, file) for row, file in placed if file is not None]
    if not kept:
        raise InputError(f"All images of {shown} lie outside its folder.", "Name them relative to it.")
    return [row for row, _ in kept], [file for _, file in kept]


def _root(path: Path, names: list[str], shown: str) -> Path:
    """The folder that has one of the first images."""
    split = path.stem.removeprefix("instances_")
    above = path.parent.parent
    places = [path.parent / "images" / split, path.parent / "images", path.parent / split, path.parent]
    places += [above / split, above / "images" / split, above / "images", above]
    for place in places:
        found = (inside(place, name) for name in names[:20])
        if is_folder(place) and any(file and os.path.isfile(file) for file in found):
            return place
    raise NotFoundError(
        f"The images of {shown} are not there, such as {clean_text(names[0], 80)}.",
        f"Put them into a folder 'images' or '{clean_text(split, 40)}' beside the file, or beside its folder.",
    )


def _objects(
    annotations: list[dict], image_ids: tuple, category_ids: tuple, sizes: np.ndarray, notes: list[str]
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Positions of the annotations that count, their images, and their boxes."""
    image_at = {key: i for i, key in enumerate(image_ids)}
    class_at = {key: i for i, key in enumerate(category_ids)}
    kept, owners, boxes, strange = [], [], [], 0
    for at, row in enumerate(annotations):
        image, label = image_at.get(_id(row, "image_id")), class_at.get(_id(row, "category_id"))
        box = box_of(row)
        if image is None or label is None or box is None:
            strange += 1
            continue
        kept.append(at)
        owners.append(image)
        boxes.append((label, *box))
    if strange:
        notes.append(f"{strange} annotations of unknown images or categories, or without a box, were left out.")
    found = np.array(boxes, dtype=float).reshape(-1, 5)
    owner = np.array(owners, dtype=np.int64)
    good = clip_boxes(found, sizes[owner, 0], sizes[owner, 1], notes)
    return [at for at, fine in zip(kept, good, strict=True) if fine], owner[good], found[good]


def box_of(row: dict) -> tuple[float, float, float, float] | None:
    """x, y, width and height of an annotation or result, or None."""
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(type(v) in (int, float) and abs(v) < 1e9 for v in box):
        return None
    return tuple(map(float, box))
