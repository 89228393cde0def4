"""The child that asks the model: its predictions go into a file, its probes' outcomes back to the parent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from copilot.core.findings import Evidence, Outcome
from copilot.errors import MissingExtraError
from copilot.integrations.class_names import shared_classes
from copilot.integrations.examination.request import MODEL_CODE, MODEL_TITLE, Asked, Request
from copilot.integrations.examination.sets import open_set, skipped_in
from copilot.integrations.images.base import ImageSet
from copilot.integrations.models.spec import ModelFiles
from copilot.integrations.predictions import Predictions
from copilot.integrations.predictions_files import read_predictions
from copilot.plugins import third_party_probes
from copilot.probes.base import Examined, Sample
from copilot.probes.loading import chosen, load_probes
from copilot.probes.prober import run_probes
from copilot.utils.handed_back import OUT
from copilot.utils.supervise import Progress
from copilot.utils.validators import clean_text

READ_AT_ONCE = 256
NAMES, WORDS = ("train", "test"), ("training", "validation")


@dataclass(frozen=True)
class _Split:
    images: ImageSet
    predictions: Predictions


def run(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Ask a model about two image sets and probe it.

    Parameters
    ----------
    payload : dict
        ``request`` (`Request`), ``model`` (`ModelFiles` or None), ``sources`` and ``models`` (of the settings),
        ``samples`` and ``probed`` (images of a set to ask about and to probe with), ``threads`` (0: up to four).
    progress : callable

    Returns
    -------
    dict
        `Asked`. The predictions lie in the folder for files, as ``train.npz`` and ``test.npz``.
    """
    request = Request.model_validate(payload["request"])
    sets = [open_set(named, payload["sources"], request.task) for named in (request.train, request.test)]
    model = _model(payload, progress)
    splits = [_split(model, n, sets, request, payload["samples"], progress) for n in range(len(sets))]
    for name, split in zip(NAMES, splits, strict=True):
        split.predictions.save(Path(OUT) / f"{name}.npz")
    known = load_probes(request.checks, request.ignore, third_party_probes())
    probes = chosen(known, request.probes or ("none",))
    examined = _examined(model, splits, payload["probed"], request.seed)
    probed = run_probes(examined, probes, request.ignore, lambda f, line: progress(0.3 + 0.7 * f, line))
    asked = Asked(
        outcomes=(_summary(model, splits), *(p.outcome for p in probed)),
        pictures=tuple(picture for p in probed for picture in p.pictures),
        n_train=len(splits[0].predictions),
        n_test=len(splits[1].predictions),
        class_names=splits[0].predictions.class_names,
    )
    return asked.model_dump(mode="json")


def _model(payload: dict[str, Any], progress: Progress) -> Any:
    if payload["model"] is None:
        return None
    progress(0.02, "Loading the model")
    try:
        import torch

        from copilot.integrations.models.loader import load_model
    except ImportError as error:
        raise MissingExtraError("Loading models", "models") from error
    torch.set_num_threads(max(1, min(payload["threads"] or 4, torch.get_num_threads())))
    return load_model(ModelFiles(**payload["model"]), **payload["models"])


def _split(model: Any, number: int, sets: list[ImageSet], request: Request, samples: int, progress: Progress) -> _Split:
    images = sets[number]
    progress(0.1 + 0.1 * number, f"Asking the model about the {'training' if number == 0 else 'validation'} images")
    if request.predictions is not None:
        return _Split(images, _given(request.predictions[number], images, sets, samples, request.seed))
    indices = images.sample(samples, request.seed)
    asked = {"classification": _classified, "detection": _detected, "segmentation": _segmented}[images.task]
    return _Split(images, asked(model, images, indices, sets))


def _given(file: str, images: ImageSet, sets: list[ImageSet], samples: int, seed: int) -> Predictions:
    """Predictions of a file, for as many images as a model would be asked about."""
    said = read_predictions(file, images)
    names = tuple(dict.fromkeys([*(name for s in sets for name in s.class_names), *said.class_names]))
    return said.chosen(np.random.default_rng(seed).permutation(len(said))[:samples], names)


