"""What an image is known again by, though it was encoded, cropped, mirrored, resized or brightened in between.

The search for duplicates (`core.data.duplicates`) finds candidates by the two small descriptors and compares these on
the thumbnails. An image becomes about 1.3 KB, whatever its size.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

SIDE = 32  # of the thumbnail
GRID = 8  # of the descriptors
SPREAD = 0.3  # of the masses in the centred descriptor, as a share of its side
_BLUR = 2.55  # standard deviation in pixels of the thumbnail, before it is read at few points
_AXIS = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)


class Fingerprint:
    """The fingerprint of an image.

    ==========  =============  ===================================================================================
    name        array          what it is
    ==========  =============  ===================================================================================
    `pixels`    uint8 (16,)    hash of the pixels: the same for the same picture in any lossless file
    `thumb`     uint8 (32, 32) the image in grey, squeezed into a square
    `chroma`    uint8 (4, 4, 2)  Cb and Cr of ITU-R BT.601 over a coarse grid
    `coarse`    float16 (64,)  the blurred thumbnail at 8 x 8 points; mean 0, length 1
    `centred`   float16 (64,)  the same, moved and scaled so that what stands out from the border lies in the middle
    ==========  =============  ===================================================================================

    The descriptors do not change with brightness and contrast. Mirroring an image mirrors both of them.
    """

    name = "fingerprint"
    version = "1"

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters
        ----------
        image : ndarray of uint8, shape (h, w, c) with 1, 3 or 4 channels; a fourth (opacity) is passed over
        """
        image = _plain(image)
        grey = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumb = _squeezed(grey, SIDE)
        blurred = cv2.GaussianBlur(thumb.astype(np.float32), (0, 0), _BLUR)
        return {
            "pixels": _hash(image),
            "thumb": thumb,
            "chroma": _chroma(image),
            "coarse": _normalised(cv2.resize(blurred, (GRID, GRID), interpolation=cv2.INTER_AREA)),
            "centred": _normalised(_centred(thumb, blurred)),
        }


def _plain(image: np.ndarray) -> np.ndarray:
    """One channel where all are the same, else three."""
    image = image[..., None] if image.ndim == 2 else image
    image = np.ascontiguousarray(image[..., :3])
    if image.shape[2] == 3 and (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        image = np.ascontiguousarray(image[..., :1])
    return image


def _hash(image: np.ndarray) -> np.ndarray:
    digest = hashlib.blake2b(image, digest_size=16, key=repr(image.shape).encode())
    return np.frombuffer(digest.digest(), np.uint8)


def _squeezed(image: np.ndarray, side: int) -> np.ndarray:
    smaller = min(image.shape[:2]) > side
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _chroma(image: np.ndarray) -> np.ndarray:
    if image.shape[2] == 1:
        return np.full((4, 4, 2), 128, np.uint8)
    small = cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[..., :0:-1])


def _centred(thumb: np.ndarray, blurred: np.ndarray) -> np.ndarray:
    """The blurred thumbnail read on a grid that is centred on the masses and as wide as they are."""
    grey = thumb.astype(np.float32)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    masses = np.abs(grey - np.median(border)) + 1
    across, down, total = masses.sum(0), masses.sum(1), masses.sum()
    x, y = across @ _AXIS / total, down @ _AXIS / total
    spread = np.sqrt((across @ _AXIS**2 + down @ _AXIS**2) / total - x * x - y * y)
    step, middle = spread / SPREAD * SIDE / GRID, (GRID - 1) / 2
    start = (SIDE - 1) / 2 - step * middle
    grid = np.array([[step, 0, x * SIDE + start], [0, step, y * SIDE + start]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(blurred, grid, (GRID, GRID), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _normalised(values: np.ndarray) -> np.ndarray:
    flat = values.ravel() - values.mean()
    return (flat / (np.linalg.norm(flat) + 1e-6)).astype(np.float16)
