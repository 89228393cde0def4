"""OVF103: training itself stays far from useful."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, percent
from copilot.core.findings import Outcome
from copilot.core.history import RunHistory
from copilot.core.statistics import tail_mean

MIN_POINTS = 5
_OVERLAPS = ("dice", "iou", "f1")
_USEFUL_KINDS = ("accuracy", "top5", "f1", "auc", "dice", "iou")


class UnderfittingThresholds(Thresholds):
    useful_score: float = Field(0.7, gt=0, lt=1, description="Training score below which a plateau is far from useful.")
    remaining_loss: float = Field(
        0.4, gt=0, lt=1, description="Share of the first training loss left at a plateau that is too much."
    )
    remaining_alone: float = Field(
        0.98, gt=0, lt=1, description="The same where only a loss was logged, whose lowest possible value is unknown."
    )
    collapsed: float = Field(0.03, gt=0, lt=1, description="Dice, IoU or F1 at the start and the end that is nothing.")
    frozen: float = Field(
        0.003, gt=0, lt=1, description="Change of a score that is none, while its loss learns nothing."
    )
    easier: float = Field(
        0.03,
        gt=0,
        lt=1,
        description="Lead of validation over training that tells a harder training task (mixup, crops).",
    )
    still_far: float = Field(0.6, gt=0, lt=1, description="Error of a score that no harder training task excuses.")
    good: float = Field(0.1, gt=0, lt=1, description="Error of a score up to which it may be good by itself.")
    chance: float = Field(0.2, gt=0, lt=1, description="First score up to which it may be a guess among five classes.")
    learned: float = Field(
        0.05, gt=0, lt=1, description="Improvement of the training cost below which nothing was learned."
    )
    plateau_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the improvement made in the last quarter below which training has stalled.",
    )


class Underfitting(BaseCheck):
    """Training stalls far from useful, or learns nothing from the start.

    The end of the training curves, a mean over the last tenth of the epochs, is compared with their first value, and a
    score with `useful_score`; where both a loss and a score were logged, both must be far from useful. A curve that
    still falls is called stalled only if twice the epochs, at the pace of its last quarter, would not make it useful.

    Why it matters: A model that cannot fit its own training images is limited by its capacity or by its optimisation.
    More data, more augmentation and more regularisation, which help against overfitting, do not help here or make it
    worse.

    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016, section 5.2, for capacity and
    underfitting; K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385, for deep
    networks whose training error is high through optimisation and not through capacity. The limits are this project's
    own.

    When it is wrong: Under mixup, CutMix, strong augmentation or dropout the training score is measured on harder
    images or a weakened network and may stay low in a run whose validation is fine. What is useful depends on the
    task: set `useful_score` lower for hundreds of fine-grained classes or for strict overlap scores, higher for easy
    ones. Wrong labels, label smoothing and losses that are sums of several terms leave a floor that no model gets
    below. A run that starts from pretrained weights has little left to gain, and where only its loss was logged it may
    look as if it learned nothing. The pace of the last quarter knows nothing of a learning-rate drop that was still to
    come.
    """

    code = "OVF103"
    title = "Underfitting"
    Thresholds = UnderfittingThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        smooth = batch.train_smooth
        start, end = batch.train[:, 0], tail_mean(batch.train, batch.tail)
        quarter = smooth[:, max(0, batch.points - 1 - max(1, batch.points // 4))]
        total = np.maximum(start - end, 1e-12)
        val_gain = batch.val[:, 0] - tail_mean(batch.val, batch.tail)
        with np.errstate(invalid="ignore", divide="ignore"):
            remaining = end / np.abs(start)
        return {
            "start": start,
            "end": end,
            "improvement": start - end,
            "remaining": remaining,
            "recent_share": (quarter - end) / total,
            "doubled": end - 4 * np.maximum(quarter - end, 0.0),
            "noise": batch.train_noise,
            "val_gain": np.where(batch.has_val, val_gain / np.maximum(np.abs(batch.val[:, 0]), 1e-300), 0.0),
            "val_end": np.where(batch.has_val, tail_mean(batch.val, batch.tail), np.inf),
            "first": batch.epochs[:, 0],
            "last": batch.epochs[:, -1],
        }

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        usable = [r for r in rows if math.isfinite(r["end"]) and math.isfinite(r["start"]) and r.points >= MIN_POINTS]
        loss = next((r for r in usable if r.pair.kind == "loss"), None)
        score = next((r for r in usable if r.value_unit() and r.pair.quantity.split("_")[0] in _USEFUL_KINDS), None)
        if loss is None and score is None:
            return self.outcome("not_applicable", f"It takes a training curve of at least {MIN_POINTS} epochs.")
        score = next((r for r in usable if self._is_empty(r)), score)
        shown = [r for r in (score, loss) if r]
        evidence = [item for r in shown for item in self._evidence(r)]
        stuck, margin = self._never_learned(loss, score)
        if not stuck:
            stuck_far, margin = self._stalled_far(loss, score)
            if not stuck_far:
                return self.outcome(
                    "passed",
                    self._text(shown[0], "Training gets somewhere"),
                    confidence=confidence_from(margin),
                    evidence=evidence,
                )
        lead = "Training learned next to nothing" if stuck else "Training stalled far from useful"
        severity = "high" if stuck else "medium"
        return self.outcome(
            "issue",
            self._text(shown[0], lead),
            severity=severity,
            confidence=confidence_from(margin),
            evidence=evidence,
        )

    def _never_learned(self, loss: Row | None, score: Row | None) -> tuple[bool, float]:
        t, limit = self.thresholds, self.thresholds.learned
        if score and self._is_empty(score):
            return True, 2.0  # whatever the loss and the pixel accuracy say
        if loss and loss["end"] == 0:
            return False, 1.0  # nothing is left to learn
        if loss and not score and self._learned_little_but_surely(loss):
            return False, 0.5
        loss_gain = loss["improvement"] / max(abs(loss["start"]), 1e-300) if loss else -math.inf
        if loss and score and abs(score["improvement"]) < t.frozen and loss_gain < limit and score["end"] > t.good:
            return True, math.log(limit / max(loss_gain, 1e-3))  # a majority class
        if score and score["end"] < 1 - t.useful_score:
            return False, 1.0  # good from the first epoch on
        score_gain = score["improvement"] if score else -math.inf
        if score and score["start"] >= 1 - t.chance and score_gain < limit:
            return True, math.log(limit / max(score_gain, 1e-3))  # a loss that fell from a blow-up is none
        gain = max(loss_gain, score_gain)
        return gain < limit, math.log(limit / max(gain, 1e-3))

    def _is_empty(self, row: Row) -> bool:
        """An overlap of next to nothing at the start and at the end: a prediction of background alone."""
        overlap = row.pair.quantity.split("_")[0] in _OVERLAPS
        return overlap and min(row["start"], row["end"]) >= 1 - self.thresholds.collapsed

    def _learned_little_but_surely(self, loss: Row) -> bool:
        """A loss alone that settled on a small gain, as fine-tuned language models do; validation gained as well."""
        settled = loss["recent_share"] < self.thresholds.plateau_share
        sure = loss["improvement"] > max(4 * loss["noise"], 0.01 * abs(loss["start"])) and loss["val_gain"] > 0.01
        return bool(settled and sure)

    def _stalled_far(self, loss: Row | None, score: Row | None) -> tuple[bool, float]:
        t = self.thresholds
        limit = t.remaining_loss if score else t.remaining_alone
        far, hopeless = [], []
        if loss and loss["start"] > 0:
            far.append(math.log(max(loss["remaining"], 1e-6) / limit))
            hopeless.append(loss["doubled"] > limit * loss["start"])
        if score:
            # Dropout, augmentation and wrong labels hold training scores down; validation shows what was learned.
            reached = min(score["end"], score["val_end"])
            far.append(math.log(max(reached, 1e-6) / (1 - t.useful_score)))
            hopeless.append(score["doubled"] > 1 - t.useful_score)
        if not far:
            return False, 0.0
        if score and score["val_end"] < min(score["end"] - t.easier, t.still_far):
            return False, 0.1
        leading = score or loss
        stalled = leading["recent_share"] < t.plateau_share or all(hopeless)
        return bool(stalled and min(far) > 0), float(min(far))

    def _evidence(self, row: Row) -> list:
        unit, name = row.value_unit(), row.pair.train_name or ""
        return [
            row.evidence("train_start", row.logged("start"), unit=unit, epoch=row["first"], source=name),
            row.evidence("train_end", row.logged("end"), unit=unit, epoch=row["last"], source=name),
            row.evidence("recent_improvement", row["recent_share"] * 100, unit="%", epoch=row["last"], source=name),
        ]

    @staticmethod
    def _text(row: Row, lead: str) -> str:
        first, last = (
            percent(row.logged(name), 1) if row.value_unit() else f"{row.logged(name):.3g}" for name in ("start", "end")
        )
        return f"{lead}: training {row.pair.quantity} went from {first} to {last}."