def _classified(model: Any, images: ImageSet, indices: np.ndarray, sets: list[ImageSet]) -> Predictions:
    spec = model.spec
    parts = [model.predict(images.read(p, channels=spec.channels, size=spec.size)) for p in _parts(indices)]
    rows = np.concatenate(parts)
    names = shared_classes(spec.class_names, rows.shape[1], *(s.class_names for s in sets))
    return Predictions(
        task="classification",
        class_names=names,
        indices=indices,
        labels=np.array([names.index(images.class_names[label]) for label in images.labels[indices]], dtype=np.int64),
        # A class that the model does not know gets probability 0.
        probabilities=np.pad(rows, ((0, 0), (0, len(names) - rows.shape[1]))),
    )


def _detected(model: Any, images: ImageSet, indices: np.ndarray, sets: list[ImageSet]) -> Predictions:
    read = partial(images.image, channels=model.spec.channels or 3)
    found = [boxes for part in _parts(indices) for boxes in model.detect([read(int(i)) for i in part])]
    return Predictions("detection", _named(model, sets), indices, np.full(len(indices), -1), boxes=found)


def _segmented(model: Any, images: ImageSet, indices: np.ndarray, sets: list[ImageSet]) -> Predictions:
    read = partial(images.image, channels=model.spec.channels or 3)
    found = [mask for part in _parts(indices) for mask in model.segment([read(int(i)) for i in part])]
    return Predictions("segmentation", _named(model, sets), indices, np.full(len(indices), -1), masks=found)


def _named(model: Any, sets: list[ImageSet]) -> tuple[str, ...]:
    """Classes by name; those of the sets where the model does not name its own."""
    return tuple(dict.fromkeys([*model.spec.class_names, *(name for s in sets for name in s.class_names)]))


def _parts(indices: np.ndarray) -> list[np.ndarray]:
    return np.split(indices, range(READ_AT_ONCE, len(indices), READ_AT_ONCE))


def _examined(model: Any, splits: list[_Split], probed: int, seed: int) -> Examined | None:
    """What the probes get; None where they have nothing to say, since the labels are no classes."""
    if splits[0].images.task != "classification":
        return None
    classifier = model is not None
    return Examined(
        train=_sample(model, splits[0], probed),
        val=_sample(model, splits[1], probed),
        class_names=splits[0].predictions.class_names,
        predict=model.predict if classifier else None,
        attribute=model.attribute if classifier and model.module is not None else None,
        module=model.module if classifier else None,
        seed=seed,
    )


def _sample(model: Any, split: _Split, probed: int) -> Sample:
    said, images = split.predictions, split.images
    indices = said.indices[:probed]
    pixels = images.read(indices, channels=model.spec.channels, size=model.spec.size) if model is not None else None
    return Sample(
        images=pixels,
        labels=said.labels[:probed],
        names=tuple(images.names[i] for i in indices),
        probabilities=said.probabilities[:probed],
        total=len(images),
        certainty=said.certainty,
    )


def _summary(model: Any, splits: list[_Split]) -> Outcome:
    """What was looked at, and what could not be read."""
    skipped = skipped_in(*(split.images for split in splits))
    asked = f"the model on {model.device}" if model is not None else "the given predictions"
    counts = [
        f"{len(s.predictions):,} of {len(s.images):,} {what} images" for s, what in zip(splits, WORDS, strict=True)
    ]
    told = f"Asked {asked} about {' and '.join(counts)}."
    if model is not None:
        told += f" Prepared: {model.spec.told()}."
    if skipped:
        told += f" Left out, since they cannot be read: {'; '.join(skipped)}."
    notes = dict.fromkeys(n for split in splits for n in (*split.images.notes, *split.predictions.notes))
    numbers = [(f"{w}_images", len(s.predictions), "images") for s, w in zip(splits, WORDS, strict=True)]
    numbers.append(("unreadable_images", sum(len(s.images.skipped) for s in splits), "images"))
    return Outcome(
        code=MODEL_CODE,
        title=MODEL_TITLE,
        state="passed",
        summary=clean_text(" ".join([told, *notes]), 2000),
        evidence=tuple(Evidence(name=n, value=v, unit=u, source="images") for n, v, u in numbers),
    )
