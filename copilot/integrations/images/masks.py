"""Images for segmentation: a folder of images and one of masks with the class of each pixel."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.decoding import BROKEN, decoded, header_size
from copilot.integrations.images.files import (
    FileImages,
    NoSplitsError,
    file_stamp,
    find_split,
    folders_in,
    folders_of,
    image_files,
    is_folder,
    listed,
    refuse_splits,
)
from copilot.integrations.images.files import read_text as text_of
from copilot.utils.validators import clean_text

NO_CLASS = 255
MAX_LOOKED_AT = 500
CLASS_FILES = ("classes.txt", "class_names.txt", "labels.txt")
_HINT = "It needs images and masks: PNG files of the same names, each pixel's value its class, 255 for none."


class MaskFolder(FileImages):
    """Images with a mask of the same name: ``path/images/a.jpg`` and ``path/masks/a.png``.

    Pixel values are classes, 255 means none; masks of 0 and 255 alone have two classes. ``classes.txt`` may name them,
    one a line; without it they are the numbers seen in the masks (in `MAX_LOOKED_AT` of them if there are more).

    Parameters
    ----------
    path : str or Path
    split : str, optional
        ``val`` reads ``images/val`` and ``masks/val``, or ``val/images`` and ``val/masks``.

    Raises
    ------
    NotFoundError
        One of the folders is not there.
    InputError
        No image has a mask.
    """

    task = "segmentation"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path).expanduser()
        shown = clean_text(path)
        images, masks = _folders(self.path, split, shown)
        by_stem = {os.path.splitext(name)[0]: name for name in image_files(masks)}
        found = image_files(images)
        names = [name for name in found if os.path.splitext(name)[0] in by_stem]
        if not names:
            raise InputError(f"No image in {clean_text(images)} has a mask of its name in {clean_text(masks)}.", _HINT)
        notes = []
        if lost := len(found) - len(names):
            notes.append(f"{lost} images without a mask were left out.")
        if spare := len(by_stem) - len({os.path.splitext(name)[0] for name in names}):
            notes.append(f"{spare} masks without an image were left out.")
        self._masks = [os.path.join(masks, by_stem[os.path.splitext(name)[0]]) for name in names]
        class_names = self._classes(notes)
        origin = str(path) if split is None else f"{path}#{split}"
        super().__init__(origin, class_names, [os.path.join(images, n) for n in names], names, notes=notes)
        self.read_from = [self.path]

    def mask(self, index: int) -> np.ndarray:
        """Class of each pixel; values that are no class are 255.

        Raises
        ------
        InputError
            The mask cannot be read, is coloured, or differs in size from its image.
        """
        try:
            values = _values(self._masks[index])
            width, height = header_size(self._files[index])
        except BROKEN as error:
            raise self._broken(index, error) from error
        if values.shape != (height, width):
            raise InputError(
                f"The mask of {self.names[index]} has {values.shape[1]} x {values.shape[0]} pixels, "
                f"its image {width} x {height}.",
                "Save both in the same size.",
            )
        if self._is_binary:
            return (values > 0).astype(np.uint8)
        return np.where(values < len(self.class_names), values, NO_CLASS).astype(np.uint8)

    def _can_read(self, index: int) -> bool:
        """An image counts as one that can be read only if its mask does."""
        if not super()._can_read(index):
            return False
        try:
            self.mask(index)
        except InputError as error:
            self.skipped.setdefault(self.names[index], error.message)
            self._kept.pop(index, None)
            return False
        return True

    def _classes(self, notes: list[str]) -> list[str]:
        """Names from a file, else the numbers in the masks."""
        total = len(self._masks)
        rows = np.linspace(0, total - 1, min(total, MAX_LOOKED_AT)).astype(int)
        seen: set[int] = set()
        broken = []
        for row in rows:
            try:
                seen.update(np.unique(_values(self._masks[row])).tolist())
            except BROKEN:
                broken.append(os.path.basename(self._masks[row]))
        if not seen:
            raise InputError(f"No mask can be read, such as {clean_text(broken[0], 40)}.", _HINT)
        if broken:
            notes.append(f"{len(broken)} masks cannot be read: {listed(broken, 3)}.")
        self._is_binary = seen <= {0, NO_CLASS} and NO_CLASS in seen
        named = next((self.path / name for name in CLASS_FILES if (self.path / name).is_file()), None)
        top = 1 if self._is_binary else max(seen - {NO_CLASS}, default=0)
        if named:
            names = [line.strip() for line in text_of(named, 1_000_000).splitlines() if line.strip()][:NO_CLASS]
            if top >= len(names):
                notes.append(f"Pixels of the values {len(names)} to {top} have no name, so that they count as none.")
            return names
        if len(rows) < total:
            notes.append(f"The classes are those of {len(rows)} of {total} masks; name them in classes.txt.")
        return [str(i) for i in range(top + 1)]

    def _stamp(self, index: int) -> object:
        return super()._stamp(index), file_stamp(self._masks[index])

    def _folders(self) -> Iterable[str]:
        return folders_of([*self._files, *self._masks])


def _folders(path: Path, split: str | None, shown: str) -> tuple[Path, Path]:
    images, masks = path / "images", path / "masks"
    inner, outer = folders_in(images), folders_in(path)
    if split is None:
        refuse_splits(inner, shown)
    else:
        if found := find_split(split, inner):
            images, masks = images / found, masks / found
        elif found := find_split(split, outer):
            images, masks = path / found / "images", path / found / "masks"
        else:
            kind = InputError if inner else NoSplitsError
            raise kind(f"{shown} has no split {clean_text(split, 40)}.", f"It has: {listed(inner or outer)}.")
    for folder in (images, masks):
        if not is_folder(folder):
            raise NotFoundError(f"Not found: {clean_text(folder)}", _HINT)
    return images, masks


def _values(file: str) -> np.ndarray:
    image = decoded(file)
    if image.mode not in ("P", "L", "1") and not image.mode.startswith("I"):
        raise ValueError("a coloured mask; its pixels are no classes")
    return np.asarray(image).astype(np.int64)
