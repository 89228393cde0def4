"""Small image sets with predictions: rectangles of two colours as boxes or as masks, and folders of classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.predictions import Predictions

SIZE = 40
CLASSES = ("red <b>", "blue")
COLOURS = np.array([[220, 40, 30], [30, 60, 220]])


def write_annotated(folder: Path, task: str, n: int, seed: int, *, dark: bool = False, error: float = 0.0) -> Path:
    """A set of `n` images in `folder` and, beside it, a model's predictions of it; gives the predictions' file.

    `error` is how far predicted boxes are shifted, as a share of their size. The first image is black, the second has
    no object, and one mask has pixels without a class.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    all_boxes, masks, names = [], [], []
    for number in range(n):
        image = rng.integers(90, 130, (SIZE, SIZE, 3))
        mask = np.full((SIZE, SIZE), 2, np.uint8)
        boxes = []
        for _ in range(0 if number == 1 else rng.integers(1, 4)):
            width, height = rng.integers(8, 18, 2)
            x, y, label = rng.integers(0, SIZE - width), rng.integers(0, SIZE - height), int(rng.integers(0, 2))
            image[y : y + height, x : x + width] = COLOURS[label] + rng.integers(-20, 20, 3)
            mask[y : y + height, x : x + width] = label
            boxes.append([label, int(x), int(y), int(width), int(height)])
        image = image * 0 if number == 0 else image // (2 if dark else 1)
        if number == 2:
            mask[:3] = 255
        names.append(f"{number}.png")
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / names[-1])
        Image.fromarray(mask).save(folder / f"{names[-1]}.mask.png")
        all_boxes.append(boxes)
        masks.append(mask)
    classes = CLASSES if task == "detection" else (*CLASSES, "ground")
    (folder / "set.json").write_text(json.dumps({"task": task, "classes": classes, "names": names, "boxes": all_boxes}))
    given = [_shifted(np.array(b, float).reshape(-1, 5), error, rng) for b in all_boxes]
    predictions = Predictions(
        task=task,
        class_names=classes,
        indices=np.arange(n),
        labels=np.full(n, -1),
        boxes=given if task == "detection" else None,
        masks=[np.roll(np.where(m == 255, 2, m), int(error * 20), 1).astype(np.uint8) for m in masks]
        if task == "segmentation"
        else None,
    )
    predictions.save(folder.with_suffix(".npz"))
    return folder.with_suffix(".npz")


def _shifted(boxes: np.ndarray, error: float, rng: np.random.Generator) -> np.ndarray:
    moved = boxes[:, 1:] + error * boxes[:, 3:4] * rng.choice([-1, 1], (len(boxes), 4)) * [1, 1, 0, 0]
    return np.column_stack([boxes[:, 0], rng.uniform(0.4, 1, len(boxes)), moved])


def write_classes(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Images as PNG files in one folder per class."""
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        target = folder / str(label)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(target / f"{i}.png")


def nearest_mean(train: Path, test: Path, pixels: int = 8) -> tuple[Path, Path]:
    """Files of predictions of a softmax over distances to the classes' mean training image."""
    sets = [ImageFolder(path) for path in (train, test)]
    indices = [images.sample() for images in sets]
    seen = [s.read(i, channels=3, size=pixels).reshape(len(i), -1) / 255.0 for s, i in zip(sets, indices, strict=True)]
    names = sets[0].class_names
    labels = sets[0].labels[indices[0]]
    means = np.stack([seen[0][labels == k].mean(axis=0) for k in range(len(names))])
    files = (train.with_suffix(".npz"), test.with_suffix(".npz"))
    for images, own, x, file in zip(sets, indices, seen, files, strict=True):
        scores = -((x[:, None] - means[None]) ** 2).sum(axis=2)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        every = (*names, *(name for name in images.class_names if name not in names))
        numbers = np.array([every.index(name) for name in images.class_names])
        Predictions(
            task="classification",
            class_names=every,
            indices=own,
            labels=numbers[images.labels[own]],
            probabilities=scores / scores.sum(axis=1, keepdims=True),
        ).save(file)
    return files
