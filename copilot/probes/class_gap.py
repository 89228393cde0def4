"""OVF301: how much worse the model is on validation images than on training images, class by class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # its parts load when first used: scipy.stats takes half a second
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Severity
from copilot.core.statistics import difference_interval, wilson_interval
from copilot.probes.base import BaseProbe, Examined, Probed, Progress
from copilot.probes.samples import cannot_judge, class_name, class_word, number, only_guesses, unknown_classes

_TOLD = 5  # classes that evidence and summary name at most


class ClassGapThresholds(Thresholds):
    """Gaps are training accuracy minus validation accuracy, on a scale of 0 to 1."""

    gap: float = Field(0.1, gt=0, lt=1, description="Gap over all images that counts.")
    class_gap: float = Field(0.2, gt=0, lt=1, description="Gap of one class that counts.")
    sure_gap: float = Field(0.02, ge=0, lt=1, description="The interval's lower end must lie above this.")
    high_gap: float = Field(0.25, gt=0, lt=1, description="Gap over all images of high severity.")
    p: float = Field(0.05, gt=0, lt=1, description="Chance of a class gap, after Holm's correction, that counts.")
    class_images: int = Field(10, ge=2, description="Images of a class, in each split, below which it is not judged.")


@dataclass(frozen=True)
class _Gap:
    """Accuracy of one class, or of all, on both splits; ``p`` is adjusted for the number of classes."""

    train: float
    n_train: int
    val: float
    n_val: int
    index: int = -1
    p: float = 0.0

    @property
    def gap(self) -> float:
        return self.train - self.val

    @property
    def interval(self) -> tuple[float, float]:
        return difference_interval(self.train, self.n_train, self.val, self.n_val)


class ClassGap(BaseProbe):
    """The model knows its training images better than others, in all or in some classes.

    Accuracy on a sample of training and of validation images, both without augmentation and dropout, over all images
    and class by class. An accuracy comes with Wilson's 95 % interval, a gap with Newcombe's. A gap counts when it is
    beyond its limit and the lower end of its interval is beyond a smaller one (`sure_gap`). A class counts only if,
    besides, Fisher's exact test finds its gap with Holm's correction for the number of classes, and if it has
    `class_images` images in each split; of classes that do not count no gap is told, since the widest of many is
    wide by chance. Classes without validation images are named: nothing is known of them.

    Why it matters: A mean hides which classes were learned by heart. Those need more images, or more varied ones; the
    others do not. Curves that were logged while training ran have dropout, augmentation and a moving model in their
    training side; this gap has not.

    Source: E. B. Wilson, JASA 22, 1927; R. G. Newcombe, Interval Estimation for the Difference Between Independent
    Proportions, Statistics in Medicine 17, 1998, method 10; S. Holm, A Simple Sequentially Rejective Multiple Test
    Procedure, Scandinavian Journal of Statistics 6, 1979. The limits are this project's own.

    When it is wrong: A validation set from another camera or site has a gap without overfitting. Near-duplicates of
    training images in validation hide one. Images of one scene, patient or video are not independent: the intervals
    are then too narrow. With hundreds of classes and few images each, only very wide class gaps can be told.
    """

    code = "OVF301"
    title = "Generalisation by class"
    name = "class_gap"
    aliases: ClassVar[dict[str, str]] = {}
    Thresholds = ClassGapThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        if why := cannot_judge(examined):
            return Probed(self.outcome("not_applicable", why))
        whole, classes = _whole(examined), self._classes(examined)
        if why := only_guesses(examined):
            evidence = self._evidence(examined, whole, [])
            return Probed(self.outcome("issue", why, severity="high", confidence=0.9, evidence=evidence))
        sure = [item for item in classes if self._class_counts(item)]
        counts = whole.gap >= self.thresholds.gap and whole.interval[0] > self.thresholds.sure_gap
        text = " ".join(
            filter(
                None,
                (
                    self._whole_words(whole, counts),
                    self._class_words(examined, sure),
                    _missing(examined),
                    unknown_classes(examined)[1],
                ),
            )
        )
        outcome = self.outcome(
            "issue" if counts or sure else "passed",
            text,
            severity=self._severity(whole, counts, sure),
            confidence=self._confidence(whole, counts, sure),
            evidence=self._evidence(examined, whole, sure),
        )
        return Probed(outcome)

    def _classes(self, examined: Examined) -> list[_Gap]:
        """Classes with enough images in both splits, the widest gap first."""
        size = 1 + int(max(examined.train.labels.max(), examined.val.labels.max()))
        (n_train, right_train), (n_val, right_val) = (
            (np.bincount(s.labels, minlength=size), np.bincount(s.labels, s.correct, size).astype(int))
            for s in (examined.train, examined.val)
        )
        judged = np.flatnonzero(np.minimum(n_train, n_val) >= self.thresholds.class_images)
        n, m, a, b = n_train[judged], n_val[judged], right_train[judged], right_val[judged]
        p = holm(_more_errors_p(n - a, n, m - b, m))
        rows = zip(a / n, n, b / m, m, judged, p, strict=True)
        made = [_Gap(float(t), int(i), float(v), int(j), int(k), float(q)) for t, i, v, j, k, q in rows]
        return sorted(made, key=lambda item: -item.gap)

    def _class_counts(self, item: _Gap) -> bool:
        t = self.thresholds
        return item.gap >= t.class_gap and item.interval[0] > t.sure_gap and item.p <= t.p

    def _confidence(self, whole: _Gap, counts: bool, sure: list[_Gap]) -> float:
        t = self.thresholds
        if not counts and not sure and whole.gap >= t.gap:  # too few images to tell
            return 0.5
        beyond = [whole.gap / t.gap] if counts or not sure else []
        return confidence_from(math.log(max(*beyond, *(item.gap / t.class_gap for item in sure), 1e-3)))

    def _severity(self, whole: _Gap, counts: bool, sure: list[_Gap]) -> Severity:
        t = self.thresholds
        if counts:
            return severity_of(whole.gap, t.gap * 1.5, t.high_gap)
        return "low" if sure else "none"

    def _whole_words(self, whole: _Gap, counts: bool) -> str:
        low, high = (f"{end * 100:.1f}" for end in whole.interval)
        limit = f"{self.thresholds.gap * 100:g}"
        verdict = f"beyond the limit of {limit}" if counts else f"within the limit of {limit}"
        if not counts and whole.gap >= self.thresholds.gap:
            verdict = "which so few images cannot tell from none"
        return (
            f"Accuracy is {percent(whole.train, 1)} on {whole.n_train:,} training images and {percent(whole.val, 1)} "
            f"on {whole.n_val:,} validation images: a gap of {whole.gap * 100:.1f} points ({low} to {high}), {verdict}."
        )

    @staticmethod
    def _class_words(examined: Examined, sure: list[_Gap]) -> str:
        if not sure:
            return ""
        told = [
            f"{class_word(examined, i.index)} ({percent(i.train)} on training, {percent(i.val)} on validation)"
            for i in sure[:3]
        ]
        more = f", and {len(sure) - 3} more" if len(sure) > 3 else ""
        return f"Worst in {'; '.join(told)}{more}."

    def _evidence(self, examined: Examined, whole: _Gap, classes: list[_Gap]) -> list[Evidence]:
        train, val = (wilson_interval(*pair) for pair in ((whole.train, whole.n_train), (whole.val, whole.n_val)))
        return [
            number(self.name, "accuracy_gap", whole.gap, "fraction", whole.interval),
            number(self.name, "train_accuracy", whole.train, "fraction", train),
            number(self.name, "val_accuracy", whole.val, "fraction", val),
            number(self.name, "train_images", whole.n_train, "images"),
            number(self.name, "val_images", whole.n_val, "images"),
            *(
                number(self.name, "class_gap", i.gap, "fraction", i.interval, class_name(examined, i.index))
                for i in classes[:_TOLD]
            ),
            number(self.name, "classes_missing", len(_unseen(examined)), "classes"),
        ]


def _more_errors_p(errors_a: np.ndarray, n_a: np.ndarray, errors_b: np.ndarray, n_b: np.ndarray) -> np.ndarray:
    """Chance of so many errors among the `n_b` items of b if errors struck both alike: Fisher's exact test, one-sided.

    Counts are arrays of one shape (R. A. Fisher, Statistical Methods for Research Workers, 5th edition, 1934).
    """
    return scipy.stats.hypergeom.sf(errors_b - 1, n_a + n_b, errors_a + errors_b, n_b)


def holm(p: np.ndarray) -> np.ndarray:
    """Values p of shape (k,), adjusted for k tests (S. Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)[np.argsort(order)]


def _whole(examined: Examined) -> _Gap:
    train, val = examined.train, examined.val
    return _Gap(float(train.correct.mean()), len(train), float(val.correct.mean()), len(val))


def _unseen(examined: Examined) -> np.ndarray:
    return np.setdiff1d(examined.train.labels, examined.val.labels)


def _missing(examined: Examined) -> str:
    """Whether all of validation was looked at or a sample, a class without images there is not judged."""
    missing = _unseen(examined)
    if not len(missing):
        return ""
    names = ", ".join(class_word(examined, int(index)) for index in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    where = "validation" if examined.val.total <= len(examined.val) else "the sample of validation"
    return f"No images in {where} of {names}{more}: nothing is known of them."
