"""OVF101: how much worse the model is on validation than on training at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, leading_first, percent, severity_of
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.statistics import last_index_where, tail_mean, take


class GapThresholds(Thresholds):
    """Score gaps are absolute on a scale of 0 to 1; loss gaps are a share of the loss at the start of training."""

    train_val_gap: float = Field(0.1, gt=0, lt=1, description="Score gap (train minus validation) that counts.")
    high_gap: float = Field(0.25, gt=0, lt=1, description="Score gap of high severity.")
    memorised_ratio: float = Field(4.0, gt=1, description="Validation error over training error that tells memorising.")
    loss_gap_share: float = Field(0.25, gt=0, description="Loss gap, as a share of the first loss, that counts.")


class GeneralisationGap(BaseCheck):
    """Training and validation end far apart.

    The gap is the mean over the last tenth of the epochs of validation cost minus training cost, where cost is the
    loss, or one minus a score. A score's gap is absolute; a loss' gap is a share of the first loss. Each quantity that
    was logged on both sides is judged, and the one furthest beyond its limit is told. Where the validation error is
    also several times the training error (`memorised_ratio`), the model has memorised its training images.

    Why it matters: A wide gap says that the model knows its training images better than others, so that its training
    score promises more than it will keep. The gap alone does not say that more training makes it worse (OVF102 does),
    and only together with memorising does it make the verdict overfitting.

    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016, section 5.2, for the gap;
    C. Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017, arXiv:1611.03530, for
    networks that memorise. The limits are this project's own.

    When it is wrong: Training metrics are often averaged over the epoch with dropout and augmentation on, validation
    is measured after it with both off: the gap looks smaller than it is, or negative. Mixup, label smoothing or class
    weights on the training side alone make the two losses different quantities. A small validation set opens gaps by
    chance: with 100 images a score of 0.8 has a standard error of 4 points. Validation images from another camera or
    site are a gap without overfitting, there from the first epochs on; near-duplicates of training images in
    validation hide one. In a fine-tuned or resumed run the first loss is small already, and a harmless difference is a
    large share of it.
    """

    code = "OVF101"
    title = "Generalisation gap"
    aliases: ClassVar[dict[str, str]] = {"train_val_gap": "train_val_gap"}
    Thresholds = GapThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        train, val = tail_mean(batch.train, batch.tail), tail_mean(batch.val, batch.tail)
        wide = batch.val_smooth - batch.train_smooth >= self.thresholds.train_val_gap
        quarter = (batch.points - 1) // 4
        since = np.minimum(last_index_where(~wide) + 1, batch.points - 1)
        return {
            "train": train,
            "val": val,
            "gap": val - train,
            "share": (val - train) / self._scale(batch),
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
        both = [r for r in rows if r.pair.complete and np.isfinite(r["gap"])]
        if not both:
            return self.outcome("not_applicable", "No quantity was logged on both training and validation.")
        worst = max(both, key=self._margin)
        evidence = [item for row in leading_first(worst, both) for item in self._evidence(row)]
        margin = self._margin(worst)
        if margin < 0:
            return self.outcome(
                "passed",
                self._summary(worst, "within the limit"),
                confidence=confidence_from(margin),
                evidence=evidence,
            )
        gap = worst["gap"] if worst.value_unit() else worst["share"]
        severity = severity_of(gap, self.thresholds.train_val_gap * 1.5, self.thresholds.high_gap)
        return self.outcome(
            "issue",
            self._summary(worst, "beyond the limit"),
            severity=severity,
            confidence=confidence_from(margin),
            evidence=evidence,
        )

    def memorised(self, row: Row) -> bool:
        """Whether a score's validation error is several times its training error and the gap counts."""
        enough = row["gap"] >= self.thresholds.train_val_gap
        return bool(
            row.value_unit() and enough and row["val"] >= self.thresholds.memorised_ratio * max(row["train"], 0.0)
        )

    def _limit(self, row: Row) -> float:
        return self.thresholds.train_val_gap if row.value_unit() else self.thresholds.loss_gap_share

    def _margin(self, row: Row) -> float:
        measured = row["gap"] if row.value_unit() else row["share"]
        return float(np.log(max(measured, 1e-6) / self._limit(row)))

    def _evidence(self, row: Row) -> list[Evidence]:
        unit, last = row.value_unit(), row["last"]
        return [
            row.evidence("train_final", row.logged("train"), unit=unit, epoch=last, source=row.pair.train_name or ""),
            row.evidence("val_final", row.logged("val"), unit=unit, epoch=last, source=row.pair.val_name or ""),
            row.evidence("gap_final", row["gap"], unit=unit, epoch=last),
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
