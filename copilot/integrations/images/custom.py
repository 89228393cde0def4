"""Images from a function of the person's own, which the settings have to allow."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from copilot.errors import InputError
from copilot.integrations.images.arrays import ImageArrays, PixelReader, as_images, as_labels
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.files import FileImages
from copilot.utils.config import ImagesSettings
from copilot.utils.validators import clean_text

_GIVES = "It must return (images, labels), (images, labels, class_names), or a list of (path, label)."


def open_function(named: str, settings: ImagesSettings) -> ImageSet:
    """Images that a function returns; its module is imported from the working folder or as an installed one.

    Parameters
    ----------
    named : str
        ``module:function``. It is called without arguments and returns arrays, (images, labels) or (images, labels,
        class_names), or a list of (path, label).
    settings : ImagesSettings
        ``allow_functions`` has to be on.

    Raises
    ------
    InputError
        It is not allowed, cannot be imported, fails, or returns something else.
    """
    shown = clean_text(named, 120)
    if not settings.allow_functions:
        raise InputError(
            f"{shown} names a function, and running code that a name points to is off.",
            "If it is your own code, set images.allow_functions: true; it runs with all your rights.",
        )
    try:
        with _working_folder():
            given = _function(named)()
    except (Exception, SystemExit) as error:  # whatever the person's code does
        raise InputError(f"{shown} failed: {type(error).__name__}: {clean_text(error, 120)}.", _GIVES) from error
    if _is_pairs(given):
        return _from_pairs(shown, given)
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        size = f" of {len(given)}" if isinstance(given, tuple | list) else ""
        raise InputError(f"{shown} returned a {type(given).__name__}{size}.", _GIVES)
    return _from_arrays(shown, *given)


def _function(named: str) -> Callable[[], Any]:
    module, _, name = named.partition(":")
    return getattr(importlib.import_module(module), name)


@contextmanager
def _working_folder() -> Iterator[None]:
    folder = os.getcwd()
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _is_pairs(given: Any) -> bool:
    """Whether it is a list of (path, label)."""
    return isinstance(given, list) and all(
        isinstance(row, tuple | list) and len(row) == 2 and isinstance(row[0], str | os.PathLike) for row in given
    )


def _from_pairs(shown: str, pairs: Sequence[tuple[Any, Any]]) -> ImageSet:
    files = [os.fspath(path) for path, _ in pairs]
    if not files or not all(isinstance(file, str) for file in files):
        raise InputError(f"{shown} returned no images." if not files else f"{shown} returned paths as bytes.", _GIVES)
    try:
        labels = np.array([label for _, label in pairs])
    except ValueError as error:
        raise InputError(f"{shown} returned labels of different kinds.", _GIVES) from error
    class_names, labels = as_labels(labels, len(files), None, "The labels", shown)
    return FileImages(shown, class_names, files, [file.replace(os.sep, "/") for file in files], labels)


def _from_arrays(shown: str, images: Any, labels: Any, class_names: Any = None) -> ImageSet:
    try:
        images, labels = np.asarray(images), np.asarray(labels)
        names = None if class_names is None else [str(name) for name in class_names]
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{shown} returned no arrays: {clean_text(error, 80)}.", _GIVES) from error
    images = as_images(PixelReader("The images", shown)(images), "The images", shown)
    class_names, labels = as_labels(labels, len(images), names, "The labels", shown)
    return ImageArrays(shown, images, labels, class_names, [f"image[{i}]" for i in range(len(images))])
