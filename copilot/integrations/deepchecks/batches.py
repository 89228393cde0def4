"""A split as the batches that Deepchecks reads, in its own formats (deepchecks.vision.VisionData)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from copilot.errors import InputError
from copilot.integrations.deepchecks.records import Split

MAX_BATCH, MAX_BATCH_BYTES = 64, 64_000_000
NO_CLASS = 255  # of a pixel, in an ImageSet's mask
NO_CLASS_NAME = "(no class)"
TASKS = {
    "classification": "classification",
    "detection": "object_detection",
    "segmentation": "semantic_segmentation",
}


class Batches:
    """Batches of a split; can be read again and again. Each call of `told` counts images that have been used.

    Labels and predictions are those of Deepchecks: for classification a class and a row of probabilities; for detection
    rows (class, x, y, width, height) and (x, y, width, height, score, class), the surest first; for segmentation a mask
    (h, w) and one channel a class (classes + 1, h, w). Deepchecks knows no pixel without a class, so these are a class
    of their own, which is also taken for predicted there.
    """

    def __init__(self, split: Split, told: Callable[[int], None] = lambda _: None) -> None:
        self.split, self.told = split, told
        channels = 3 + (len(split.class_names) + 1) * (split.images.task == "segmentation")
        self.size = int(np.clip(MAX_BATCH_BYTES // max(1, split.pixels * channels), 1, MAX_BATCH))

    def __len__(self) -> int:
        return -(-len(self.split) // self.size)

    def __iter__(self) -> Iterator[dict[str, list[Any]]]:
        for start in range(0, len(self.split), self.size):
            rows = range(start, min(start + self.size, len(self.split)))
            yield self._batch(rows)
            self.told(len(rows))

    def _batch(self, rows: Sequence[int]) -> dict[str, list[Any]]:
        images = [self.split.images.image(int(self.split.indices[row]), channels=3) for row in rows]
        of_task = {"classification": _classification, "detection": _detection, "segmentation": _segmentation}
        sides = [
            of_task[self.split.images.task](self.split, row, image.shape[:2])
            for row, image in zip(rows, images, strict=True)
        ]
        batch = {"images": images, "labels": [label for label, _ in sides]}
        if self.split.predictions is not None:
            batch["predictions"] = [prediction for _, prediction in sides]
        return batch


def shown_names(names: Sequence[str]) -> list[str]:
    """The report does not escape names, so they lose what HTML gives a meaning, and stay distinct."""
    plain = [re.sub(r"[<>&\"'`]", "_", name) for name in names]
    return [f"{name} ({i})" if plain.count(name) > 1 else name for i, name in enumerate(plain)]


def _classification(split: Split, row: int, _: tuple[int, int]) -> tuple[int, np.ndarray | None]:
    label = int(split.class_numbers[split.images.labels[split.indices[row]]])
    return label, None if split.predictions is None else split.predictions.probabilities[row]


def _detection(split: Split, row: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    labels = np.asarray(split.images.boxes(int(split.indices[row])), dtype=float).reshape(-1, 5)
    labels = _inside(labels, 1, shape)
    labels[:, 0] = split.class_numbers[labels[:, 0].astype(int)]
    if split.predictions is None:
        return labels, None
    given = _inside(np.asarray(split.predictions.boxes[row], dtype=float).reshape(-1, 6), 2, shape)
    given = given[np.argsort(-given[:, 1], kind="stable")]  # its confusion matrix counts places among the sure ones
    return labels, given[:, [2, 3, 4, 5, 1, 0]]


def _inside(boxes: np.ndarray, first: int, shape: tuple[int, int]) -> np.ndarray:
    """Boxes cut at the edges of the image, as Deepchecks refuses negative corners; those outside are left out."""
    boxes = boxes.copy()
    x, y = boxes[:, first], boxes[:, first + 1]
    right, bottom = x + boxes[:, first + 2], y + boxes[:, first + 3]
    x, right = x.clip(0, shape[1]), right.clip(0, shape[1])
    y, bottom = y.clip(0, shape[0]), bottom.clip(0, shape[0])
    boxes[:, first : first + 4] = np.stack([x, y, right - x, bottom - y], axis=1)
    return boxes[(right > x) & (bottom > y)]


def _segmentation(split: Split, row: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    index, free = int(split.indices[row]), len(split.class_names)
    mask = np.asarray(split.images.mask(index))
    _same_shape(split, index, mask, shape, "mask")
    numbers = np.full(256, free)
    numbers[: len(split.class_numbers)] = split.class_numbers
    label = numbers[mask]
    if split.predictions is None:
        return label, None
    given = np.asarray(split.predictions.masks[row])
    _same_shape(split, index, given, shape, "predicted mask")
    given = np.where(label == free, free, np.minimum(given, free))
    return label, (given[None] == np.arange(free + 1)[:, None, None]).astype(np.uint8)


def _same_shape(split: Split, index: int, mask: np.ndarray, shape: tuple[int, int], what: str) -> None:
    if mask.shape != shape:
        name, (height, width) = split.images.names[index], shape
        raise InputError(
            f"{name} has {width} x {height} pixels, its {what} {' x '.join(map(str, mask.shape[::-1]))}.",
            "Masks need the size of their images.",
        )
