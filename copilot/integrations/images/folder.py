"""Images in one folder per class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.base import SUFFIXES, ImageSet, Size, decoded
from copilot.utils.validators import clean_text


class ImageFolder(ImageSet):
    """Labelled images in ``path/<class>/<file>``.

    Parameters
    ----------
    path : str or Path
        Folder with one sub-folder per class; their names in order are the classes.
    size : int or (int, int), optional
        Height and width in pixels that `read` gives unless it is told otherwise.

    Raises
    ------
    NotFoundError
        The folder is not there.
    InputError
        It has no class folders, or no images in them.
    """

    def __init__(self, path: str | Path, *, size: Size | None = None) -> None:
        self.path = Path(path).expanduser()
        if not self.path.is_dir():
            raise NotFoundError(
                f"Image folder not found: {clean_text(path)}", "Pass a folder with one sub-folder per class."
            )
        folders = sorted(
            entry.name for entry in os.scandir(self.path) if entry.is_dir() and not entry.name.startswith(".")
        )
        found = [(label, file) for label, name in enumerate(folders) for file in image_files(self.path / name)]
        if not found:
            raise InputError(
                f"{clean_text(path)} holds no images in class folders.",
                "It needs one sub-folder per class with image files.",
            )
        self._files = [file for _, file in found]
        names = [file.relative_to(self.path).as_posix() for file in self._files]
        super().__init__(str(path), folders, names, np.array([label for label, _ in found]), size)

    def _decoded(self, index: int) -> Image.Image:
        return decoded(self._files[index])

    def _stamp(self, index: int) -> object:
        return file_stamp(self._files[index])


def image_files(folder: Path) -> list[Path]:
    """Files below `folder` whose ending is that of an image, in order."""
    walked = ((Path(base), names) for base, _, names in os.walk(folder))
    return sorted(base / name for base, names in walked for name in names if Path(name).suffix.lower() in SUFFIXES)


def file_stamp(file: Path) -> object:
    """Size and time of a file; None if it is gone."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
