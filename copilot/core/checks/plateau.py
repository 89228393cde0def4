"""OVF105: whether validation still improves, and for how long it has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, percent
from copilot.core.findings import Outcome
from copilot.core.history import RunHistory
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
    """Where validation stopped improving.

    The plateau begins at the first epoch at which 95 % of the whole improvement of the smoothed validation curve was
    reached. A long plateau costs compute and gains nothing; a curve that still improves asks for more epochs.
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
        usable = [r for r in rows if r.points >= MIN_POINTS and np.isfinite(r["recent_share"])]
        if not usable:
            return self.outcome("not_applicable", f"It takes a curve of at least {MIN_POINTS} epochs.")
        row = usable[0]
        evidence = [
            row.evidence("recent_improvement", row["recent_share"] * 100, unit="%", epoch=row["last"]),
            row.evidence("plateau_start", row["plateau_epoch"], unit="epoch", epoch=row["plateau_epoch"]),
            row.evidence("idle_epochs", row["idle"], unit="epochs", epoch=row["last"]),
        ]
        name = f"{'Validation' if row.pair.val_name else 'Training'} {row.pair.quantity}"
        limit = self.thresholds.learning_curve_slope
        if row["recent_share"] >= limit:
            text = f"{name} still improves: {percent(row['recent_share'])} of all it gained came in the last quarter."
            return self.outcome(
                "passed", text, confidence=confidence_from(np.log(row["recent_share"] / limit)), evidence=evidence
            )
        idle_share = row["idle"] / max(row.points, 1)
        idle = f"{row['idle']:.0f} epoch{'' if row['idle'] == 1 else 's'} followed"
        text = f"{name} had made 95 % of its improvement by epoch {row.epoch('plateau_epoch')}; {idle}."
        margin = float(np.log(max(idle_share, 1e-6) / self.thresholds.idle_share))
        if margin < 0:
            return self.outcome("passed", text, confidence=confidence_from(margin), evidence=evidence)
        return self.outcome("issue", text, severity="low", confidence=confidence_from(margin), evidence=evidence)
