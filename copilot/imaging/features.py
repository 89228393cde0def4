"""Features of an image without a network: edges, colours, coarse layout and texture."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np

SIDE = 32  # pixels that each image is squeezed to
CELLS, ORIENTATIONS = 4, 8
LOW = 6  # frequencies of the cosine transform along each axis
_SOFT = 20.0  # grey levels of gradient below which a cell counts as plain
_STEPS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _uniform_patterns() -> np.ndarray:
    """The place of each of 256 patterns: set bits where at most two changes run around the circle, else 9."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(1)
    return np.where(changes <= 2, bits.sum(1), 9)


_PATTERNS = _uniform_patterns()
_CELL = (np.arange(SIDE)[:, None] // (SIDE // CELLS) * CELLS + np.arange(SIDE) // (SIDE // CELLS)).ravel()


class ClassicalFeatures:
    """`features`, float32 of shape (SIZE,): what a linear classifier can tell two sets of images apart by.

    - histograms of signed gradient orientation, folded to half a circle, in 4 x 4 cells of the image at 32 x 32 (N.
      Dalal and B. Triggs, CVPR 2005), each over the strength of its cell, and that strength
    - the low frequencies of its cosine transform, in grey levels
    - mean, deviation and skewness of each colour channel (M. Stricker and M. Orengo, SPIE 2420, 1995)
    - shares of the rotation-invariant uniform local binary patterns (T. Ojala et al., TPAMI 24, 2002)
    """

    name = "classical-features"
    version = "1"
    GROUPS: ClassVar[dict[str, int]] = {
        "edges": CELLS * CELLS * (ORIENTATIONS + 1),
        "layout of light and dark": LOW * LOW,
        "levels and colours": 9,
        "texture": 10,
    }  # in order, with how many features each has
    SIZE = sum(GROUPS.values())

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters
        ----------
        image : ndarray of uint8, shape (h, w, c) with 1, 3 or 4 channels; a fourth (opacity) is passed over
        """
        image = np.ascontiguousarray(image[..., :3])
        smaller = min(image.shape[:2]) > SIDE
        small = image
        if image.shape[:2] != (SIDE, SIDE):
            small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        small = small.reshape(SIDE, SIDE, -1)
        luma = np.ascontiguousarray(small[..., 0]) if small.shape[2] == 1 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        parts = (_edges(luma), _layout(luma), _colours(small), _texture(luma))
        return {"features": np.concatenate(parts).astype(np.float32)}


def _edges(luma: np.ndarray) -> np.ndarray:
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=1, borderType=cv2.BORDER_REPLICATE)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=1, borderType=cv2.BORDER_REPLICATE)
    strength, angle = cv2.cartToPolar(across, down)
    place = angle.ravel() * (2 * ORIENTATIONS / (2 * np.pi))
    lower = place.astype(np.int64)
    share, strength = place - lower, strength.ravel()
    base, size = _CELL * ORIENTATIONS, CELLS * CELLS * ORIENTATIONS
    votes = np.bincount(base + lower % ORIENTATIONS, strength * (1 - share), size)
    votes += np.bincount(base + (lower + 1) % ORIENTATIONS, strength * share, size)
    cells = votes.reshape(-1, ORIENTATIONS)
    total = cells.sum(1, keepdims=True)
    pixels = (SIDE // CELLS) ** 2
    return np.concatenate([(cells / (total + _SOFT * pixels / 4)).ravel(), np.sqrt(total.ravel() / pixels)])


def _layout(luma: np.ndarray) -> np.ndarray:
    return cv2.dct(luma.astype(np.float32))[:LOW, :LOW].ravel() / SIDE


def _colours(small: np.ndarray) -> np.ndarray:
    flat = small.reshape(-1, small.shape[2]).astype(np.float32)
    mean = flat.mean(0)
    apart = flat - mean
    squared = apart * apart
    deviation = np.sqrt(squared.mean(0))
    moments = np.concatenate([mean, deviation, np.cbrt((squared * apart).mean(0))])
    return moments if len(moments) == 9 else np.repeat(moments, 3)


def _texture(luma: np.ndarray) -> np.ndarray:
    inner = luma[1:-1, 1:-1]
    code = np.zeros(inner.shape, np.uint8)
    for bit, (down, across) in enumerate(_STEPS):
        neighbour = luma[1 + down : SIDE - 1 + down, 1 + across : SIDE - 1 + across]
        code |= (neighbour >= inner).view(np.uint8) << np.uint8(bit)
    return np.bincount(_PATTERNS[code.ravel()], minlength=10) / code.size
