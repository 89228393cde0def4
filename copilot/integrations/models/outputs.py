"""From what a model gives to what is compared with labels: probabilities, boxes, masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchvision.ops import batched_nms

from copilot.errors import InputError
from copilot.integrations.models.spec import InputSpec

# As Ultralytics validates (https://docs.ultralytics.com/modes/val): low scores count for the mean average precision.
MIN_SCORE, MAX_OVERLAP, MAX_BOXES = 0.001, 0.7, 300
MAX_CLASSES = 255  # of a mask: 255 stands for no class
_END_TO_END = 6  # x1, y1, x2, y2, score, class


def first_array(output: Any, *names: str) -> np.ndarray:
    """The array that a model gives, or the one of these names, or the first of several.

    Raises
    ------
    TypeError
        It gives none.
    """
    if isinstance(output, Mapping):
        output = next((output[name] for name in names if name in output), next(iter(output.values()), None))
    while isinstance(output, tuple | list) and output:
        output = output[0]
        if isinstance(output, Mapping):
            return first_array(output, *names)
    if not isinstance(output, np.ndarray | torch.Tensor):
        raise TypeError(f"it gives a {type(output).__name__}, not a tensor")
    return as_array(output)


def as_array(value: np.ndarray | torch.Tensor) -> np.ndarray:
    """A tensor as an array; floats become float64."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def probabilities(scores: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Rows of scores as probabilities, float64 of shape (n, classes): logits by softmax, one output by sigmoid."""
    if not np.isfinite(scores).all():
        raise InputError("The model gives NaN or infinite scores.", "Check its weights: training may have diverged.")
    in_range = bool((scores >= -1e-6).all() and (scores <= 1 + 1e-6).all())
    if scores.shape[1] == 1:
        positive = scores if in_range and spec.output != "logits" else 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
        return np.hstack([1 - positive, positive])
    if spec.output == "probabilities" and not in_range:
        raise InputError(
            f"The model is said to give probabilities, but values from {scores.min():.3g} to {scores.max():.3g} came.",
            "Set output to logits in its metadata or in models.preprocessing.",
        )
    sums_to_one = in_range and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3)
    if spec.output == "probabilities" or (spec.output is None and sums_to_one):
        clipped = np.clip(scores, 0.0, None)
        return clipped / np.maximum(clipped.sum(axis=1, keepdims=True), 1e-12)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def detections(output: Any, n: int, spec: InputSpec) -> list[np.ndarray]:
    """Boxes of `n` images in pixels of the model's input, float64 of shape (k, 6): class, score, x1, y1, x2, y2.

    Parameters
    ----------
    output
        Dictionaries of torchvision, one an image; or (boxes, labels, scores) of one image, as these are exported; or
        one array (n, 4 + classes, anchors) of YOLOv8, or (n, k, 6) of a network that leaves no doubles.
    n : int
    spec : InputSpec

    Raises
    ------
    InputError
        It is of no such form.
    """
    if isinstance(output, tuple | list) and len(output) == 2 and isinstance(output[1], list):
        output = output[1]  # scripted networks of torchvision give their losses first
    if isinstance(output, list | tuple) and len(output) == n and all(isinstance(item, Mapping) for item in output):
        return [_of_parts(item, spec) for item in output]
    if isinstance(output, Mapping) and {"boxes", "scores", "labels"} <= set(output):
        return [_of_parts(output, spec)]
    parts = list(output.values()) if isinstance(output, Mapping) else output
    several = list(parts) if isinstance(parts, tuple | list) else [parts]
    arrays = [as_array(part) for part in several if isinstance(part, np.ndarray | torch.Tensor)]
    if n == 1 and len(arrays) == 3 and (named := _told_apart(arrays)):
        return [_of_parts(named, spec)]
    if arrays and arrays[0].ndim == 3 and len(arrays[0]) == n:
        return _of_yolo(arrays[0], spec)
    shapes = ", ".join(str(array.shape) for array in arrays[:4]) or "none"
    raise InputError(
        f"The model gives values of shape {shapes}: no known form of boxes.",
        "Known are torchvision's boxes, labels and scores, and YOLOv8's (n, 4 + classes, anchors).",
    )


