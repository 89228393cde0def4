"""Two image sets + data checks -> outcomes and pictures. Every image is decoded once for all checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from copilot.core.checks.base import BaseCheck
from copilot.core.data.class_balance import ClassBalance
from copilot.core.data.duplicate_search import Prints
from copilot.core.data.duplicates import Duplicates
from copilot.core.data.group_names import Grouping, find_groups
from copilot.core.data.groups import SplitGroups
from copilot.core.data.image_quality import ImageQuality
from copilot.core.data.label_noise import LabelNoise
from copilot.core.data.validation_size import Scores, ValidationSize
from copilot.core.detector import muted
from copilot.core.findings import Outcome, Picture
from copilot.errors import CopilotError, InputError
from copilot.imaging.features import ClassicalFeatures
from copilot.imaging.fingerprints import Fingerprint
from copilot.imaging.properties import Properties
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.duplicates import judge_prints
from copilot.integrations.inspection.measuring import Measured, measured
from copilot.integrations.inspection.moved import DRIFT, what_moved
from copilot.integrations.inspection.quality import judge_quality
from copilot.integrations.predictions import Predictions
from copilot.utils.config import ExecutorSettings
from copilot.utils.validators import clean_text

Progress = Callable[[float, str], None]
Found = tuple[Outcome, tuple[Picture, ...]]
Embeddings = Mapping[str, np.ndarray]
_MEASURING, _CHECKED = 0.5, 0.85  # shares of the time, after which images are measured and checks have judged
_MEASURES = (Fingerprint, Properties, ClassicalFeatures)


@dataclass(frozen=True)
class Inspection:
    """What the checks get.

    Attributes
    ----------
    train, val : ImageSet
    of_train, of_val : Measured
        Fingerprints, properties and classical features.
    predictions : Predictions or None
        Of the validation images, by a model that was not trained on them.
    scores : Scores
    embeddings : mapping of {"train", "val"} to ndarray of float, shape (len(set), d), or None
    groups : Grouping or None
        Where they were given.
    groups_pattern : str or None
    seed : int
    """

    train: ImageSet
    val: ImageSet
    of_train: Measured
    of_val: Measured
    predictions: Predictions | None = None
    scores: Scores = field(default_factory=Scores)
    embeddings: Embeddings | None = None
    groups: Grouping | None = None
    groups_pattern: str | None = None
    seed: int = 0

    def correct(self) -> np.ndarray | None:
        """Whether the model gets each validation image right; None where that is not known of all."""
        said = self.predictions
        if said is None or said.probabilities is None or len(np.unique(said.indices)) != len(self.val):
            return None
        right = np.zeros(len(self.val), bool)
        right[said.indices] = said.probabilities.argmax(1) == said.labels
        return right


def inspect_sets(
    train: ImageSet,
    val: ImageSet,
    checks: Sequence[BaseCheck],
    *,
    predictions: Predictions | None = None,
    scores: Scores | None = None,
    embeddings: Embeddings | None = None,
    groups: Grouping | None = None,
    groups_pattern: str | None = None,
    ignore: Mapping[str, str] | None = None,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
    seed: int = 0,
) -> list[Found]:
    """Run every data check on a training and a validation set; the fault of one becomes its own outcome.

    Parameters
    ----------
    train, val : ImageSet
        Their ``skipped`` gets the images that cannot be read.
    checks : sequence of BaseCheck
        From `core.data.load_data_checks`; one that is not known here needs a method
        ``inspect(inspection, progress) -> (outcome, pictures)``.
    predictions : Predictions, optional
        Of the validation images, by a model that was not trained on them.
    scores : Scores, optional
        Shares of images that the model gets right; the validation score is else taken from the predictions.
    embeddings : mapping of {"train", "val"} to ndarray, optional
        A row for each image; label noise is judged on these instead of classical features.
    groups : Grouping, optional
        From `core.data.group_names.given_groups`, such as of a table's column.
    groups_pattern : str, optional
        Regular expression that finds the group in an image's name.
    ignore : mapping of code to reason, optional
        Muted checks: their outcome is ``ignored`` with the reason, and they are not run.
    executor, progress, refresh
        As in `measured`; what `progress` raises ends the work.
    seed : int, default 0

    Returns
    -------
    list of (Outcome, tuple of Picture)
        In the order of `checks`.

    Raises
    ------
    InputError
        Not one image of a set can be read, or predictions or embeddings are of other images.
    ToolError
        A worker process died, or a Dask cluster is out of reach.
    """
    _fit(val, {"train": train, "val": val}, predictions, embeddings)
    told = progress or (lambda share, line: None)
    half = _MEASURING / 2
    a, b = (
        measured(
            images,
            [measure() for measure in _MEASURES],
            executor=executor,
            refresh=refresh,
            progress=lambda share, line, start=start: told(start + half * share, line),
        )
        for images, start in ((train, 0.0), (val, half))
    )
    given = Inspection(train, val, a, b, predictions, scores or Scores(), embeddings, groups, groups_pattern, seed)
    found: dict[str, Found] = {}
    alone = [check for check in checks if not isinstance(check, DRIFT)]
    for number, check in enumerate(alone):
        start, part = _MEASURING + (_CHECKED - _MEASURING) * number / len(alone), (_CHECKED - _MEASURING) / len(alone)
        found[check.code] = _run(given, check, ignore or {}, _Steps(told, start, part, check.title))
    work = {"executor": executor, "refresh": refresh, "seed": seed}
    found |= what_moved(train, val, checks, ignore or {}, work, partial(_at_the_end, told))
    told(1.0, "inspected")
    return [found[check.code] for check in checks]


def _at_the_end(told: Progress, share: float, line: str) -> None:
    told(_CHECKED + (1 - _CHECKED) * share, line)


def _fit(
    val: ImageSet, sets: Mapping[str, ImageSet], predictions: Predictions | None, embeddings: Embeddings | None
) -> None:
    if predictions is not None and len(predictions) and not 0 <= predictions.indices.max() < len(val):
        raise InputError("The predictions are of other images than the validation set's.", "Ask the model again.")
    for split, images in sets.items():
        if embeddings is not None and len(embeddings.get(split, ())) != len(images):
            raise InputError(
                f"There are {len(embeddings.get(split, ()))} embeddings for {len(images)} images of {split}.",
                "Give one for each.",
            )


class _Ended(BaseException):
    """Carries what `progress` raised past the guard of a check."""


@dataclass(frozen=True)
class _Steps:
    """Progress of one check within that of all."""

    told: Progress
    start: float
    part: float
    title: str

    def __call__(self, share: float, line: str) -> None:
        try:
            self.told(round(self.start + self.part * min(max(share, 0.0), 1.0), 6), f"{self.title}: {line}")
        except Exception as error:
            raise _Ended from error


def _run(given: Inspection, check: BaseCheck, ignore: Mapping[str, str], steps: Progress) -> Found:
    if check.code in ignore:
        return muted(check.code, check.title, ignore[check.code]), ()
    try:
        steps(0.0, "beginning")
        own = getattr(check, "inspect", None)
        return own(given, steps) if own else _RUNNERS[type(check)](given, check, steps)
    except _Ended as ended:
        raise ended.__cause__ from None
    except CopilotError as error:
        return check.outcome("error", clean_text(str(error), 300)), ()
    except Exception as error:  # odd data that one check cannot take must not cost the others
        return check.outcome("error", clean_text(f"The check failed: {type(error).__name__}: {error}", 300)), ()


def _duplicates(given: Inspection, check: Duplicates, steps: Progress) -> Found:
    a, b = (
        Prints.of(found.values, found.readable, images.names, images.labels)
        for images, found in ((given.train, given.of_train), (given.val, given.of_val))
    )
    return judge_prints(given.train, given.val, a, b, check, correct=given.correct(), progress=steps, seed=given.seed)


def _label_noise(given: Inspection, check: LabelNoise, steps: Progress) -> Found:
    from copilot.integrations.inspection.label_noise import judge_label_noise

    parts = {"train": given.of_train, "val": given.of_val}
    own = given.embeddings
    features = {
        split: (found["features"] if own is None else own[split], found.readable) for split, found in parts.items()
    }
    return judge_label_noise(
        given.train,
        given.val,
        features,
        check,
        predictions=given.predictions,
        source="classical features" if own is None else "embeddings",
        progress=steps,
        seed=given.seed,
    )


def _class_balance(given: Inspection, check: ClassBalance, steps: Progress) -> Found:
    if given.train.task != given.val.task or given.train.task == "segmentation":
        return check.outcome("not_applicable", "Classes are counted of classification and detection only."), ()
    unit = "objects" if given.train.task == "detection" else "images"
    return check.judge(_class_counts(given.train), _class_counts(given.val), unit=unit), ()


def _class_counts(images: ImageSet) -> dict[str, int]:
    if images.task != "detection":
        return images.class_counts()
    counts = np.zeros(len(images.class_names), dtype=np.int64)
    for index, name in enumerate(images.names):
        if name not in images.skipped:
            np.add.at(counts, images.boxes(index)[:, 0].astype(np.int64), 1)
    return dict(zip(images.class_names, counts.tolist(), strict=True))


def _validation_size(given: Inspection, check: ValidationSize, steps: Progress) -> Found:
    scores, said = given.scores, given.predictions
    if scores.val is None and said is not None and said.probabilities is not None and len(said):
        right = said.probabilities.argmax(1) == said.labels
        scores = Scores(scores.train, float(right.mean()), scores.n_train, len(right))
    return check.judge(int(given.of_train.readable.sum()), int(given.of_val.readable.sum()), scores), ()


def _quality(given: Inspection, check: ImageQuality, steps: Progress) -> Found:
    return judge_quality(given.train, given.val, given.of_train, given.of_val, check)


def _groups(given: Inspection, check: SplitGroups, steps: Progress) -> Found:
    train, val = given.train, given.val
    same = train.class_names == val.class_names
    grouping = given.groups or find_groups(
        train.names,
        val.names,
        train_labels=train.labels.tolist() if same else None,
        val_labels=val.labels.tolist() if same else None,
        pattern=given.groups_pattern,
    )
    return check.judge(grouping, train.names, val.names, correct=given.correct()), ()


_RUNNERS: dict[type, Callable[..., Found]] = {
    Duplicates: _duplicates,
    LabelNoise: _label_noise,
    ClassBalance: _class_balance,
    ValidationSize: _validation_size,
    ImageQuality: _quality,
    SplitGroups: _groups,
}
