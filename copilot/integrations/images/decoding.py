"""Image files decoded, whatever is in them: formats that start no program, sizes with a limit, pixels of 8 bits."""

from __future__ import annotations

import hashlib
import os
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from copilot.utils.validators import clean_text

MAX_PIXELS = 50_000_000
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # no format that starts another program
BROKEN = (OSError, UnidentifiedImageError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def decoded(file: object) -> Image.Image:
    """An image file (path or binary file object), decoded; errors are those of `BROKEN`."""
    if isinstance(file, str | os.PathLike) and os.path.exists(file) and not os.path.isfile(file):
        raise ValueError("it is no regular file")  # a pipe would be waited for
    with Image.open(file, formats=FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError(f"{opened.width} x {opened.height} pixels exceed the limit of {MAX_PIXELS:,}")
        opened.load()
        return opened.copy()


def header_size(file: object) -> tuple[int, int]:
    """Width and height that an image file states, without decoding it; errors are those of `BROKEN`."""
    with warnings.catch_warnings(action="ignore"), Image.open(file, formats=FORMATS) as opened:
        return opened.size


def as_pixels(image: Image.Image) -> np.ndarray:
    """A decoded image, uint8 of shape (h, w, 1) where it is grey, else (h, w, 3); errors are those of `BROKEN`."""
    return as_array(in_mode(image, None))


def pixels_key(pixels: np.ndarray) -> str:
    """A `content_key` for what is no file."""
    hashed = hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16, key=repr(pixels.shape).encode()[:64])
    return f"pixels:{hashed.hexdigest()}"


def in_mode(image: Image.Image, channels: int | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel: keep the upper 8, a conversion would clip
        image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "F")
    return image.convert(MODES[channels or (1 if grey else 3)])


def as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def broken_reason(error: Exception) -> str:
    """Why an image cannot be read, without its path."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:  # its text holds the whole path
        return clean_text(error.strerror)
    return clean_text(error, 120).rstrip(".")
