"""OVF101: how much worse the model is on validation than on training at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, leading_first, percent, severity_of
from copilot.core.findings import Evidence, Outcome, Severity
from copilot.core.history import RunHistory
from copilot.core.set_sizes import set_size
from copilot.core.statistics import difference_interval, last_index_where, mean_half_width, tail_mean, take


class GapThresholds(Thresholds):
    """Score gaps are absolute on a scale of 0 to 1; loss gaps are a share of the loss at the start of training."""

    train_val_gap: float = Field(0.1, gt=0, lt=1, description="Score gap (train minus validation) that counts.")
    high_gap: float = Field(0.25, gt=0, lt=1, description="Score gap of high severity.")
    memorised_ratio: float = Field(4.0, gt=1, description="Validation error over training error that tells memorising.")
    loss_gap_share: float = Field(0.25, gt=0, description="Loss gap, as a share of the first loss, that counts.")


class GeneralisationGap(BaseCheck):
    """Training and validation end far apart.

    The gap is the mean over the last tenth of the epochs of validation cost minus training cost, where cost is the
    loss, or one minus a score. A score's gap is absolute; a loss' gap is a share of the first loss. Each quantity
    that was logged on both sides is judged, and the one furthest beyond its limit is told. Where the validation error
    is also several times the training error (`memorised_ratio`), the model has memorised its training images. The gap
    comes with a 95 % interval: over images where the run logged how many it validated on (`n_val`), else over the
    last epochs. A gap that such an interval cannot tell from nothing is not told as one.

    Why it matters: A wide gap says that the model knows its training images better than others, so that its training
    score promises more than it will keep. The gap alone does not say that more training makes it worse (OVF102 does),
    and only together with memorising does it make the verdict overfitting.

    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016, section 5.2, for the gap; C.
    Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017, arXiv:1611.03530, for
    networks that memorise; R. G. Newcombe, Interval Estimation for the Difference Between Independent Proportions,
    Statistics in Medicine 17, 1998, method 10, for the interval over images, Student's for that over epochs. The
    limits are this project's own.

    When it is wrong: Training metrics are often averaged over the epoch with dropout and augmentation on, validation
    is measured after it with both off: the gap looks smaller than it is, or negative. Mixup, label smoothing or class
    weights on the training side alone make the two losses different quantities. A small validation set opens gaps by
    chance: with 100 images a score of 0.8 has a standard error of 4 points. Validation images from another camera or
    site are a gap without overfitting, there from the first epochs on; near-duplicates of training images in
    validation hide one. In a fine-tuned or resumed run the first loss is small already, and a harmless difference is
    a large share of it.
    """

    code = "OVF101"
    title = "Generalisation gap"
    aliases: ClassVar[dict[str, str]] = {"train_val_gap": "train_val_gap"}
    Thresholds = GapThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        t = self.thresholds
        train, val = tail_mean(batch.train, batch.tail), tail_mean(batch.val, batch.tail)
        wide = batch.val_smooth - batch.train_smooth >= t.train_val_gap
        quarter = (batch.points - 1) // 4
        since = np.minimum(last_index_where(~wide) + 1, batch.points - 1)
        gap, share = val - train, (val - train) / self._scale(batch)
        measured, limit = (
            np.where(batch.bounded, gap, share),
            np.where(batch.bounded, t.train_val_gap, t.loss_gap_share),
        )
        return {
            "train": train,
            "val": val,
            "gap": gap,
            "share": share,
            "margin": np.log(np.maximum(measured, 1e-6) / limit),
            "half_width": mean_half_width((batch.val - batch.train)[:, -batch.tail :]),
            "early_gap": batch.val_smooth[:, quarter] - batch.train_smooth[:, quarter],
            "early": batch.epochs[:, quarter],
            "since": take(batch.epochs, since),
            "last": batch.epochs[:, -1],
        }

    @staticmethod
    def _scale(batch: HistoryBatch) -> np.ndarray:
        """The first cost, or what training gained where that is more (losses below zero); never zero."""
        first = np.abs(np.maximum(batch.train[:, 0], batch.val[:, 0]))
        scale = np.maximum(first, batch.train[:, 0] - batch.train.min(axis=1))
        largest = np.maximum(np.abs(batch.train).max(axis=1), np.abs(batch.val).max(axis=1))
        scale = np.where(scale > 0, scale, largest)
        return np.where(scale == 0, 1.0, scale)

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        both = [r for r in rows if r.pair.complete and math.isfinite(r["gap"])]
        if not both:
            return self.outcome("not_applicable", "No quantity was logged on both training and validation.")
        sizes = set_size(history.params, "train"), set_size(history.params, "val")
        worst = max(both, key=lambda row: row["margin"])
        evidence = [item for row in leading_first(worst, both) for item in self._evidence(row, sizes)]
        margin, interval = worst["margin"], self._interval(worst, sizes)
        certain = confidence_from(margin)
        if margin >= 0 and sizes[1] and interval[0] <= 0:
            few = f"{sizes[1]} validation images are too few to tell it from 0."
            text = f"{self._summary(worst, 'beyond the limit')} {few}"
            evidence.append(worst.evidence("validation_images", sizes[1], unit="images", source="parameters"))
            return self.outcome("passed", text, confidence=0.5, evidence=evidence)
        if margin < 0:
            text = self._summary(worst, "within the limit")
            return self.outcome("passed", text, confidence=certain, evidence=evidence)
        severity = self._severity(worst)
        text = self._summary(worst, "beyond the limit")
        return self.outcome("issue", text, severity=severity, confidence=certain, evidence=evidence)

    def _severity(self, row: Row) -> Severity:
        t = self.thresholds
        if row.value_unit():
            return severity_of(row["gap"], t.train_val_gap * 1.5, t.high_gap)
        return severity_of(row["share"], t.loss_gap_share * 1.5, t.loss_gap_share * 2.5)

    @staticmethod
    def _interval(row: Row, sizes: tuple[int | None, int | None]) -> tuple[float, float]:
        """95 % interval of the gap: over images where the sets' sizes are known, else over the last epochs."""
        n_train, n_val = sizes
        if row.value_unit() and n_val:
            return difference_interval(row["val"], n_val, row["train"], n_train or n_val)
        return row["gap"] - row["half_width"], row["gap"] + row["half_width"]

    def memorised(self, row: Row) -> bool:
        """Whether a score's validation error is several times its training error and the gap counts."""
        enough = row["gap"] >= self.thresholds.train_val_gap
        return bool(
            row.value_unit() and enough and row["val"] >= self.thresholds.memorised_ratio * max(row["train"], 0.0)
        )

    def _limit(self, row: Row) -> float:
        return self.thresholds.train_val_gap if row.value_unit() else self.thresholds.loss_gap_share

    def _evidence(self, row: Row, sizes: tuple[int | None, int | None]) -> list[Evidence]:
        unit, last = row.value_unit(), row["last"]
        low, high = self._interval(row, sizes)
        return [
            row.evidence("train_final", row.logged("train"), unit=unit, epoch=last, source=row.pair.train_name or ""),
            row.evidence("val_final", row.logged("val"), unit=unit, epoch=last, source=row.pair.val_name or ""),
            row.evidence("gap_final", row["gap"], unit=unit, epoch=last, low=low, high=high),
            *([] if unit else [row.evidence("gap_share", row["share"] * 100, unit="%", epoch=last)]),
            row.evidence("gap_early", row["early_gap"], unit=unit, epoch=row["early"]),
            *self._memorised_evidence(row),
        ]

    def _memorised_evidence(self, row: Row) -> list[Evidence]:
        if not self.memorised(row):
            return []
        ratio = row["val"] / max(row["train"], 1e-3)
        return [
            row.evidence("error_ratio", ratio, unit="times", epoch=row["last"]),
            row.evidence("gap_since", row["since"], unit="epoch", epoch=row["since"]),
        ]

    def _summary(self, row: Row, verdict: str) -> str:
        train, val = row.logged("train"), row.logged("val")
        if row.value_unit():
            return (
                f"At the end {row.pair.quantity} is {percent(train, 1)} on training and {percent(val, 1)} on "
                f"validation: a gap of {row['gap'] * 100:.1f} points, {verdict} of {self._limit(row) * 100:g}."
            )
        return (
            f"At the end {row.pair.quantity} is {train:.3g} on training and {val:.3g} on validation: a gap of "
            f"{percent(row['share'])} of the first value, {verdict} of {percent(self._limit(row))}."
        )
