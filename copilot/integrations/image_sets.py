"""Image sets on disk: one folder per class, read lazily with Pillow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from copilot.errors import InputError, NotFoundError
from copilot.utils.validators import clean_text

MAX_PIXELS = 50_000_000
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # no format that starts another program
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_BROKEN = (OSError, UnidentifiedImageError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)

Size = int | tuple[int, int]


class ImageFolder:
    """Labelled images in ``path/<class>/<file>``.

    Parameters
    ----------
    path : str or Path
        Folder with one sub-folder per class.
    size : int or (int, int), optional
        Height and width in pixels that `read` gives unless it is told otherwise.

    Attributes
    ----------
    class_names : tuple of str
        Sub-folders by name; the label of an image is the index of its class here.
    names : tuple of str
        ``class/file`` of each image, cleaned for showing.
    labels : ndarray of int64, shape (n,)
    skipped : dict of str to str
        Images that could not be read so far, with the reason.

    Raises
    ------
    NotFoundError
        The folder is not there.
    InputError
        It has no class folders, or no images in them.
    """

    def __init__(self, path: str | Path, *, size: Size | None = None) -> None:
        self.path = Path(path).expanduser()
        self.size = size
        if not self.path.is_dir():
            raise NotFoundError(
                f"Image folder not found: {clean_text(path)}", "Pass a folder with one sub-folder per class."
            )
        folders = sorted(
            entry.name for entry in os.scandir(self.path) if entry.is_dir() and not entry.name.startswith(".")
        )
        found = [(label, file) for label, name in enumerate(folders) for file in _image_files(self.path / name)]
        if not found:
            raise InputError(
                f"{clean_text(path)} holds no images in class folders.",
                "It needs one sub-folder per class with image files.",
            )
        self.class_names = tuple(clean_text(name, 80) for name in folders)
        self.labels = np.array([label for label, _ in found], dtype=np.int64)
        self.names = tuple(clean_text(file.relative_to(self.path).as_posix()) for _, file in found)
        self.skipped: dict[str, str] = {}
        self._files = [file for _, file in found]

    def __len__(self) -> int:
        return len(self._files)

    def class_counts(self) -> dict[str, int]:
        """Number of image files of each class."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def sample(self, n: int | None = None, seed: int = 0) -> np.ndarray:
        """Indices of up to `n` images that can be read, drawn without replacement, in random order.

        Images that cannot be decoded are passed over and listed in ``skipped``.

        Parameters
        ----------
        n : int, optional
            Default: all of them.
        seed : int, default 0
            Same seed, same images.

        Returns
        -------
        ndarray of int64, shape (at most n,)

        Raises
        ------
        InputError
            Not one image can be read.
        """
        wanted = len(self) if n is None else min(n, len(self))
        picked: list[int] = []
        for index in np.random.default_rng(seed).permutation(len(self)):
            if len(picked) == wanted:
                break
            if self._can_read(int(index)):
                picked.append(int(index))
        if not picked:
            name, reason = next(iter(self.skipped.items()))
            raise InputError(
                f"No image in {clean_text(self.path)} can be read; {name}: {reason}.", "Pass PNG or JPEG files."
            )
        return np.array(picked, dtype=np.int64)

    def image(self, index: int, channels: int | None = None) -> np.ndarray:
        """One image in its own size, uint8 of shape (h, w, channels); by default 1 channel for grey files, else 3.

        Raises
        ------
        InputError
            The file cannot be decoded, or has more than ``MAX_PIXELS`` pixels.
        """
        return _as_array(self._open(index, channels))

    def read(
        self, indices: Sequence[int] | np.ndarray, channels: int | None = None, size: Size | None = None
    ) -> np.ndarray:
        """Several images of one size.

        Parameters
        ----------
        indices : sequence of int, length n
            As `sample` gives them.
        channels : {1, 3, 4}, optional
            Grey, RGB or RGBA; default as in `image`.
        size : int or (int, int), optional
            Height and width to resize to (bilinear). Default: the folder's ``size``, else the images' own.

        Returns
        -------
        ndarray of uint8, shape (n, h, w, channels)

        Raises
        ------
        InputError
            A file cannot be decoded, or the images differ in size or channels and none was given.
        """
        size = self.size if size is None else size
        shape = (size, size) if isinstance(size, int) else size
        images = []
        for index in indices:
            opened = self._open(int(index), channels)
            if shape is not None and opened.size != (shape[1], shape[0]):
                opened = opened.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
            images.append(_as_array(opened))
        if len({image.shape for image in images}) > 1:
            raise InputError(
                f"The images in {clean_text(self.path)} differ in size or channels.", "Say which size to use."
            )
        return np.stack(images) if images else np.zeros((0, *(shape or (0, 0)), channels or 1), np.uint8)

    def _can_read(self, index: int) -> bool:
        if self.names[index] in self.skipped:
            return False
        try:
            self._open(index, None)
        except InputError:
            return False
        return True

    def _open(self, index: int, channels: int | None) -> Image.Image:
        if channels not in (None, *_MODES):
            raise InputError(f"Images cannot be read with {channels} channels.", "Use 1 (grey), 3 (RGB) or 4 (RGBA).")
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(self._files[index], formats=_FORMATS) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise ValueError(f"{opened.width} x {opened.height} pixels exceed the limit of {MAX_PIXELS:,}")
                opened.load()
                return _in_mode(opened, channels)
        except _BROKEN as error:
            reason = _reason(error)
            self.skipped[self.names[index]] = reason
            raise InputError(
                f"{self.names[index]} cannot be read: {reason}.", "Remove or replace this file."
            ) from error


def _image_files(folder: Path) -> list[Path]:
    walked = ((Path(base), names) for base, _, names in os.walk(folder))
    return sorted(base / name for base, names in walked for name in names if Path(name).suffix.lower() in SUFFIXES)


def _in_mode(image: Image.Image, channels: int | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel: keep the upper 8, a conversion would clip
        image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "F")
    return image.convert(_MODES[channels or (1 if grey else 3)])


def _as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:  # its text holds the whole path
        return clean_text(error.strerror)
    return clean_text(error, 120).rstrip(".")
