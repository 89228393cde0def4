"""OVF105: whether validation still improves, and for how long it has not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, percent
from copilot.core.findings import Outcome
from copilot.core.history import RunHistory, counted
from copilot.core.statistics import tail_mean, take

MIN_POINTS = 6


class PlateauThresholds(Thresholds):
    learning_curve_slope: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Share of the whole improvement, made in the last quarter, below which the curve is flat.",
    )
    idle_share: float = Field(0.5, gt=0, lt=1, description="Share of the epochs spent on a plateau that counts.")


class Plateau(BaseCheck):
    """Validation stopped improving long before the run ended.

    The plateau begins at the first epoch at which the smoothed validation curve (the training curve, where there is no
    other) had made 95 % of its whole improvement. It counts when next to nothing came in the last quarter and the
    epochs since then are a large share of the run. The first quantity that was logged long enough is judged.

    Why it matters: A long plateau costs compute and gains next to nothing, and each idle epoch is one more in which
    the model can memorise. A curve that still improves at the end asks for more epochs instead.

    Source: L. Prechelt, Early Stopping - But When?, in Neural Networks: Tricks of the Trade, Springer, 1998,
    doi:10.1007/3-540-49430-8_3, for stopping when validation has stopped improving; T. Domhan, J. T. Springenberg and
    F. Hutter, Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks by Extrapolation of Learning
    Curves, IJCAI 2015, for reading the rest of a run from its curve. The rule of 95 % and the limits are this
    project's own.

    When it is wrong: A flat stretch before a planned learning-rate drop is not the end; a run that was cut there looks
    finished. A very large first value, as of a new head on a pretrained network, makes everything after the first
    epochs a small share. A loss may be flat while the score that people care about still climbs, and the last half of
    a percent may be what a benchmark is about. Where validation got worse again after its best, the epochs since then
    count as idle too; OVF102 tells that story better. Some networks generalise long after they fitted their training
    data (A. Power et al., Grokking, 2022, arXiv:2201.02177).
    """

    code = "OVF105"
    title = "Plateau"
    aliases: ClassVar[dict[str, str]] = {"learning_curve_slope": "learning_curve_slope"}
    Thresholds = PlateauThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        smooth = np.where(batch.has_val[:, None], batch.val_smooth, batch.train_smooth)
        start, best = smooth[:, 0], smooth.min(axis=1)
        gained = np.maximum(start - best, 1e-12)
        end = tail_mean(smooth, batch.tail)
        quarter = smooth[:, max(0, batch.points - 1 - max(1, batch.points // 4))]
        reached = (smooth <= (best + 0.05 * gained)[:, None]).argmax(axis=1)
        return {
            "recent_share": (quarter - end) / gained,
            "plateau_epoch": take(batch.epochs, reached),
            "idle": (batch.points - 1 - reached).astype(float),
            "gained": start - best,
            "last": batch.epochs[:, -1],
        }

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        usable = [r for r in rows if r.points >= MIN_POINTS and math.isfinite(r["recent_share"])]
        if not usable:
            return self.outcome("not_applicable", f"It takes a curve of at least {MIN_POINTS} epochs.")
        row = usable[0]
        evidence = [
            row.evidence("recent_improvement", row["recent_share"] * 100, unit="%", epoch=row["last"]),
            row.evidence("plateau_start", row["plateau_epoch"], unit="epoch", epoch=row["plateau_epoch"]),
            row.evidence("idle_epochs", row["idle"], unit=history.counted_in, epoch=row["last"]),
        ]
        name = f"{'Validation' if row.pair.val_name else 'Training'} {row.pair.quantity}"
        limit = self.thresholds.learning_curve_slope
        if row["recent_share"] >= limit:
            text = f"{name} still improves: {percent(row['recent_share'])} of all it gained came in the last quarter."
            return self.outcome(
                "passed", text, confidence=confidence_from(math.log(row["recent_share"] / limit)), evidence=evidence
            )
        idle_share = row["idle"] / max(row.points, 1)
        idle = f"{counted(row['idle'], history.counted_in)} followed"
        text = f"{name} had made 95 % of its improvement by epoch {row.epoch('plateau_epoch')}; {idle}."
        margin = float(math.log(max(idle_share, 1e-6) / self.thresholds.idle_share))
        if margin < 0:
            return self.outcome("passed", text, confidence=confidence_from(margin), evidence=evidence)
        return self.outcome("issue", text, severity="low", confidence=confidence_from(margin), evidence=evidence)
