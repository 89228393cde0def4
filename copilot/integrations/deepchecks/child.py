"""The child's side of a suite: open the images, read what the model said of them, let the engine run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from copilot.errors import InputError, MissingExtraError
from copilot.integrations.deepchecks.batches import TASKS
from copilot.integrations.deepchecks.catalogue import NEED_PREDICTIONS
from copilot.integrations.deepchecks.outcomes import outcomes_of
from copilot.integrations.deepchecks.records import CheckRun, Split, SuiteRun
from copilot.integrations.examination.sets import open_set, skipped_in
from copilot.integrations.images.base import ImageSet
from copilot.integrations.predictions import Predictions
from copilot.utils.supervise import Progress

LOOKED_AT = 256  # images that tell whether a set is grey and how large its images are
_UNASKED = "It needs what a model says of the images, and no model was asked."


def run(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the checks of a suite.

    Parameters
    ----------
    payload : dict
        ``train``, ``test`` (what image sets are named), ``images`` (how to open them), ``predictions`` (two files that
        `Predictions.save` wrote, or None), ``suite``, ``checks`` and ``thresholds`` (of `plan`), ``max_samples``,
        ``seed``, ``html`` (path or None).
    progress : callable

    Returns
    -------
    dict
        ``outcomes``, ``n_train``, ``n_test``, ``skipped``.
    """
    begin = time.monotonic()
    progress(0.01, "Opening the images")
    sets = [_opened(payload[side], payload["images"]) for side in ("train", "test")]
    splits = _splits(sets, payload["predictions"], payload["max_samples"], payload["seed"])
    progress(0.1, "Loading Deepchecks")
    engine = _engine()
    fit, unfit = dict(payload["checks"]), []
    if not payload["predictions"]:
        unfit = [CheckRun(name, "", failure=_UNASKED, expected=True) for name in fit if name in NEED_PREDICTIONS]
        fit = {name: parameters for name, parameters in fit.items() if name not in NEED_PREDICTIONS}
    html = Path(payload["html"]) if payload["html"] else None
    suite = SuiteRun(payload["suite"], fit, payload["thresholds"], payload["seed"])
    runs = engine.run(suite, *splits, html, progress)
    progress(1.0, f"Checked in {time.monotonic() - begin:.0f} s")
    return {
        "outcomes": [outcome.model_dump(mode="json") for outcome in outcomes_of([*runs, *unfit])],
        "n_train": len(splits[0]),
        "n_test": len(splits[1]),
        "skipped": skipped_in(*sets),
    }


def _opened(named: str, payload: dict[str, Any]) -> ImageSet:
    """The image set that is called `named`; the one place where this process opens images."""
    return open_set(named, payload, payload.get("task"))


def _engine() -> Any:
    try:
        from copilot.integrations.deepchecks import engine
    except ImportError as error:
        raise MissingExtraError("Deepchecks suites", "deepchecks") from error
    return engine


def _splits(sets: list[ImageSet], files: list[str] | None, max_samples: int, seed: int) -> tuple[Split, Split]:
    given = [Predictions.load(Path(file)) for file in files] if files else [None, None]
    for images, predictions in zip(sets, given, strict=True):
        _fits(images, predictions, sets[0].task)
    known = [name for predictions in given if predictions for name in predictions.class_names]
    names = tuple(dict.fromkeys([*known, *sets[0].class_names, *sets[1].class_names]))
    return tuple(_split(*pair, names, max_samples, seed) for pair in zip(sets, given, strict=True))


def _fits(images: ImageSet, predictions: Predictions | None, task: str) -> None:
    """See that images and predictions belong together.

    Raises
    ------
    InputError
        They do not.
    """
    if images.task not in TASKS or images.task != task:
        raise InputError(f"The training images are for {task}, the test images for {images.task}.", "Pass two alike.")
    if predictions is None:
        return
    if predictions.task != task:
        raise InputError(
            f"The predictions are of {predictions.task}, the images in {images.origin} for {task}.",
            "Pass predictions for these images.",
        )
    if not len(predictions) or predictions.indices.min() < 0 or predictions.indices.max() >= len(images):
        raise InputError(
            f"The predictions speak of images that {images.origin} does not have.", "Make them again for these images."
        )


def _split(images: ImageSet, given: Predictions | None, names: tuple[str, ...], max_samples: int, seed: int) -> Split:
    if given is None:
        indices, rows = images.sample(max_samples, seed), None
    else:
        rows = np.random.default_rng(seed).permutation(len(given))[:max_samples]
        indices = given.indices[rows]
    first, grey, pixels = _look(images, indices)
    order = np.r_[first, np.delete(np.arange(len(indices)), first)]
    return Split(
        images=images,
        indices=indices[order],
        class_names=names,
        class_numbers=np.array([names.index(name) for name in images.class_names], dtype=np.int64),
        predictions=None if rows is None else given.chosen(rows[order], names),
        grey=grey,
        pixels=pixels,
    )


def _look(images: ImageSet, indices: np.ndarray) -> tuple[int, bool, int]:
    """The first image that is not black, as Deepchecks refuses a set that begins with one; no colour; pixels."""
    first, grey, pixels = None, True, 0
    for place, index in enumerate(indices):
        if place >= LOOKED_AT and first is not None:
            break
        image = images.image(int(index))
        grey = grey and image.shape[2] == 1
        pixels = max(pixels, image.shape[0] * image.shape[1])
        if first is None and image.max() > 1:
            first = place
    if first is None:
        raise InputError(f"The images in {images.origin} are all black.", "Pass images with something on them.")
    return first, grey, pixels
