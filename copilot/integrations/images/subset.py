"""Some images of a set, as a set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from copilot.integrations.images.base import ImageSet


class ImageSubset(ImageSet):
    """Images of `images` at `places`, in that order.

    Parameters
    ----------
    images : ImageSet
    places : sequence of int
        None comes twice.
    """

    def __init__(self, images: ImageSet, places: Sequence[int] | np.ndarray) -> None:
        self._whole = images
        self.places = np.asarray(places, dtype=np.int64)
        names = [images.names[i] for i in self.places]
        super().__init__(images.origin, images.class_names, names, images.labels[self.places], images.size)
        self.task = images.task

    def content_key(self, index: int) -> str:
        return self._whole.content_key(int(self.places[index]))

    def file_size(self, index: int) -> int | None:
        return self._whole.file_size(int(self.places[index]))

    def recipe(self, indices: Sequence[int] | np.ndarray) -> tuple[Callable[[Any], Image.Image], list[Any]]:
        return self._whole.recipe(self.places[np.asarray(indices, dtype=np.int64)])

    def boxes(self, index: int) -> np.ndarray:
        return self._whole.boxes(int(self.places[index]))

    def mask(self, index: int) -> np.ndarray:
        return self._whole.mask(int(self.places[index]))

    def _decoded(self, index: int) -> Image.Image:
        return self._whole._decoded(int(self.places[index]))

    def _stamp(self, index: int) -> object:
        return self._whole._stamp(int(self.places[index]))
