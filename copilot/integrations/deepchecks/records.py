"""What goes into the engine and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from copilot.integrations.images.folder import ImageFolder


@dataclass(frozen=True)
class Split:
    """Images of one split with what the model said of them.

    ``indices``, ``labels`` and ``probabilities`` have one entry per image; columns and labels count ``class_names``.
    """

    images: ImageFolder
    indices: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    grey: bool


@dataclass(frozen=True)
class CheckRun:
    """What one check gave on one split; ``split`` is empty for a check that compares train with test.

    ``conditions`` are (category, name, details); ``failure`` says why there is no value and ``expected`` whether
    Deepchecks itself finds the check unfit here.
    """

    check: str
    split: str
    value: Any = None
    conditions: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""
    expected: bool = False
