"""What sets of image files share: how files are found below a folder, stamped, and which names splits go by."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet, Size
from copilot.integrations.images.decoding import SUFFIXES, decoded
from copilot.utils.validators import clean_text

SPLITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing", "tst", "holdout"),
}
MAX_TEXT_BYTES = 500_000_000
MAX_INTEGER_CLASS = 10_000


class NoSplitsError(InputError):
    """A split was asked for of images that know no splits, so that they may be that split."""


class FileImages(ImageSet):
    """Images that are files on this machine.

    Parameters
    ----------
    files : sequence of str
        Path of each image.
    origin, class_names, names, labels, size, notes
        As in `ImageSet`.
    """

    def __init__(
        self,
        origin: str,
        class_names: Sequence[str],
        files: Sequence[str],
        names: Sequence[str],
        labels: np.ndarray | None = None,
        *,
        size: Size | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(origin, class_names, names, labels, size, notes)
        self._files = files

    def _decoded(self, index: int) -> Image.Image:
        return decoded(self._files[index])

    def content_key(self, index: int) -> str:
        return file_key(self._files[index])

    def file_size(self, index: int) -> int | None:
        stamp = file_stamp(self._files[index])
        return stamp[0] if isinstance(stamp, tuple) else None

    def recipe(self, indices: Sequence[int] | np.ndarray) -> tuple[Callable[[Any], Image.Image], list[Any]]:
        return decoded, [self._files[index] for index in indices]

    def _stamp(self, index: int) -> object:
        return file_stamp(self._files[index])

    def _folders(self) -> Iterable[str]:
        return folders_of(self._files)


def image_files(folder: str | Path, unreadable: list[str] | None = None) -> list[str]:
    """Files below `folder` whose ending is that of an image, relative to it with forward slashes, in order.

    Hidden files and folders are passed over, and links to folders are not followed. Folders that may not be read are
    added to `unreadable`.
    """
    found = []

    def refused(error: OSError) -> None:
        if unreadable is not None:
            unreadable.append(clean_text(error.filename))

    for base, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not is_hidden(name)]
        inner = os.path.relpath(base, folder).replace(os.sep, "/")
        above = "" if inner == "." else f"{inner}/"
        found += [above + name for name in names if has_image_ending(name)]
    return sorted(found, key=lambda name: name.split("/"))


def folders_of(files: Iterable[str]) -> set[str]:
    """Folders of some files, and of what those lead to that are links."""
    files = list(filter(None, files))
    links = filter(os.path.islink, files)
    return {os.path.dirname(os.path.abspath(path)) for path in (*files, *map(os.path.realpath, links))}


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def has_image_ending(name: str) -> bool:
    """Whether a file is called as an image is, and is not hidden."""
    return os.path.splitext(name)[1].lower() in SUFFIXES and not os.path.basename(name).startswith(".")


def file_stamp(file: str | Path) -> object:
    """Size and time of a file; None if it is gone."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def file_key(file: str | Path) -> str:
    """A file's `ImageSet.content_key`: MD5 of its bytes, which DVC knows its files by too; empty if it is gone."""
    try:
        with open(file, "rb") as opened:
            return f"md5:{hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()}"
    except (OSError, ValueError):
        return ""


def inside(root: str | Path, name: str) -> str | None:
    """Path of a file below `root`; None where `name` leads out of it. Links are the owner's own and not looked at."""
    top = os.path.abspath(root)
    path = os.path.normpath(os.path.join(top, name.replace("\\", "/")))
    return path if path.startswith(top.rstrip(os.sep) + os.sep) and "\0" not in path else None


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; False too for a name that cannot be one, and for links that lead in circles."""
    return os.path.isdir(path) if "\0" not in str(path) else False


def find_split(wanted: str, present: Iterable[str]) -> str | None:
    """The one of `present` that is called `wanted`, whatever its case, or another word for the same split."""
    names = list(present)
    by_name = {name.lower(): name for name in reversed(names)}
    words = next((words for words in SPLITS.values() if wanted.lower() in words), ())
    return wanted if wanted in names else next((by_name[w] for w in (wanted.lower(), *words) if w in by_name), None)


def refuse_splits(folders: Sequence[str], shown: str) -> None:
    """Raise where all of some folders are called after splits, so that one of them has to be named.

    Raises
    ------
    InputError
        They are; the line says how to name one.
    """
    if are_splits(folders):
        raise InputError(f"{shown} holds splits: {listed(folders)}.", f"Name one: {shown}#{listed(folders[-1:])}.")


def are_splits(folders: Sequence[str]) -> bool:
    """Whether all of some folders are called after splits; numbers such as the year of COCO's do not matter."""
    words = {word for known in SPLITS.values() for word in known}
    return bool(folders) and all(name.lower().rstrip("0123456789") in words for name in folders)


def folders_in(path: str | Path) -> list[str]:
    """Names of the folders in a folder, in order, but hidden ones; none where it is not there."""
    if not is_folder(path):
        return []
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if not is_hidden(entry.name) and _leads_to_folder(entry))


def _leads_to_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def integer_classes(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes of integer labels: 0, 1, ... up to the largest, as a model's outputs; of very large ones those seen.

    Parameters
    ----------
    values : ndarray of int, shape (n,)
        None is negative.

    Returns
    -------
    class names, and ndarray of int64 of shape (n,)
    """
    if not len(values) or values.max() < MAX_INTEGER_CLASS:
        return tuple(str(i) for i in range(int(values.max(initial=-1)) + 1)), values.astype(np.int64)
    seen, labels = np.unique(values, return_inverse=True)
    return tuple(str(i) for i in seen.tolist()), labels.astype(np.int64)


def read_text(path: str | Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Text of a file in UTF-8, in UTF-16 if it says so, else in Windows' Western encoding.

    Raises
    ------
    InputError
        It cannot be read or is larger than `limit` bytes.
    """
    shown = clean_text(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise InputError(f"{shown} cannot be read: {reason}.", "Check the path.") from error
    if len(raw) > limit:
        raise InputError(f"{shown} is larger than {limit / 1e6:,.0f} MB.", "Split it.")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names for an error line: the first few, cleaned."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(clean_text(name, 40) for name in names[:most]) + more
