"""What every image set is: labelled images that are read one at a time, whatever keeps them."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.decoding import (
    BROKEN,
    MODES,
    as_array,
    as_pixels,
    broken_reason,
    in_mode,
    pixels_key,
)
from copilot.utils.validators import clean_text

KEPT_BYTES = 128_000_000
NOTE_LENGTH = 300

Size = int | tuple[int, int]
Task = Literal["classification", "detection", "segmentation"]


class ImageSet:
    """Labelled images. A source gives `_decoded` and `_stamp`, and for detection or segmentation `boxes` or `mask`.

    Attributes
    ----------
    origin : str
        What the person named, cleaned for showing.
    task : {"classification", "detection", "segmentation"}
        What the labels are.
    class_names : tuple of str
        Cleaned for showing; a label is an index into them.
    names : tuple of str
        What each image is called, cleaned for showing; unique.
    labels : ndarray of int64, shape (n,)
        The class of each image; -1 where the task is not classification.
    notes : tuple of str
        What was left out or mended when the set was opened, one line each.
    skipped : dict of str to str
        Images that could not be read so far, with the reason.
    read_from : list of Path
        Files and folders on this machine that it was opened from; empty where it comes from elsewhere.
    """

    task: Task = "classification"
    _keeps = True  # whether `sample` keeps what it decoded; of no use where decoding costs nothing

    def __init__(
        self,
        origin: str,
        class_names: Sequence[str],
        names: Sequence[str],
        labels: np.ndarray | None = None,
        size: Size | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.origin = clean_text(origin)
        self.class_names = _unique([clean_text(name, 80) for name in class_names])
        self.names = _unique([clean_text(name) for name in names])
        self.labels = np.full(len(self.names), -1) if labels is None else np.asarray(labels, dtype=np.int64)
        self.size = size
        self.notes = tuple(clean_text(note, NOTE_LENGTH) for note in notes)
        self.skipped: dict[str, str] = {}
        self.read_from: list[Path] = []
        self._kept: dict[int, Image.Image] = {}
        self._room = 0

    def __len__(self) -> int:
        return len(self.names)

    def class_counts(self) -> dict[str, int]:
        """Number of images of each class; of classification alone."""
        counts = np.bincount(self.labels[self.labels >= 0], minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def fingerprint(self) -> str:
        """Changes when an image or a label may have changed; no image is decoded for it."""
        parts = (
            self.task,
            self.class_names,
            self.names,
            self.labels.tobytes(),
            self.notes,
            [self._stamp(i) for i in range(len(self))],
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def content_key(self, index: int) -> str:
        """The same for the same content, whatever the image is called and wherever it lies; empty if it is gone."""
        try:
            return pixels_key(as_pixels(self._decoded(index)))
        except BROKEN:
            return ""

    def file_size(self, index: int) -> int | None:
        """Bytes of an image's file; None where it has none of its own, or the size is not known."""
        return None

    def recipe(self, indices: Sequence[int] | np.ndarray) -> tuple[Callable[[Any], Image.Image], list[Any]]:
        """A function that decodes an image, and what to pass it for each; both travel to other processes by pickle.

        Its errors of `BROKEN` mean that the image cannot be read; `as_pixels` makes an array of what it gives.
        """
        return self._decoded, [int(index) for index in indices]

    def roots(self) -> list[Path]:
        """Files and folders that another process must be able to read to open the set again and read all of it.

        Returns
        -------
        list of Path
            Resolved, none below another, all there: also where links to images lead, and the folders of labels and
            masks. Relative names count from the working folder.

        Raises
        ------
        InputError
            The set does not lie on this machine, or a function made it.
        """
        if not self.read_from:
            raise InputError(
                f"{self.origin} does not lie in files of this machine that another process could be given to read.",
                "Bring the images into a folder.",
            )
        found = {os.path.realpath(p) for p in {*map(str, self.read_from), *self._folders()} if os.path.exists(p)}
        kept: list[Path] = []
        for path in sorted(map(Path, found), key=lambda path: path.parts):
            if not kept or not path.is_relative_to(kept[-1]):
                kept.append(path)
        return kept

    def sample(self, n: int | None = None, seed: int = 0) -> np.ndarray:
        """Indices of up to `n` images that can be read, drawn without replacement, in random order.

        Images that cannot be decoded are passed over and listed in ``skipped``. Each is decoded to see that; up to
        `KEPT_BYTES` of them are kept for the next `read` or `image`, which gives them out and forgets them.

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
        self._kept.clear()
        self._room = KEPT_BYTES
        for index in np.random.default_rng(seed).permutation(len(self)):
            if len(picked) == wanted:
                break
            if self._can_read(int(index)):
                picked.append(int(index))
        if not picked:
            name, reason = next(iter(self.skipped.items()))
            raise InputError(f"No image in {self.origin} can be read; {name}: {reason}.", "Pass PNG or JPEG files.")
        return np.array(picked, dtype=np.int64)

    def image(self, index: int, channels: int | None = None) -> np.ndarray:
        """One image in its own size, uint8 of shape (h, w, channels); by default 1 channel for grey files, else 3.

        Raises
        ------
        InputError
            The file cannot be decoded.
        """
        return as_array(self._open(index, channels))

    def read(
        self, indices: Sequence[int] | np.ndarray, *, channels: int | None = None, size: Size | None = None
    ) -> np.ndarray:
        """Images as one array.

        Parameters
        ----------
        indices : sequence of int
        channels : {1, 3, 4}, optional
            Default: as the images are.
        size : int or (int, int), optional
            Height and width in pixels; default: the set's ``size``, else the images' own.

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
            images.append(as_array(opened))
        if len({image.shape for image in images}) > 1:
            raise InputError(f"The images in {self.origin} differ in size or channels.", "Say which size to use.")
        return np.stack(images) if images else np.zeros((0, *(shape or (0, 0)), channels or 1), np.uint8)

    def boxes(self, index: int) -> np.ndarray:
        """Objects in an image, of detection alone: float64 of shape (k, 5): class, x, y, width, height in pixels."""
        raise NotImplementedError

    def mask(self, index: int) -> np.ndarray:
        """Class of each pixel, of segmentation alone: int of shape (h, w), 255 where a pixel has no class."""
        raise NotImplementedError

    def _decoded(self, index: int) -> Image.Image:
        """The image as it is stored, loaded; errors of `BROKEN` mean that it cannot be read."""
        raise NotImplementedError

    def _folders(self) -> Iterable[str]:
        """Folders that hold its files, besides `read_from`."""
        return ()

    def _stamp(self, index: int) -> object:
        """What changes when the image or its annotation changes, such as its size and time, or a hash that is known."""
        raise NotImplementedError

    def _can_read(self, index: int) -> bool:
        if self.names[index] in self.skipped:
            return False
        try:
            image = self._loaded(index)
        except InputError:
            return False
        self._room -= image.width * image.height * len(image.getbands())
        if self._keeps and self._room >= 0:
            self._kept[index] = image
        return True

    def _open(self, index: int, channels: int | None) -> Image.Image:
        if channels not in (None, *MODES):
            raise InputError(f"Images cannot be read with {channels} channels.", "Use 1 (grey), 3 (RGB) or 4 (RGBA).")
        image = self._kept.pop(index, None) or self._loaded(index)
        try:
            return in_mode(image, channels)
        except BROKEN as error:
            raise self._broken(index, error) from error

    def _loaded(self, index: int) -> Image.Image:
        try:
            with warnings.catch_warnings(action="ignore"):
                return self._decoded(index)
        except BROKEN as error:
            raise self._broken(index, error) from error

    def _broken(self, index: int, error: Exception) -> InputError:
        reason = self.skipped[self.names[index]] = broken_reason(error)
        return InputError(f"{self.names[index]} cannot be read: {reason}.", "Remove or replace this file.")


def _unique(names: list[str]) -> tuple[str, ...]:
    """Names that cleaning made equal are numbered."""
    if len(taken := set(names)) == len(names):
        return tuple(names)
    seen: dict[str, int] = {}
    given = []
    for name in names:
        number = seen[name] = seen.get(name, 0) + 1
        while number > 1 and f"{name} ({number})" in taken:
            number += 1
        given.append(name if number == 1 else f"{name} ({number})")
        taken.add(given[-1])
    return tuple(given)
