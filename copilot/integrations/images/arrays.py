"""Images and labels as arrays: in a NumPy archive, or from a function of the person's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.decoding import pixels_key
from copilot.integrations.images.files import SPLITS, NoSplitsError, file_stamp, integer_classes, listed
from copilot.integrations.images.npz import Npz
from copilot.utils.validators import clean_text

IMAGE_KEYS = ("x", "images", "image", "imgs", "data", "inputs", "features")
LABEL_KEYS = ("y", "labels", "label", "targets", "target", "classes")
CLASS_KEYS = ("class_names", "label_names", "classes", "categories")
NOT_SPLITS = ("name", "names", "id", "ids", "path", "paths")
LAYOUTS = "Images are (n, h, w), (n, h, w, c) or (n, c, h, w) with 1, 3 or 4 channels."


class ImageArrays(ImageSet):
    """Images in an array.

    Parameters
    ----------
    origin : str
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, c)
    labels : ndarray of int64, shape (n,)
    class_names : sequence of str
    names : sequence of str
    stamp : object, optional
        Of the file that holds them. Default: a hash of each image.
    """

    _keeps = False

    def __init__(
        self,
        origin: str,
        images: np.ndarray,
        labels: np.ndarray,
        class_names: Sequence[str],
        names: Sequence[str],
        *,
        stamp: object = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(origin, class_names, names, labels, notes=notes)
        self._images = images
        self._same_stamp = stamp

    def _decoded(self, index: int) -> Image.Image:
        return _image(np.asarray(self._images[index]))

    def content_key(self, index: int) -> str:
        return pixels_key(self._images[index])

    def recipe(self, indices: Sequence[int] | np.ndarray) -> tuple[Callable[[Any], Image.Image], list[Any]]:
        return _image, [np.asarray(self._images[index]) for index in indices]

    def _stamp(self, index: int) -> object:
        if self._same_stamp is not None:
            return self._same_stamp
        return hashlib.blake2b(np.ascontiguousarray(self._images[index]), digest_size=12).hexdigest()


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def open_npz(path: str | Path, fragment: str | None = None) -> ImageArrays:
    """Labelled images in an ``.npz`` file.

    Parameters
    ----------
    path : str or Path
    fragment : str, optional
        A split (``train`` finds ``x_train`` and ``y_train``, or ``train_images`` and ``train_labels``), or the names of
        both arrays: ``x_train:y_train_worse``. It may be left out where the file holds one pair.

    Raises
    ------
    NotFoundError
        The file is not there.
    InputError
        It cannot be read, holds several splits, or no such arrays; images of a shape or range that is not known;
        labels that do not fit the images.
    """
    file = Npz(Path(path).expanduser())
    origin = clean_text(path) if fragment is None else f"{clean_text(path)}#{clean_text(fragment, 80)}"
    x, y = _keys(file, fragment, clean_text(path))
    images = as_images(file.rows(x, PixelReader(x, origin)), x, origin)
    class_names, labels = as_labels(file.whole(y), len(images), _class_names(file, y), y, origin)
    names = [f"{x}[{i}]" for i in range(len(images))]
    found = ImageArrays(origin, images, labels, class_names, names, stamp=file_stamp(Path(path).expanduser()) or "gone")
    found.read_from = [Path(path).expanduser()]
    return found


def _keys(file: Npz, fragment: str | None, shown: str) -> tuple[str, str]:
    keys = list(file.shapes)
    told = "It holds: " + ", ".join(f"{clean_text(k, 40)} {file.shapes[k]}" for k in keys[:12]) + "."
    if fragment and ":" in fragment:
        x, _, y = fragment.partition(":")
        if missing := [key for key in (x, y) if key not in keys]:
            raise InputError(f"{shown} holds no array {listed(missing)}.", told)
        return x, y
    pairs = _pairs(keys)
    wanted = _split_of(fragment.lower()) if fragment else None
    found = [pair for split, pair in pairs if wanted is None or split == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{shown} holds several splits: {listed(split or 'one without a name' for split, _ in pairs)}.",
            f"Name one: {shown}#{next(split for split, _ in pairs if split)}, or two arrays: #images:labels.",
        )
    what = (
        f"of the split {clean_text(fragment, 40)}"
        if fragment
        else "under their usual names (x and y, images and labels)"
    )
    kind = NoSplitsError if fragment and [split for split, _ in pairs] == [""] else InputError
    raise kind(f"{shown} holds no images and labels {what}.", f"{told} Name two of them: {shown}#images:labels.")


def _pairs(keys: list[str]) -> list[tuple[str, tuple[str, str]]]:
    """(split, (images, labels)) of arrays with usual names; the split is "" where the names hold none."""
    roles: dict[str, dict[str, str]] = {}
    for key in keys:
        words = key.lower().replace("-", "_").split("_")
        role = next((r for r, known in (("x", IMAGE_KEYS), ("y", LABEL_KEYS)) for w in words if w in known), None)
        rest = [word for word in words if word not in (*IMAGE_KEYS, *LABEL_KEYS)]
        if role and len(rest) <= 1 and not set(rest) & set(NOT_SPLITS):  # y_train_worse is another set of labels
            roles.setdefault(_split_of(rest[0]) if rest else "", {}).setdefault(role, key)
    return [(split, (found["x"], found["y"])) for split, found in roles.items() if len(found) == 2]


def _split_of(word: str) -> str:
    return next((split for split, words in SPLITS.items() if word in words), word)


def _class_names(file: Npz, y: str) -> list[str] | None:
    for key in CLASS_KEYS:
        if key != y and key in file.shapes and file.kinds[key].kind == "U" and len(file.shapes[key]) == 1:
            return file.whole(key).tolist()
    return None


def as_images(images: np.ndarray, name: str, origin: str) -> np.ndarray:
    """uint8 images with their channels last; a view of what was given.

    Raises
    ------
    InputError
        The shape is that of no images.
    """
    shape = images.shape
    last = len(shape) == 4 and shape[3] in (1, 3, 4)
    if len(shape) == 4 and not last and shape[1] in (1, 3, 4):
        images, last = images.transpose(0, 2, 3, 1), True
    if not (last or len(shape) == 3) or 0 in shape:
        raise InputError(f"{name} in {origin} has the shape {shape}, which is not one of images.", LAYOUTS)
    return images


class PixelReader:
    """Turns parts of an array into uint8: floats from 0 to 1 are stretched, numbers from 0 to 255 rounded.

    Called with each part in turn; which of both ranges it is must be the same in all of them.

    Raises
    ------
    InputError
        Values outside both ranges, or not numbers.
    """

    def __init__(self, name: str, origin: str) -> None:
        self._what = f"{name} in {origin}"
        self._scale: int | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if values.dtype == np.uint8 or not values.size:
            return values.astype(np.uint8, copy=False)
        if values.dtype == bool:
            return values.astype(np.uint8) * 255
        if values.dtype.kind not in "fiu":
            raise InputError(f"{self._what} holds {values.dtype}, not pixels.", "Save uint8, or floats from 0 to 1.")
        low, high = float(values.min()), float(values.max())
        stretched = values.dtype.kind == "f" and high <= 1 and self._scale != 1
        if not (low >= 0 and high <= (1 if self._scale == 255 else 255)):  # NaN too
            raise InputError(
                f"{self._what} holds values from {low:g} to {high:g}, expected 0 to 1 or 0 to 255 in all images.",
                "Save the images before they are normalised.",
            )
        if high > 0:
            self._scale = 255 if stretched else 1
        return np.rint(values.astype(np.float32) * (255 if stretched else 1)).astype(np.uint8)


def as_labels(
    labels: np.ndarray, n: int, class_names: Sequence[str] | None, name: str, origin: str
) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names and the class of each image, from integers, one-hot rows or texts.

    Raises
    ------
    InputError
        Not one label for each image, labels below 0 or beyond the class names, or numbers that are not whole.
    """
    what = f"{name} in {origin}"
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) == n and labels.dtype.kind in "fiub":
        if not (labels.sum(1) == 1).all() or not np.isin(labels, (0, 1)).all():
            raise InputError(f"{what} gives an image several classes or none.", "One class for each image is needed.")
        class_names = class_names or [str(i) for i in range(labels.shape[1])]
        labels = labels.argmax(1)
    if labels.size != n or labels.ndim < 1 or labels.shape[0] != n:
        raise InputError(f"{what} has the shape {labels.shape}, but there are {n} images.", "One label for each image.")
    labels = labels.reshape(n)
    if labels.dtype.kind in "US":
        texts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in labels.tolist()]
        names = list(class_names) if class_names and set(texts) <= set(class_names) else sorted(set(texts))
        return tuple(names), np.array([names.index(text) for text in texts], dtype=np.int64)
    if labels.dtype.kind not in "fiub" or (labels.dtype.kind == "f" and not (labels == np.floor(labels)).all()):
        raise InputError(f"{what} holds {labels.dtype} that are no classes.", "Save whole numbers from 0, or names.")
    labels = labels.astype(np.int64)
    most = len(class_names) - 1 if class_names else None
    if labels.min() < 0 or (most is not None and labels.max() > most):
        asked = f"0 to {most}, one of {most + 1} class names" if most is not None else "0 or more"
        raise InputError(f"{what} holds labels from {labels.min()} to {labels.max()}, expected {asked}.", "Mend them.")
    return (tuple(class_names), labels) if class_names else integer_classes(labels)
