"""Which parts of an image a model looks at: a patch is covered and the model asked again; and parts of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import cv2
import numpy as np

from copilot.probes.asking import Asker, batch_size


def occlusion_maps(
    ask: Asker,
    images: np.ndarray,
    classes: np.ndarray,
    before: np.ndarray,
    grid: int = 8,
    told: Callable[[int], None] | None = None,
) -> np.ndarray:
    """How much the probability of a class falls when each patch is covered with the image's mean colour.

    M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, arXiv:1311.2901.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
    classes : ndarray of int, shape (n,)
    before : ndarray of float, shape (n,)
        The probability of that class for the unchanged image.
    grid : int, default 8
        Patches along a side; they do not overlap.
    told : callable, optional
        Called with the number of images done.

    Returns
    -------
    ndarray of float64, shape (n, h, w)
        Falls, each that of the patch the pixel lies in; negative where covering raises the probability.
    """
    n, h, w, _ = images.shape
    windows = _windows(h, w, grid)
    means = np.rint(images.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    step = max(1, batch_size(images) // len(windows))

    def batches() -> Iterator[np.ndarray]:
        for i in range(0, n, step):
            covered = np.repeat(images[i : i + step], len(windows), axis=0).reshape(-1, len(windows), *images.shape[1:])
            for number, window in enumerate(windows):
                covered[(slice(None), number, *window)] = means[i : i + step]
            yield covered.reshape(-1, *images.shape[1:])

    maps = np.empty((n, h, w))
    for i, answer in zip(range(0, n, step), ask.each(batches()), strict=True):
        some = slice(i, i + step)
        chances = answer.reshape(-1, len(windows), answer.shape[1])
        falls = before[some, None] - np.take_along_axis(chances, classes[some, None, None], axis=2)[..., 0]
        for number, window in enumerate(windows):
            maps[(some, *window)] = falls[:, number, None, None]
        if told:
            told(min(i + step, n))
    return maps


def _windows(h: int, w: int, grid: int) -> list[tuple[slice, slice]]:
    rows, columns = (np.linspace(0, side, min(grid, side) + 1).round().astype(int) for side in (h, w))
    return [
        (slice(top, bottom), slice(left, right)) for top, bottom in pairwise(rows) for left, right in pairwise(columns)
    ]


def shares(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Share of each map's positive part inside its mask, shape (n,); NaN where nothing is positive."""
    positive = np.maximum(maps, 0)
    total = positive.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (positive * masks).sum(axis=(1, 2)) / total, np.nan)


def rim(shape: tuple[int, int], width: float = 1 / 8) -> np.ndarray:
    """The outermost eighth on each side, bool of shape (h, w)."""
    inside = np.zeros(shape, dtype=bool)
    down, right = (max(1, round(side * width)) for side in shape)
    inside[down:-down, right:-right] = True
    return ~inside


def corners(shape: tuple[int, int], width: float = 1 / 4) -> np.ndarray:
    """Four squares of a quarter of the side, bool of shape (h, w)."""
    found = np.zeros(shape, dtype=bool)
    down, right = (max(1, round(side * width)) for side in shape)
    for rows in (slice(0, down), slice(-down, None)):
        for columns in (slice(0, right), slice(-right, None)):
            found[rows, columns] = True
    return found


def backgrounds(images: np.ndarray, tolerance: float = 24.0) -> np.ndarray:
    """Pixels that look like the middle of one of the edges and are connected with the rim, bool of shape (n, h, w).

    A pixel looks like an edge when its channels differ by at most `tolerance` grey levels on average from the median
    of the edge's outermost sixteenth. It is a rough guess: of a busy background little is found.
    """
    return np.stack([_background(image.astype(np.float32), tolerance) for image in images])


def _background(image: np.ndarray, tolerance: float) -> np.ndarray:
    h, w, _ = image.shape
    down, right = max(1, h // 16), max(1, w // 16)
    edges = (image[:down], image[-down:], image[:, :right], image[:, -right:])
    medians = [np.median(edge.reshape(-1, image.shape[2]), axis=0) for edge in edges]
    alike = np.min([np.abs(image - median).mean(axis=2) for median in medians], axis=0) <= tolerance
    _, parts = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    touching = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, touching[touching > 0])
