"""What a model said of the images of a set: kept in a file between the process that asks it and those that judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copilot.integrations.images.base import Task
from copilot.probes.base import Certainty

_LISTS = ("boxes", "masks")


@dataclass(frozen=True)
class Predictions:
    """Predictions for some images of a set.

    Attributes
    ----------
    task : {"classification", "detection", "segmentation"}
    class_names : tuple of str
        The classes that the model knows, in the order of its outputs, then those that only the images have.
    indices : ndarray of int64, shape (n,)
        Which images of the set: positions in it.
    labels : ndarray of int64, shape (n,)
        The true class of each image as an index into ``class_names``; -1 where the task is not classification.
    probabilities : ndarray of float64, shape (n, classes), or None
        Of classification; rows sum to 1.
    boxes : sequence of n ndarrays of float64, shape (k, 6), or None
        Of detection: class, score, x, y, width, height in pixels of the image in its own size.
    masks : sequence of n ndarrays of uint8, shape (h, w), or None
        Of segmentation: the class of each pixel, of the image in its own size.
    certainty : {"probabilities", "confidence", "classes"}
        What ``probabilities`` were made from: those of all classes, or the predicted class with its confidence, or that
        class alone, which then has probability 1 though nothing is known of how sure the model was.
    notes : tuple of str
        What was left out or changed when they were read, one line each.
    """

    task: Task
    class_names: tuple[str, ...]
    indices: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None = None
    boxes: Sequence[np.ndarray] | None = None
    masks: Sequence[np.ndarray] | None = None
    certainty: Certainty = "probabilities"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file without pickles."""
        arrays = {"indices": self.indices, "labels": self.labels}
        if self.probabilities is not None:
            arrays["probabilities"] = self.probabilities
        for name in _LISTS:
            for number, item in enumerate(getattr(self, name) or ()):
                arrays[f"{name}_{number}"] = item
        kept = {k: getattr(self, k) for k in ("task", "class_names", "certainty", "notes")}
        about = json.dumps(kept)
        np.savez_compressed(path, about=np.frombuffer(about.encode(), np.uint8), **arrays)

    def chosen(self, rows: np.ndarray, class_names: tuple[str, ...]) -> Predictions:
        """Some rows, their classes counted by `class_names`, which holds all of them; a new one has probability 0.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
        class_names : tuple of str
        """
        numbers = np.array([class_names.index(name) for name in self.class_names], dtype=np.int64)
        labels = self.labels[rows]
        probabilities, boxes, masks = None, None, None
        if self.probabilities is not None:
            known = self.probabilities[rows]
            probabilities = np.zeros((len(rows), len(class_names)))
            probabilities[:, numbers[: known.shape[1]]] = known
        if self.boxes is not None:
            boxes = [self.boxes[row].reshape(-1, 6).copy() for row in rows]
            for own in boxes:
                own[:, 0] = numbers[own[:, 0].astype(int)]
        if self.masks is not None:
            table = np.full(256, 255, np.uint8)
            table[: len(numbers)] = numbers
            masks = [table[self.masks[row]] for row in rows]
        return Predictions(
            task=self.task,
            class_names=class_names,
            indices=self.indices[rows],
            labels=np.where(labels >= 0, numbers[labels], -1),
            probabilities=probabilities,
            boxes=boxes,
            masks=masks,
            certainty=self.certainty,
            notes=self.notes,
        )

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            n = len(file["indices"])
            lists = {k: [file[f"{k}_{i}"] for i in range(n)] if n and f"{k}_0" in file else None for k in _LISTS}
            return cls(
                task=about["task"],
                class_names=tuple(about["class_names"]),
                indices=file["indices"],
                labels=file["labels"],
                probabilities=file.get("probabilities"),
                certainty=about["certainty"],
                notes=tuple(about["notes"]),
                **lists,
            )
