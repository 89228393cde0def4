"""Images in one folder per class as a revision of a DVC project has them; nothing is checked out."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from copilot.errors import CopilotError, InputError
from copilot.integrations.dvc.remote import Wanted
from copilot.integrations.dvc.store import DvcStore
from copilot.integrations.dvc_manager import MAX_FILE_BYTES, DvcManager, TrackedFile
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.decoding import decoded
from copilot.integrations.images.files import find_split, has_image_ending, listed, refuse_splits
from copilot.utils.config import DvcSettings
from copilot.utils.validators import clean_text


class DvcImages(ImageSet):
    """Labelled images in ``path/<class>/<file>`` of a revision, read from DVC's cache, else from its remote.

    Parameters
    ----------
    rev : str
        Tag, commit or branch. What it stands for is looked up once, when the set is opened.
    path : str
        Tracked folder, or one inside or above it. Empty: that of the settings.
    settings : DvcSettings
    split : str, optional
        Folder in `path` that holds the class folders; ``val`` finds ``validation`` too.

    Raises
    ------
    NotFoundError
        An unknown revision, or nothing is tracked there.
    InputError
        No DVC project is there, or no images in class folders.
    ToolError
        The list of files is neither in the cache nor in the remote.
    MissingExtraError
        DVC is not installed.
    """

    def __init__(self, rev: str, path: str, settings: DvcSettings, split: str | None = None) -> None:
        self._manager = DvcManager(settings.repo, settings.remote)
        path = path or settings.data_path or ""
        tracked = _of_split(
            self._manager.list_files(path or None, rev), split, f"dvc:{clean_text(rev)}:{clean_text(path)}"
        )
        hidden = {name for name in tracked if any(part.startswith(".") for part in name.split("/"))}
        images = [name for name in tracked if name not in hidden and has_image_ending(name)]
        names = sorted((name for name in images if "/" in name), key=lambda name: name.split("/"))
        if not names:
            raise InputError(
                f"{clean_text(path) or 'The project'} of {clean_text(rev)} holds no images in class folders.",
                "Name a folder that has one sub-folder per class.",
            )
        self._tracked = [tracked[name] for name in names]
        class_names = sorted({name.split("/")[0] for name in names})
        index = {name: i for i, name in enumerate(class_names)}
        labels = np.array([index[name.split("/")[0]] for name in names])
        lost = len(images) - len(names)
        notes = [f"{lost} images outside class folders were left out."] if lost else []
        origin = f"dvc:{rev}:{path}" + (f"#{split}" if split else "")
        super().__init__(origin, class_names, names, labels, notes=notes)

    def _decoded(self, index: int) -> Image.Image:
        return _image(self._manager.store, (self._tracked[index], self.names[index]))

    def content_key(self, index: int) -> str:
        file = self._tracked[index]
        return f"{'dvc2' if file.legacy else 'md5'}:{file.hash}"  # `md5` as that of the file, were it checked out

    def file_size(self, index: int) -> int | None:
        return self._tracked[index].size

    def recipe(self, indices: Sequence[int] | np.ndarray) -> tuple[Callable[[Any], Image.Image], list[Any]]:
        return partial(_image, self._manager.store), [(self._tracked[i], self.names[i]) for i in indices]

    def _stamp(self, index: int) -> object:
        return self._tracked[index].hash


def _of_split(tracked: dict[str, TrackedFile], split: str | None, shown: str) -> dict[str, TrackedFile]:
    """The files of a split, by their paths in it."""
    folders = sorted({name.split("/")[0] for name in tracked if "/" in name})
    if split is None:
        if any(name.count("/") > 1 for name in tracked):  # else they are classes of those names
            refuse_splits(folders, shown)
        return tracked
    found = find_split(split, folders)
    if found is None:
        raise InputError(
            f"{shown} has no folder for {clean_text(split, 40)}.", f"It holds: {listed(folders) or 'none'}."
        )
    return {name.removeprefix(f"{found}/"): file for name, file in tracked.items() if name.startswith(f"{found}/")}


def _image(store: DvcStore, wanted: tuple[TrackedFile, str]) -> Image.Image:
    file, name = wanted
    try:
        data = store.read(Wanted(file.hash, file.legacy, name), MAX_FILE_BYTES)
    except CopilotError as error:  # an object that is lost is an image that cannot be read
        raise ValueError(error.message) from error
    return decoded(io.BytesIO(data))
