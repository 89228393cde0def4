"""Images in one folder per class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.base import Size
from copilot.integrations.images.files import FileImages, folders_in, image_files, is_folder, listed
from copilot.utils.validators import clean_text


class ImageFolder(FileImages):
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
        if not is_folder(self.path):
            raise NotFoundError(
                f"Image folder not found: {clean_text(path)}", "Pass a folder with one sub-folder per class."
            )
        folders, unreadable = class_folders(self.path), []
        found = [
            (label, f"{name}/{file}")
            for label, name in enumerate(folders)
            for file in image_files(self.path / name, unreadable)
        ]
        if not found:
            raise InputError(
                f"{clean_text(path)} holds no images in class folders.",
                "It needs one sub-folder per class with image files.",
            )
        names = [name for _, name in found]
        files = [os.path.join(self.path, name) for name in names]
        notes = [f"Folders that may not be read were left out: {listed(unreadable)}."] if unreadable else []
        labels = np.array([label for label, _ in found])
        super().__init__(str(path), folders, files, names, labels, size=size, notes=notes)
        self.read_from = [self.path]


def class_folders(path: Path) -> list[str]:
    """Names of the folders in `path`, in order, but hidden ones and links that lead back to it or above it."""
    found = folders_in(path)
    top = path.resolve()
    above = {top, *top.parents}
    return [name for name in found if not (path / name).is_symlink() or (path / name).resolve() not in above]
