"""Square patches of many images: what they look like at every place, and which tell a label in training only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

SIZES = (2, 3, 4, 6)  # on 32 pixels
FINEST = 64  # places along a side
FEW, SPREAD = 6, 4.0  # images of a class that a comparison needs; grey levels of spread that are nothing


@dataclass(frozen=True)
class Place:
    """A square of `size` pixels with its upper left corner at (`y`, `x`), suspected to tell the class `label`.

    ``score`` is how many standard errors the training images of the class stand out more than the validation images.
    """

    label: int
    y: int
    x: int
    size: int
    score: float = 0.0
    feature: int = -1

    def grown(self, shape: tuple[int, int]) -> Place:
        """With a margin of half its size: a mark found between two sizes or places is inside as a whole."""
        margin = max(1, self.size // 2)
        size = min(self.size + 2 * margin, *shape)
        y, x = (int(np.clip(v - margin, 0, side - size)) for v, side in zip((self.y, self.x), shape, strict=True))
        return Place(self.label, y, x, size, self.score, self.feature)

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.y, self.y + self.size), slice(self.x, self.x + self.size)

    def overlaps(self, other: Place) -> bool:
        near = (self.size + other.size) / 2
        middle = (
            abs(self.y + self.size / 2 - other.y - other.size / 2),
            abs(self.x + self.size / 2 - other.x - other.size / 2),
        )
        return max(middle) < near


def sizes_for(shape: tuple[int, int]) -> list[int]:
    """Patch sizes in pixels: those of a mark of 2 to 6 pixels on 32, and as small as the grid of places still meets."""
    side = min(shape)
    scale = max(side / 32, 1.0)
    smallest = max(2, 2 * side // (FINEST * 2))
    sizes = sorted({max(smallest, round(s * scale)) for s in SIZES} | {smallest})
    if len(sizes) > 1 and sizes[1] > 2 * sizes[0]:  # of a small mark on a large image
        sizes.insert(1, round((sizes[0] * sizes[1]) ** 0.5))
    return sizes


def looks(images: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """What each patch looks like: its mean against its surroundings in each channel, and its spread.

    The surroundings are a ring half as wide as the patch; so an object's or a sky's colour, which goes on around the
    patch, counts little.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
    size : int
        Side of the patch in pixels.

    Returns
    -------
    looks : ndarray of float32, shape (c + 1, n, rows, columns), in grey levels
    stride : int
        Pixels between two places.
    """
    _, h, w, c = images.shape
    stride = max(1, min(size // 2, -(-max(h, w) // FINEST)))
    area = _inside(np.ones((h, w, 1), np.float32), size, stride)[1]
    parts = [_one(image, size, stride, area) for image in images]
    return np.stack(parts, axis=1).reshape(c + 1, len(images), *parts[0].shape[1:]), stride


def _one(image: np.ndarray, size: int, stride: int, area: np.ndarray) -> np.ndarray:
    values = image.astype(np.float32)
    inner, outer = _inside(values, size, stride)
    contrast = inner / size**2 - (outer - inner) / np.maximum(area - size**2, 1)
    squares = _boxes(values * values, size)[::stride, ::stride].sum(axis=2)
    mean = inner / size**2
    spread = np.sqrt(np.maximum(squares / size**2 - (mean * mean).sum(axis=2), 0) / image.shape[2])
    return np.concatenate([contrast.transpose(2, 0, 1), spread[None]])


def _inside(values: np.ndarray, size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over each patch and over it with its surroundings, which the image's edge cuts."""
    margin = max(1, size // 2)
    outer = _boxes(np.pad(values, ((margin, margin), (margin, margin), (0, 0))), size + 2 * margin)
    return _boxes(values, size)[::stride, ::stride], outer[::stride, ::stride]


def _boxes(values: np.ndarray, size: int) -> np.ndarray:
    """Sums over every square of `size` that lies inside, by its upper left corner."""
    sums = cv2.boxFilter(values, -1, (size, size), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
    sums = sums if sums.ndim == 3 else sums[..., None]
    return sums[: values.shape[0] - size + 1, : values.shape[1] - size + 1]


def standing_out(
    train: np.ndarray, train_labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """How much a class differs from the rest in training more than in validation, in standard errors.

    Parameters
    ----------
    train, val : ndarray of shape (n, places)
        One look at each place.
    classes : ndarray of int, shape (k,)

    Returns
    -------
    ndarray of shape (k, places)
    """
    train_gap, train_error = _gaps(train, train_labels, classes)
    val_gap, val_error = _gaps(val, val_labels, classes)
    return (train_gap - val_gap) / np.sqrt(train_error + val_error)


def _gaps(values: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each class minus mean of the rest, and the squared standard error of it."""
    own = (labels[None] == classes[:, None]).astype(np.float32)
    n, rest = own.sum(axis=1, keepdims=True), len(labels) - own.sum(axis=1, keepdims=True)
    sums, squares = own @ values, own @ (values * values)
    others, other_squares = values.sum(axis=0) - sums, (values * values).sum(axis=0) - squares
    mean, other = sums / n, others / rest
    spread = np.maximum(squares / n - mean**2, 0) + SPREAD**2
    other_spread = np.maximum(other_squares / rest - other**2, 0) + SPREAD**2
    return mean - other, spread / n + other_spread / rest


def suspects(
    train: np.ndarray, train_labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray, classes: np.ndarray, most: int
) -> list[Place]:
    """The `most` places whose look tells a class in training and not in validation, the most telling first."""
    found: list[Place] = []
    for size in sizes_for(train.shape[1:3]):
        (a, stride), (b, _) = looks(train, size), looks(val, size)
        for feature, (of_train, of_val) in enumerate(zip(a, b, strict=True)):
            flat = of_train.reshape(len(train), -1), of_val.reshape(len(val), -1)
            scores = np.abs(standing_out(flat[0], train_labels, flat[1], val_labels, classes))
            found += _peaks(scores.reshape(len(classes), *of_train.shape[1:]), classes, size, stride, feature)
    return list(_apart(sorted(found, key=lambda place: -place.score), most))


def _peaks(
    scores: np.ndarray, classes: np.ndarray, size: int, stride: int, feature: int, most: int = 6
) -> Iterator[Place]:
    for label, plane in zip(classes, scores, strict=True):
        for flat in np.argpartition(plane, -min(most, plane.size), axis=None)[-most:]:
            y, x = np.unravel_index(flat, plane.shape)
            yield Place(int(label), int(y) * stride, int(x) * stride, size, float(plane[y, x]), feature)


def _apart(places: list[Place], most: int, of_a_class: int = 4) -> Iterator[Place]:
    """The first places of which no two of a class overlap."""
    kept: list[Place] = []
    for place in places:
        same = [other for other in kept if other.label == place.label]
        if len(same) < of_a_class and not any(place.overlaps(other) for other in same):
            kept.append(place)
            yield place
        if len(kept) == most:
            return
