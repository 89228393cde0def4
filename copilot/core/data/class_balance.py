"""OVF404: classes with few images, and classes that one of the sets lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from
from copilot.core.findings import Evidence, Outcome, Severity
from copilot.core.statistics import wilson_interval
from copilot.utils.validators import clean_text

_NAMED = 5  # classes in a sentence
_LISTED = 10  # as evidence


class BalanceThresholds(Thresholds):
    """How uneven classes may be."""

    ratio: float = Field(10.0, gt=1, description="Images of the largest training class per image of the smallest.")
    high_ratio: float = Field(100.0, gt=1, description="The same, of high severity.")
    effective: float = Field(
        0.5, gt=0, le=1, description="Effective number of training classes, as a share of them, below which it counts."
    )
    min_val: int = Field(10, ge=1, description="Validation images of a class below which its score says little.")


class ClassBalance(BaseCheck):
    """Some classes have far fewer images than others, or one of the two sets lacks them.

    Counted are the images (of detection: the objects) of each class in both sets. The ratio of the largest to the
    smallest training class says how uneven they are; the effective number of classes is that of equal ones with the
    same Simpson index, one over the sum of squared shares. Classes of too few validation images (`min_val`) are listed
    with the half width of Wilson's 95 % interval that a score of one half has on them. Whether the shares of both sets
    differ beyond chance is another check's matter; their total variation distance is told.

    Why it matters: A model sees a rare class so seldom that it learns its images by heart, and a score over all images
    does not show it. A class that only validation has is lost whatever the model does; one that only training has is
    never tested.

    Source: H. He and E. A. Garcia, Learning from Imbalanced Data, IEEE TKDE 21, 2009; E. H. Simpson, Measurement of
    Diversity, Nature 163, 1949; E. B. Wilson, JASA 22, 1927. The limits are this project's own.

    When it is wrong: Where classes are as uneven in use as in the data, uneven shares are right, and only the small
    counts remain a matter. Sampling or weights that even classes out in training are not seen here.
    """

    code = "OVF404"
    title = "Class balance"
    name: ClassVar[str] = "class_balance"
    scope: ClassVar[str] = "images"
    Thresholds = BalanceThresholds

    def judge(self, train: Mapping[str, int], val: Mapping[str, int], *, unit: str = "images") -> Outcome:
        """The outcome of the counts.

        Parameters
        ----------
        train, val : mapping of class name to int
            A class that a set does not list counts as missing there, as one of count 0.
        unit : str
            What is counted.
        """
        names = [name for name in dict.fromkeys((*train, *val)) if train.get(name, 0) + val.get(name, 0)]
        a = np.array([train.get(name, 0) for name in names], dtype=np.float64)
        b = np.array([val.get(name, 0) for name in names], dtype=np.float64)
        if len(names) < 2 or not a.sum() or not b.sum():
            return self.outcome("not_applicable", "There are no two classes with images in both sets to compare.")
        names = [clean_text(name, 40) for name in names]
        present = a[a > 0]
        ratio, effective = float(present.max() / present.min()), float(1 / ((present / present.sum()) ** 2).sum())
        moved = float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)
        rare = np.flatnonzero((b > 0) & (b < self.thresholds.min_val) & (a > 0))
        words, severity = self._words(names, a, b, ratio, effective / len(present), rare)
        evidence = [
            Evidence(name="classes", value=len(names), unit="classes"),
            Evidence(name="imbalance_ratio", value=round(ratio, 4)),
            Evidence(name="effective_classes", value=round(effective, 4), unit="classes"),
            Evidence(name="only_in_train", value=int(((a > 0) & (b == 0)).sum()), unit="classes"),
            Evidence(name="only_in_val", value=int(((b > 0) & (a == 0)).sum()), unit="classes"),
            Evidence(name="rare_classes_val", value=len(rare), unit="classes"),
            Evidence(name="class_share_distance", value=round(moved, 6), unit="fraction"),
            *_small(names, a, b, unit, self.thresholds.min_val),
        ]
        if severity == "none":
            told = f"{len(names)} classes of {int(present.min()):,} to {int(present.max()):,} training {unit}."
            margin = math.log(self.thresholds.ratio / ratio)
            return self.outcome("passed", told, confidence=confidence_from(margin), evidence=evidence)
        return self.outcome("issue", " ".join(words), severity=severity, confidence=0.95, evidence=evidence)

    def _words(
        self,
        names: list[str],
        a: np.ndarray,
        b: np.ndarray,
        ratio: float,
        share: float,
        rare: np.ndarray,
    ) -> tuple[list[str], Severity]:
        limits, words, levels = self.thresholds, [], [0]
        for lacking, level, told in (
            ((b > 0) & (a == 0), 3, "in validation only, so that no model can learn them"),
            ((a > 0) & (b == 0), 2, "in training only, so that nothing tests them"),
        ):
            if lacking.any():
                words.append(f"{_listed(names, np.flatnonzero(lacking))}: {told}.")
                levels.append(level)
        if ratio >= limits.ratio or share < limits.effective:
            least, most = (int(i) for i in (np.where(a > 0, a, np.inf).argmin(), a.argmax()))
            words.append(
                f"{names[most]} has {ratio:.3g} times the training images of {names[least]}"
                f" ({int(a[most]):,} and {int(a[least]):,})."
            )
            levels.append(3 if ratio >= limits.high_ratio else 2)
        if len(rare):
            words.append(
                f"Fewer than {limits.min_val} validation images: {_listed(names, rare)}; their scores say little."
            )
            levels.append(1)
        return words, ("none", "low", "medium", "high")[max(levels)]


def _small(names: list[str], a: np.ndarray, b: np.ndarray, unit: str, least: int) -> list[Evidence]:
    """The classes with the fewest validation images, those below the limit, and how well their score can be known."""
    found = []
    for i in np.argsort(b, kind="stable")[:_LISTED]:
        if b[i] >= least:
            break
        low, high = wilson_interval(0.5, int(b[i])) if b[i] else (0.0, 1.0)
        source = f"{names[i]}, {int(a[i])} in training"
        found.append(Evidence(name="val_count", value=int(b[i]), unit=unit, source=source))
        found.append(
            Evidence(name="score_half_width", value=round((high - low) / 2, 4), unit="fraction", source=source)
        )
    return found


def _listed(names: list[str], which: np.ndarray) -> str:
    told = ", ".join(names[i] for i in which[:_NAMED])
    return told + (f" and {len(which) - _NAMED} more" if len(which) > _NAMED else "")
