"""OVF405: a validation set too small to tell the gap that is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.set_sizes import set_size
from copilot.core.statistics import difference_interval, wilson_interval

_SURE, _POWER = 1.96, 0.8416  # normal quantiles: 95 % two-sided, 80 % one-sided
_FARTHEST = 10**9


class SizeThresholds(Thresholds):
    """How well the validation score must be known."""

    half_width: float = Field(
        0.05, gt=0, lt=1, description="Half width of the validation score's 95 % interval that counts."
    )
    wide: float = Field(0.1, gt=0, lt=1, description="The same, of medium severity.")
    gap: float = Field(0.02, ge=0, lt=1, description="Gap from which it matters whether it can be told from none.")


@dataclass(frozen=True)
class Scores:
    """Shares of images that a model gets right; None where it is not known.

    ``n_train`` is None where the training score is on the training set as a whole.
    """

    train: float | None = None
    val: float | None = None
    n_train: int | None = None
    n_val: int | None = None

    @classmethod
    def of_run(cls, history: RunHistory) -> Scores:
        """The accuracy of both sets at a run's last epoch that has them; empty where it logged none."""
        for pair in history.pairs:
            both = np.flatnonzero(np.isfinite(pair.train) & np.isfinite(pair.val))
            if "accuracy" in pair.quantity.split("_") and len(both):
                sizes = set_size(history.params, "train"), set_size(history.params, "val")
                return cls(float(pair.train[both[-1]]), float(pair.val[both[-1]]), *sizes)
        return cls()


class ValidationSize(BaseCheck):
    """The validation set has too few images to tell the gap between training and validation from chance.

    The validation score is given Wilson's 95 % interval, and the gap between training and validation Newcombe's. The
    smallest gap is told that a set of this size would show with 80 % power at 95 %, and how many validation images it
    takes to tell the gap that is seen just as well. Without a score the widest interval is taken, that of one half.

    Why it matters: On few images a model is better or worse by luck. The best epoch, the best model and overfitting
    itself are then read from noise, and whoever chooses among many runs by such a score overfits the validation set.

    Source: E. B. Wilson, JASA 22, 1927; R. G. Newcombe, Interval Estimation for the Difference Between Independent
    Proportions, Statistics in Medicine 17, 1998; J. L. Fleiss, Statistical Methods for Rates and Proportions, 1981, for
    the number of images. The limits are this project's own.

    When it is wrong: The intervals hold for independent images. Frames of one video, or images of one patient, count
    for less than their number. Two models on the same images can be told apart better than this says, since the images'
    difficulty cancels.
    """

    code = "OVF405"
    title = "Size of the validation set"
    name: ClassVar[str] = "validation_size"
    scope: ClassVar[str] = "images"
    Thresholds = SizeThresholds

    def judge(self, n_train: int, n_val: int, scores: Scores | None = None) -> Outcome:
        """The outcome of the sizes and the scores.

        Parameters
        ----------
        n_train, n_val : int
            Images of the sets.
        scores : Scores, optional
        """
        scores = scores or Scores()
        if n_val < 1 or n_train < 1:
            return self.outcome("not_applicable", "One of the sets has no images.")
        n_t, n_v = scores.n_train or n_train, scores.n_val or n_val
        p = 0.5 if scores.val is None else _share(scores.val)
        low, high = wilson_interval(p, n_v)
        half = (high - low) / 2
        least = smallest_gap(p, n_v, n_t)
        evidence = [
            Evidence(name="validation_images", value=n_val, unit="images"),
            Evidence(name="training_images", value=n_train, unit="images"),
            Evidence(name="score_half_width", value=round(half, 6), unit="fraction"),
            Evidence(name="smallest_gap", value=round(least, 6), unit="fraction"),
        ]
        told = f"With {n_v:,} validation images a score is known to within {percent(half, 1)} at best."
        if scores.val is not None:
            evidence.append(
                Evidence(name="val_score", value=round(p, 6), unit="fraction", low=round(low, 6), high=round(high, 6))
            )
            span = f"{percent(low, 1)} to {percent(high, 1)}"
            told = f"The validation score of {percent(p, 1)} on {n_v:,} images may lie from {span}."
        more, hidden, extra = self._gap(scores, p, n_t, n_v)
        evidence += extra
        told = f"{told} A gap below {percent(least, 1)} would hardly be told.{more}"
        if hidden or half > self.thresholds.half_width:
            severity = "medium" if hidden or half > self.thresholds.wide else "low"
            sure = 0.9 if hidden else confidence_from(math.log(half / self.thresholds.half_width))
            return self.outcome("issue", told, severity=severity, confidence=sure, evidence=evidence)
        margin = math.log(self.thresholds.half_width / max(half, 1e-9))
        return self.outcome("passed", told, confidence=confidence_from(margin), evidence=evidence)

    def _gap(self, scores: Scores, p: float, n_t: int, n_v: int) -> tuple[str, bool, list[Evidence]]:
        """A sentence on the gap, whether it matters and cannot be told from none, and evidence."""
        if scores.train is None or scores.val is None:
            return "", False, []
        seen = _share(scores.train) - p
        low, high = difference_interval(_share(scores.train), n_t, p, n_v)
        needed = images_needed(_share(scores.train), p, n_t)
        evidence = [
            Evidence(name="gap", value=round(seen, 6), unit="fraction", low=round(low, 6), high=round(high, 6)),
            Evidence(name="images_needed", value=needed, unit="images"),
        ]
        if seen <= self.thresholds.gap:
            return f" The gap seen is {percent(seen, 1)}.", False, evidence
        span = f"{percent(low, 1)} to {percent(high, 1)}"
        if low > 0:
            return f" The gap seen, {percent(seen, 1)} ({span}), is beyond chance.", False, evidence
        wanted = "more than the training set allows" if needed is None else f"about {needed:,} validation images"
        return (
            f" The gap seen, {percent(seen, 1)} ({span}), may be chance; to tell it takes {wanted}.",
            True,
            evidence,
        )


def smallest_gap(val: float, n_val: int, n_train: int) -> float:
    """Gap between two scores that a 95 % test shows with 80 % power, around a validation score.

    The deviation is taken at the Wilson interval's middle, so that a score of 0 or 1 does not promise certainty.
    """
    low, high = wilson_interval(val, n_val)
    middle = (low + high) / 2
    return (_SURE + _POWER) * math.sqrt(middle * (1 - middle) * (1 / n_val + 1 / n_train))


def images_needed(train: float, val: float, n_train: int) -> int | None:
    """Validation images with which a 95 % test shows this gap with 80 % power; None where no number of them does."""
    gap = abs(train - val)
    room = (gap / (_SURE + _POWER)) ** 2 - train * (1 - train) / n_train
    if gap == 0 or room <= 0:
        return None
    needed = math.ceil(max(val * (1 - val), 1e-4) / room)
    return needed if needed < _FARTHEST else None


def _share(score: float) -> float:
    return min(max(float(score), 0.0), 1.0)
