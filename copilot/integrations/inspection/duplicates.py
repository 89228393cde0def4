"""Duplicates between two image sets: measured, found, judged and shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from copilot.core.data.duplicate_search import Pairs, Prints
from copilot.core.data.duplicates import Duplicates
from copilot.core.findings import Outcome, Picture
from copilot.errors import InputError
from copilot.imaging.fingerprints import Fingerprint
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.measuring import measured
from copilot.utils.config import ExecutorSettings

Progress = Callable[[float, str], None]
SHOWN = 12  # pairs: two images each fill a sheet
_SHARES = (0.5, 0.6)  # of the time, after which training and validation are measured


def fingerprints(
    images: ImageSet,
    *,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
) -> Prints:
    """Fingerprints of a set's readable images; errors as in `measured`."""
    found = measured(images, [Fingerprint()], executor=executor, progress=progress, refresh=refresh)
    return Prints.of(found.values, found.readable, images.names, images.labels)


def judge_duplicates(
    train: ImageSet,
    val: ImageSet,
    check: Duplicates | None = None,
    *,
    correct: np.ndarray | None = None,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
    seed: int = 0,
) -> tuple[Outcome, tuple[Picture, ...]]:
    """Whether validation images are in the training set too, with a contact sheet of pairs where they are.

    Parameters
    ----------
    train, val : ImageSet
    check : Duplicates, optional
        With thresholds of its own.
    correct : ndarray of bool, shape (len(val),), optional
        Whether the model gets each validation image right.
    executor, progress, refresh
        As in `measured`.
    seed : int, default 0

    Raises
    ------
    InputError
        No image of a set can be read, or `correct` does not fit the validation images.
    """
    if correct is not None and len(correct) != len(val):
        raise InputError(f"There are {len(correct)} answers for {len(val)} validation images.", "Give one for each.")
    check = check or Duplicates()
    told = progress or (lambda share, line: None)
    first, last = _SHARES
    a = fingerprints(train, executor=executor, refresh=refresh, progress=lambda s, x: told(first * s, x))
    b = fingerprints(val, executor=executor, refresh=refresh, progress=lambda s, x: told(first + (last - first) * s, x))
    return judge_prints(
        train, val, a, b, check, correct=correct, progress=lambda s, x: told(last + (1 - last) * s, x), seed=seed
    )


def judge_prints(
    train: ImageSet,
    val: ImageSet,
    a: Prints,
    b: Prints,
    check: Duplicates,
    *,
    correct: np.ndarray | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> tuple[Outcome, tuple[Picture, ...]]:
    """As `judge_duplicates`, of sets whose fingerprints `a` and `b` are known."""
    found = check.find(a, b, seed=seed, progress=progress)
    outcome = check.judge(a, b, found, correct=None if correct is None else np.asarray(correct)[b.places])
    return outcome, pair_sheet(train, val, a, b, found.across)


def pair_sheet(train: ImageSet, val: ImageSet, a: Prints, b: Prints, across: Pairs) -> tuple[Picture, ...]:
    """Each validation image beside its likest training image, the least alike first: these are the ones to doubt."""
    from copilot.probes.sheets import contact_sheet

    best = across.best()
    best = best[np.argsort(-across.difference[best], kind="stable")][:SHOWN]
    images, captions = [], []
    for place in best:
        i, j = int(across.first[place]), int(across.second[place])
        images += [val.image(int(b.places[i])), train.image(int(a.places[j]))]
        how = "exact" if across.exact[place] else "mirrored" if across.mirrored[place] else "near"
        captions += [f"validation: {_short(b.names[i])}", f"{how}: {_short(a.names[j])}"]
    if not images:
        return ()
    caption = "Each validation image, and beside it the training image that is the same; the least alike come first."
    return (contact_sheet(images, captions, title=Duplicates.title, caption=caption, code=Duplicates.code),)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"...{name[-22:]}"
