"""COCO results as predictions: boxes for detection, run lengths for segmentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.coco import CocoImages, box_of
from copilot.integrations.images.coco_masks import instance_mask
from copilot.integrations.images.files import listed
from copilot.integrations.predictions import Predictions
from copilot.utils.validators import clean_text

_HINT = "Pass a list of results: image_id, category_id, score, and bbox or segmentation."


def coco_predictions(rows: Any, image_set: ImageSet, shown: str) -> Predictions:
    """Predictions from the rows of a COCO results file.

    Ids are those of the COCO file that the images come from; for other images ``image_id`` is the name of the file
    without its ending, as Ultralytics writes it, and ``category_id`` the class. Every image of the set has a
    prediction: of those without a row, that nothing is in them.

    Parameters
    ----------
    rows : object
        What the JSON held.
    image_set : ImageSet
    shown : str
        What the file is called in errors.

    Raises
    ------
    InputError
        It is no list of results, for another task, of images that are not in the set, or has scores outside 0 to 1 or
        categories that are not known.
    """
    what = {"detection": "bbox", "segmentation": "segmentation"}.get(image_set.task)
    if what is None:
        raise InputError(f"{shown} holds COCO results, but the images are labelled for {image_set.task}.", _HINT)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{shown} holds no list of COCO results, but a {type(rows).__name__}.", _HINT)
    image_at, class_at = _ids(image_set)
    found: dict[int, list[tuple[int, float, Any]]] = {}
    strange: list[Any] = []
    empty = 0
    for row in rows:
        index = image_at.get(_key(row.get("image_id")))
        if index is None:
            strange.append(row.get("image_id"))
            continue
        label = _class_of(row, class_at, image_set, shown)
        value = box_of(row) if what == "bbox" else row.get(what)
        if value is None:
            raise InputError(f"A result in {shown} has no valid {what}; it holds: {listed(row)}.", _HINT)
        if what == "bbox" and not (value[2] > 0 and value[3] > 0):
            empty += 1
            continue
        found.setdefault(index, []).append((label, _score(row, shown), value))
    if rows and len(strange) == len(rows):
        raise InputError(
            f"{shown} names no image of {image_set.origin}; it names {listed(strange, 3)}.",
            f"Expected ids such as {listed(image_at, 3)}.",
        )
    notes = []
    if strange:
        notes.append(f"{len(strange)} results of images that are not in the set were left out.")
    if empty:
        notes.append(f"{empty} boxes without area were left out.")
    if silent := len(image_set) - len(found):
        notes.append(f"In {silent} of {len(image_set)} images nothing was found.")
    items = [found.get(i, []) for i in range(len(image_set))]
    held = {"boxes": [_boxes(own) for own in items]} if what == "bbox" else {"masks": ResultMasks(items, image_set)}
    return Predictions(
        task=image_set.task,
        class_names=image_set.class_names,
        indices=np.arange(len(image_set)),
        labels=np.full(len(image_set), -1),
        notes=tuple(notes),
        **held,
    )


class ResultMasks(Sequence):
    """The class of each pixel of each image, drawn when it is asked for; where objects overlap the surer is in front.

    Parameters
    ----------
    items : list of list of (class, score, segmentation)
    image_set : ImageSet
    """

    def __init__(self, items: list[list[tuple[int, float, Any]]], image_set: ImageSet) -> None:
        self._items, self._images = items, image_set

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 of shape (h, w).

        Raises
        ------
        InputError
            A segmentation cannot be drawn.
        """
        if not 0 <= index < len(self._items):
            raise IndexError(index)
        images = self._images
        width, height = images.size_of(index) if isinstance(images, CocoImages) else images.mask(index).shape[::-1]
        mask = np.zeros((height, width), np.uint8)
        for label, _, segmentation in sorted(self._items[index], key=lambda item: item[1]):
            try:
                mask[instance_mask(segmentation, width, height)] = label
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"A result for {images.names[index]} has {clean_text(error, 120)}.", "Mend its segmentation."
                ) from error
        return mask


def _ids(image_set: ImageSet) -> tuple[dict[str, int], dict[str, int]]:
    """Positions of images and classes by id."""
    if isinstance(image_set, CocoImages):
        first = len(image_set.class_names) - len(image_set.category_ids)  # the background
        classes = {_key(c): i for i, c in enumerate(image_set.category_ids, first)}
        return {_key(i): at for at, i in enumerate(image_set.image_ids)}, classes
    stems = [name.rpartition("/")[2].rpartition(".")[0] for name in image_set.names]
    counts = Counter(map(_key, stems))
    images = {_key(stem): i for i, stem in enumerate(stems) if counts[_key(stem)] == 1}
    return images, {str(i): i for i in range(len(image_set.class_names))}


def _key(value: Any) -> str:
    """An id as text: Ultralytics makes numbers of names such as 000042."""
    text = clean_text(value) if isinstance(value, str | int) else ""
    return text.lstrip("0") or "0" if text.isdecimal() else text


def _class_of(row: dict, class_at: dict[str, int], image_set: ImageSet, shown: str) -> int:
    label = class_at.get(_key(row.get("category_id")))
    if label is None:
        raise InputError(
            f"{shown} has the category {clean_text(row.get('category_id'), 40)}, which the images do not have.",
            f"Expected: {listed(class_at, 12)} ({listed(image_set.class_names, 6)}).",
        )
    return label


def _score(row: dict, shown: str) -> float:
    score = row.get("score")
    if type(score) not in (int, float) or not 0 <= score <= 1:
        raise InputError(f"{shown} has a score of {clean_text(score, 40)}; expected 0 to 1.", _HINT)
    return float(score)


def _boxes(items: list[tuple[int, float, Any]]) -> np.ndarray:
    return np.array([(label, score, *box) for label, score, box in items], dtype=float).reshape(-1, 6)
