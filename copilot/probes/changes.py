"""Changes that loaders make by mistake and changes that keep most labels, each of uint8 images (n, h, w, c)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

Change = Callable[[np.ndarray], np.ndarray]

MILD = ("mirroring", "shifting", "zooming in by 10 %", "zooming out by 10 %")
LOADER = {
    "swapping red and blue",
    "inverting intensities",
    "halving the range",
    "stretching the range",
    "taking colours away",
    "turning upside down",
    "transposing",
}


def changes_for(shape: tuple[int, ...]) -> dict[str, Change]:
    """The changes that make sense for images (n, h, w, c), by name."""
    found: dict[str, Change] = {
        "mirroring": lambda images: images[:, :, ::-1],
        "turning upside down": lambda images: images[:, ::-1],
        "shifting": _shifted,
        "zooming in by 10 %": partial(_zoomed, scale=1.1),
        "zooming in by 25 %": partial(_zoomed, scale=1.25),
        "zooming out by 10 %": partial(_zoomed, scale=1 / 1.1),
        "zooming out by 25 %": partial(_zoomed, scale=1 / 1.25),
        "inverting intensities": partial(_coloured, change=lambda colours: 255 - colours),
        "halving the range": partial(_coloured, change=lambda colours: colours // 2),
        "stretching the range": partial(_coloured, change=_stretched),
    }
    if shape[1] == shape[2]:
        found["transposing"] = lambda images: images.transpose(0, 2, 1, 3)
    if shape[3] >= 3:
        found["swapping red and blue"] = partial(_coloured, change=lambda colours: colours[..., ::-1])
        found["taking colours away"] = partial(_coloured, change=_grey)
    return found


def _coloured(images: np.ndarray, change: Change) -> np.ndarray:
    """Alpha, a fourth channel, stays as it is."""
    colours = images[..., : min(images.shape[3], 3)]
    return np.concatenate([change(colours), images[..., colours.shape[3] :]], axis=3).astype(np.uint8)


def _grey(colours: np.ndarray) -> np.ndarray:
    return np.repeat(np.rint(colours @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=3)


def _stretched(colours: np.ndarray) -> np.ndarray:
    """Each image's darkest to 0 and lightest to 255."""
    low, high = (end(colours, axis=(1, 2, 3), keepdims=True).astype(np.float32) for end in (np.min, np.max))
    return np.clip((colours - low) * (255 / np.maximum(high - low, 1)), 0, 255)


def _shifted(images: np.ndarray) -> np.ndarray:
    """Right and down by a sixteenth of the side, the edge mirrored into what opens up."""
    down, right = (max(1, round(side / 16)) for side in images.shape[1:3])
    return np.pad(images, ((0, 0), (down, 0), (right, 0), (0, 0)), mode="reflect")[:, :-down, :-right]


def _zoomed(images: np.ndarray, scale: float) -> np.ndarray:
    h, w = images.shape[1:3]
    turn = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), 0.0, scale)
    kept = [cv2.warpAffine(x, turn, (w, h), None, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101) for x in images]
    return np.stack(kept).reshape(images.shape)