def _told_apart(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray] | None:
    """Boxes, labels and scores by their shape and type, whatever their order: exported graphs name them by numbers."""
    boxes = [a for a in arrays if a.ndim == 2 and a.shape[1] == 4]
    labels = [a for a in arrays if a.ndim == 1 and a.dtype.kind in "iu"]
    scores = [a for a in arrays if a.ndim == 1 and a.dtype.kind == "f"]
    if len(boxes) == len(labels) == len(scores) == 1:
        return {"boxes": boxes[0], "labels": labels[0], "scores": scores[0]}
    return None


def _of_parts(parts: Mapping[str, Any], spec: InputSpec) -> np.ndarray:
    boxes, labels, scores = (as_array(parts[name]) for name in ("boxes", "labels", "scores"))
    if boxes.ndim != 2 or boxes.shape != (len(scores), 4) or labels.shape != scores.shape:
        raise InputError(f"The model gives boxes of shape {boxes.shape} for {len(scores)} scores.", "Export it again.")
    first = 0 if spec.background is False else 1  # torchvision counts the background as class 0
    rows = np.column_stack([labels.astype(np.float64) - first, scores, boxes])
    return _plausible(rows[labels >= first])


def _of_yolo(values: np.ndarray, spec: InputSpec) -> list[np.ndarray]:
    if values.shape[2] == _END_TO_END and values.shape[1] != _END_TO_END:
        return [_plausible(rows[rows[:, 4] >= MIN_SCORE][:, [5, 4, 0, 1, 2, 3]]) for rows in values]
    classes = values.shape[1] - 4
    if classes < 1 or (spec.classes and classes != spec.classes):
        raise InputError(
            f"The model gives values of shape {values.shape}, that is {classes} classes, but "
            f"{spec.classes or 'one or more'} were expected.",
            "Export it in the form of YOLOv8, (n, 4 + classes, anchors), or correct classes in models.preprocessing.",
        )
    return [_without_doubles(rows.T) for rows in values]


def _without_doubles(rows: np.ndarray) -> np.ndarray:
    """Anchors of one image as x, y, w, h of a centre and scores -> boxes; of those that overlap the likeliest stays."""
    scores, labels = rows[:, 4:].max(axis=1), rows[:, 4:].argmax(axis=1)
    kept = scores >= MIN_SCORE
    centres, sides = rows[kept, :2], rows[kept, 2:4]
    boxes = np.hstack([centres - sides / 2, centres + sides / 2])
    scores, labels = scores[kept], labels[kept]
    tensors = (torch.from_numpy(np.ascontiguousarray(a)) for a in (boxes, scores, labels))
    best = batched_nms(*tensors, MAX_OVERLAP)[:MAX_BOXES].numpy()
    return _plausible(np.column_stack([labels, scores, boxes])[best])


def _plausible(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise InputError("The model gives NaN or infinite boxes.", "Check its weights: training may have diverged.")
    return rows[np.argsort(-rows[:, 1], kind="stable")]


def class_scores(output: Any, n: int, spec: InputSpec) -> torch.Tensor:
    """Scores of each class at each pixel, float32 of shape (n, classes, h, w); one class becomes two.

    Raises
    ------
    InputError
        The model gives something else.
    """
    values = first_array(output, "out", "logits")
    if values.ndim == 3 and len(values) == n and values.dtype.kind in "iu":  # the classes themselves
        count = max(int(values.max(initial=0)) + 1, spec.classes or 1)
        _few(count)
        values = np.moveaxis(np.eye(count)[values], 3, 1)
    if values.ndim != 4 or len(values) != n or (spec.classes or 0) not in (0, *_counts(values.shape[1])):
        raise InputError(
            f"The model gives values of shape {values.shape}, not ({n}, {spec.classes or 'classes'}, h, w).",
            "Only networks that give scores for each class and pixel can be checked for segmentation.",
        )
    _few(values.shape[1])
    if not np.isfinite(values).all():
        raise InputError("The model gives NaN or infinite scores.", "Check its weights: training may have diverged.")
    if values.shape[1] == 1:
        in_range = spec.output == "probabilities" or (
            spec.output is None and values.min(initial=0) >= 0 and values.max(initial=1) <= 1
        )
        values = np.concatenate([np.full_like(values, 0.5 if in_range else 0.0), values], axis=1)
    return torch.from_numpy(values).float()


def _counts(channels: int) -> tuple[int, ...]:
    return (1, 2) if channels == 1 else (channels,)


def _few(classes: int) -> None:
    if classes > MAX_CLASSES:
        raise InputError(f"The model knows {classes} classes; masks hold {MAX_CLASSES}.", "Check a smaller model.")
