"""What sets for detection share: the boxes of all images in one array, mended once when the set is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from copilot.errors import InputError
from copilot.integrations.images.decoding import BROKEN, header_size
from copilot.integrations.images.files import FileImages


class BoxedImages(FileImages):
    """Image files with boxes.

    Parameters
    ----------
    owners : ndarray of int64, shape (m,)
        The image of each box.
    boxes : ndarray of float64, shape (m, 5)
        Class, x, y, width, height: pixels, or shares of the image where `relative`.
    relative : bool, default False
    origin, class_names, files, names, notes
        As in `FileImages`.
    """

    task = "detection"

    def __init__(
        self,
        origin: str,
        class_names: Sequence[str],
        files: Sequence[str],
        names: Sequence[str],
        *,
        owners: np.ndarray,
        boxes: np.ndarray,
        relative: bool = False,
        notes: Sequence[str] = (),
    ) -> None:
        order = np.argsort(owners, kind="stable")
        boxes, starts = boxes[order], np.searchsorted(np.asarray(owners)[order], np.arange(len(files) + 1))
        self._boxes, self._starts, self._relative = boxes, starts, relative
        empty = int((np.diff(starts) == 0).sum())
        notes = [*notes, *([f"{empty} of {len(files)} images have no objects."] if empty else [])]
        super().__init__(origin, class_names, files, names, notes=notes)

    def boxes(self, index: int) -> np.ndarray:
        found = self._boxes[self._starts[index] : self._starts[index + 1]].copy()
        if self._relative and len(found):
            width, height = self.size_of(index)
            found[:, 1:] *= (width, height, width, height)
        return found

    def size_of(self, index: int) -> tuple[int, int]:
        """Width and height of an image, from its file's header.

        Raises
        ------
        InputError
            The file cannot be read.
        """
        try:
            return header_size(self._files[index])
        except BROKEN as error:
            raise self._broken(index, error) from error

    def _stamp(self, index: int) -> object:
        own = self._boxes[self._starts[index] : self._starts[index + 1]]
        return super()._stamp(index), hashlib.blake2b(np.ascontiguousarray(own), digest_size=12).hexdigest()


def clip_boxes(
    boxes: np.ndarray, width: np.ndarray | float, height: np.ndarray | float, notes: list[str]
) -> np.ndarray:
    """Cut boxes at the edges of their images, in place.

    Parameters
    ----------
    boxes : ndarray of float64, shape (m, 5)
        Class, x, y, width, height.
    width, height : float or ndarray of shape (m,)
        Of the images; infinite where not known.
    notes : list of str
        Gets what was cut or is to be left out.

    Returns
    -------
    ndarray of bool, shape (m,)
        False for boxes without area, or whose numbers are not finite.
    """
    finite = np.isfinite(boxes).all(1)
    x, y = boxes[:, 1].copy(), boxes[:, 2].copy()
    with np.errstate(invalid="ignore", over="ignore"):
        right, bottom = x + boxes[:, 3], y + boxes[:, 4]
        had_area = finite & (boxes[:, 3] > 0) & (boxes[:, 4] > 0)
        slack = 1e-6 * np.maximum(1, np.maximum(right, bottom))  # rounding is not reaching out
        outside = had_area & ((x < -slack) | (y < -slack) | (right > width + slack) | (bottom > height + slack))
        boxes[:, 1], boxes[:, 2] = np.clip(x, 0, width), np.clip(y, 0, height)
        boxes[:, 3] = np.clip(right, 0, width) - boxes[:, 1]
        boxes[:, 4] = np.clip(bottom, 0, height) - boxes[:, 2]
        kept = had_area & (boxes[:, 3] > 0) & (boxes[:, 4] > 0)
    if cut := int((outside & kept).sum()):
        notes.append(f"{cut} boxes reach out of their images and were cut at the edge.")
    if lost := int((~kept).sum()):
        notes.append(f"{lost} boxes without area inside their images were left out.")
    return kept


def not_this_task(what: str, has: str, asked: str) -> InputError:
    """The error for labels of another kind than was asked for."""
    return InputError(f"{what} holds labels for {has}, not for {asked}.", f"Name images with labels for {asked}.")
