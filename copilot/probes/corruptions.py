"""Common corruptions of images in five strengths, fast enough to keep up with a small model.

After D. Hendrycks and T. Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
ICLR 2019, arXiv:1903.12261. Strengths are milder than theirs at the start, so that 1 and 2 are what a camera, a web
page or a crop does every day. Blur and moves grow with the image, grey levels do not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import cv2
import numpy as np

STRENGTHS = (1, 2, 3, 4, 5)
_NOISE = (6, 10, 16, 24, 36)  # standard deviation in grey levels
_BLUR = (0.35, 0.55, 0.75, 1.0, 1.35)  # standard deviation in pixels on 32
_BRIGHTNESS = (13, 26, 38, 51, 77)  # grey levels, up or down
_CONTRAST = (0.8, 0.65, 0.5, 0.35, 0.2)  # share that is left, about the image's mean
_JPEG = (80, 60, 40, 25, 12)  # quality
_SHIFT = (1 / 32, 2 / 32, 3 / 32, 4 / 32, 5 / 32)  # of a side, in one of eight directions
_ROTATION = (3, 6, 10, 15, 20)  # degrees, either way
_POOL = 1 << 20
_BLOCK, _SMALL, _STRIP = 16, 96 * 96, 16_000  # pixels: of a JPEG block with its colours, an image, a file's height

Corrupt = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def corrupted(images: np.ndarray, name: str, strength: int, seed: int = 0) -> np.ndarray:
    """Images under one corruption, the same by seed.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
        With 1, 3 or 4 channels; of any size. They are left as they are.
    name : str
        A key of `CORRUPTIONS`.
    strength : int
        From 1 to 5.

    Returns
    -------
    ndarray of uint8, of the same shape

    Raises
    ------
    KeyError
        There is no such corruption.
    ValueError
        The strength is not one of 1 to 5.
    """
    if strength not in STRENGTHS:
        raise ValueError(f"A corruption has strength 1 to 5, not {strength}.")
    change = CORRUPTIONS[name]
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(name), strength])
    return change(images, strength - 1, rng) if len(images) else images.copy()


@lru_cache(maxsize=len(_NOISE))
def _pool(level: int) -> np.ndarray:
    """Noise in whole grey levels, drawn once: drawing it anew for each image costs more than a small model."""
    drawn = np.random.default_rng(level).standard_normal(_POOL, dtype=np.float32)
    return np.rint(drawn * _NOISE[level]).astype(np.int16)


def _noise(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Read from the pool at a random offset for each image."""
    pool, size = _pool(level), images[0].size
    if size > len(pool) // 2:
        pool = np.resize(pool, size + len(pool))
    out = np.empty_like(images)
    for image, start, made in zip(images, rng.integers(0, len(pool) - size, len(images)), out, strict=True):
        part = pool[start : start + size].reshape(len(image), -1)
        cv2.add(image.reshape(len(image), -1), part, made.reshape(len(image), -1), dtype=cv2.CV_8U)
    return out


def _blur(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    sigma = _BLUR[level] * max(min(images.shape[1:3]) / 32, 1.0) ** 0.65
    return _each(images, partial(cv2.GaussianBlur, ksize=(0, 0), sigmaX=sigma, borderType=cv2.BORDER_REFLECT_101))


def _brightness(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    up = rng.random(len(images)) < 0.5
    out = np.empty_like(images)
    for chosen, sign in ((up, 1), (~up, -1)):
        table = np.clip(np.arange(256) + sign * _BRIGHTNESS[level], 0, 255).astype(np.uint8)
        out[chosen] = table[images[chosen]]
    return out


def _contrast(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    share = _CONTRAST[level]
    out = np.empty_like(images)
    for image, made in zip(images, out, strict=True):
        flat = image.reshape(len(image), -1)
        cv2.addWeighted(flat, share, flat, 0.0, (1 - share) * cv2.mean(flat)[0], made.reshape(len(image), -1))
    return out


def _jpeg(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Small images are one long file, since most of the time goes into opening it; alpha stays."""
    out = images.copy()
    colours = np.ascontiguousarray(images[..., : min(images.shape[3], 3)])
    if images[0, ..., 0].size > _SMALL:
        for i, image in enumerate(colours):
            out[i, ..., : colours.shape[3]] = _through_jpeg(image, _JPEG[level])
        return out
    strip = max(1, _STRIP // (images.shape[1] + 2 * _BLOCK))
    for i in range(0, len(images), strip):
        out[i : i + strip, ..., : colours.shape[3]] = _below_one_another(colours[i : i + strip], _JPEG[level])
    return out


def _below_one_another(images: np.ndarray, quality: int) -> np.ndarray:
    """Each with its edge repeated around it, so that no block and no smoothing of colours mixes two images."""
    _, h, w, _ = images.shape
    top, sides = _BLOCK // 2, -w % _BLOCK
    bottom = -(top + h + 2) % _BLOCK + 2
    padded = np.pad(images, ((0, 0), (top, bottom), (0, sides), (0, 0)), mode="edge")
    return _through_jpeg(padded.reshape(-1, *padded.shape[2:]), quality).reshape(padded.shape)[:, top : top + h, :w]


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    _, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR)
    return read.reshape(image.shape)


def _shift(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Moved along one of eight directions; the edge is mirrored into what opens up."""
    h, w = images.shape[1:3]
    up, left = max(1, round(_SHIFT[level] * h)), max(1, round(_SHIFT[level] * w))
    moves = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
    out = np.empty_like(images)
    for image, made, (y, x) in zip(images, out, rng.choice(moves, len(images)), strict=True):
        wide = cv2.copyMakeBorder(image, up, up, left, left, cv2.BORDER_REFLECT_101).reshape(
            h + 2 * up, w + 2 * left, -1
        )
        top, start = up + y * up, left + x * left
        made[:] = wide[top : top + h, start : start + w]
    return out


def _rotation(images: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    h, w = images.shape[1:3]
    turns = [cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), sign * _ROTATION[level], 1.0) for sign in (-1, 1)]
    picked = rng.integers(0, 2, len(images))
    out = np.empty_like(images)
    for image, made, way in zip(images, out, picked, strict=True):
        cv2.warpAffine(image, turns[way], (w, h), made, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    return out


def _each(images: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([change(image) for image in images]).reshape(images.shape)


CORRUPTIONS: dict[str, Corrupt] = {
    "Gaussian noise": _noise,
    "blur": _blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "JPEG compression": _jpeg,
    "shift": _shift,
    "rotation": _rotation,
}
