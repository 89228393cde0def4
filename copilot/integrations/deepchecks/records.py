"""What goes into the engine and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from copilot.integrations.images.base import ImageSet
from copilot.integrations.predictions import Predictions


@dataclass(frozen=True)
class Split:
    """Images of one split with what the model said of them.

    Attributes
    ----------
    images : ImageSet
    indices : ndarray of int64, shape (n,)
        Which images of the set, in the order in which they are looked at.
    class_names : tuple of str
        Of both splits together.
    class_numbers : ndarray of int64
        For each class of the set, its index into ``class_names``.
    predictions : Predictions or None
        One entry for each of ``indices``; its classes are ``class_names``. None where no model was asked.
    grey : bool
        Whether the images have no colour.
    pixels : int
        Pixels of a large image of the set.
    """

    images: ImageSet
    indices: np.ndarray
    class_names: tuple[str, ...]
    class_numbers: np.ndarray
    predictions: Predictions | None = None
    grey: bool = False
    pixels: int = 0

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class SuiteRun:
    """What is to be run: the checks with the parameters of their constructors, and limits by check."""

    name: str
    checks: dict[str, dict[str, Any]]
    thresholds: dict[str, dict[str, Any]]
    seed: int = 0


@dataclass(frozen=True)
class CheckRun:
    """What one check gave on one split; ``split`` is empty for a check that compares train with test.

    ``conditions`` are (category, name, details); ``failure`` says why there is no value and ``expected`` whether
    the check is unfit here rather than broken.
    """

    check: str
    split: str
    value: Any = None
    conditions: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""
    expected: bool = False
