"""OVF102: validation turns and gets worse for good while training goes on improving."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, leading_first, percent, severity_of
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.statistics import hinge_index, last_index_where, tail_mean, take

MIN_POINTS = 4


class DivergenceThresholds(Thresholds):
    """A rise counts when it is large against the best value, what training had gained, and the noise."""

    rise: float = Field(0.05, gt=0, description="Rise of validation cost over its best, as a share of the best.")
    lost_share: float = Field(
        0.02, gt=0, description="Share of the improvement since the start that must be lost as well."
    )
    small_rise: float = Field(0.03, gt=0, description="Smaller rise that counts when `small_rise_share` is lost.")
    small_rise_share: float = Field(
        0.06, gt=0, description="Share of the improvement lost that makes a small rise count."
    )
    score_drop: float = Field(0.02, gt=0, description="Absolute drop of a score from 0 to 1 that counts.")
    noise_ratio: float = Field(4.0, gt=0, description="Rise over the standard error of the noise.")
    train_worsening: float = Field(0.05, gt=0, description="Share of its range by which training may worsen meanwhile.")
    medium_rise: float = Field(0.15, gt=0, description="Rise of medium severity.")
    high_rise: float = Field(0.5, gt=0, description="Rise of high severity.")


class ValidationDivergence(BaseCheck):
    """Validation gets worse from its best value to the end while training does not.

    The rise is the mean validation cost over the last tenth of the epochs minus its best smoothed value, where cost is
    the loss, or one minus a score; curves are smoothed over about a tenth of their length. It counts when it is large
    against the best value, against what had been gained since the start, and against the noise from epoch to epoch,
    while training holds or improves. The onset is the knot of the broken line that fits the validation curve from near
    its best on. Each quantity is judged by itself.

    Why it matters: This is the classical sign of overfitting. Each epoch after the best one costs compute and makes
    the model worse on new images, and the last checkpoint, which is the one people tend to deploy, is not the one to
    keep.

    Source: L. Prechelt, Early Stopping - But When?, in Neural Networks: Tricks of the Trade, Springer, 1998,
    doi:10.1007/3-540-49430-8_3, for the sign; D. V. Hinkley, Inference in Two-Phase Regression, Journal of the
    American Statistical Association 66, 1971, doi:10.1080/01621459.1971.10482337, for the broken line; C. Guo et al.,
    On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, for a loss that rises while accuracy does
    not fall. The limits are this project's own.

    When it is wrong: A loss can rise through over-confidence alone while the accuracy holds; the finding says so where
    a score was logged too, and cannot where only the loss was. The noise is estimated from one epoch to the next, so
    errors that a tiny validation set makes in the same direction for many epochs look like a trend. A run that ends in
    the bump after a warm restart of the learning rate can look as if it had turned. A drop of the learning rate lowers
    validation loss once more and so hides a rise before it. Large networks and noisy labels can show double descent:
    validation gets worse, then better again (P. Nakkiran et al., ICLR 2020, arXiv:1912.02292), and a run that was cut
    in between is called overfitting. With fewer than ten epochs nothing is smoothed.
    """

    code = "OVF102"
    title = "Validation divergence"
    Thresholds = DivergenceThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        smooth, tail = batch.val_smooth, tail_mean(batch.val, batch.tail)
        best = np.nan_to_num(smooth, nan=np.inf).argmin(axis=1)
        floor = take(smooth, best)
        start = batch.val[:, : max(1, batch.tail // 2)].mean(axis=1)
        rise = tail - floor
        error = batch.val_noise * np.sqrt(1 / batch.tail + 1 / batch.window)
        span = np.maximum(batch.train.max(axis=1) - batch.train.min(axis=1), 1e-12)
        raw_best = np.nan_to_num(batch.val, nan=np.inf).argmin(axis=1)
        onset = np.minimum(np.maximum(self._onset(smooth, best, floor, start, rise), raw_best + 1), batch.points - 1)
        scale = np.maximum(np.maximum(np.abs(floor), 0.02 * np.abs(start - floor)), 1e-9)
        return {
            "best_value": take(batch.val, raw_best),
            "best_epoch": take(batch.epochs, raw_best),
            "final": tail,
            "last": batch.epochs[:, -1],
            "rise": rise,
            "rise_share": rise / scale,
            "lost_share": rise / np.maximum(start - floor, 1e-9),
            "noise_ratio": rise / np.maximum(error, 1e-9 * scale),
            "train_change": (tail_mean(batch.train, batch.tail) - take(batch.train_smooth, best)) / span,
            "onset": take(batch.epochs, onset),
            "epochs_after": (batch.points - 1 - raw_best).astype(float),
        }

    @staticmethod
    def _onset(
        smooth: np.ndarray, best: np.ndarray, floor: np.ndarray, start: np.ndarray, rise: np.ndarray
    ) -> np.ndarray:
        """Knot of the broken line fitted from near the minimum on, so that the first steep descent does not count."""
        near = floor + np.maximum(0.1 * (start - floor), 0.25 * np.maximum(rise, 0.0))
        index = np.arange(smooth.shape[1])
        before = (index < best[:, None]) & (smooth > near[:, None])
        first = last_index_where(before) + 1
        weights = (index >= first[:, None]).astype(float)
        return hinge_index(np.nan_to_num(smooth), weights)

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        measured = [r for r in rows if np.isfinite(r["rise"]) and np.isfinite(r["train_change"])]
        both = [r for r in measured if r.points >= MIN_POINTS]
        if not both:
            return self.outcome(
                "not_applicable", f"It takes training and validation curves of at least {MIN_POINTS} epochs."
            )
        turned = [r for r in both if self.margin(r) >= 0]
        if turned:
            leading = next((r for r in turned if r.pair.kind == "loss"), turned[0])
        else:
            leading = max(both, key=self.margin)
        evidence = [item for row in leading_first(leading, both) for item in self._evidence(row)]
        if not turned:
            evidence.extend(
                r.evidence("rise_within_noise", r["noise_ratio"], unit="times") for r in both if self._hidden(r)
            )
            return self.outcome(
                "passed", self._calm(leading), confidence=confidence_from(self.margin(leading)), evidence=evidence
            )
        size = leading["rise_share"] if not leading.value_unit() else leading["rise"] * 5
        severity = severity_of(size, self.thresholds.medium_rise, self.thresholds.high_rise)
        confidence = confidence_from(max(self.margin(r) for r in turned))
        return self.outcome(
            "issue", self._turned(leading, both), severity=severity, confidence=confidence, evidence=evidence
        )

    def margin(self, row: Row) -> float:
        """Natural logarithm of how far beyond the nearest threshold the row lies; negative when it passes."""
        t = self.thresholds
        if row["rise"] <= 0 or row["epochs_after"] < 1 or row["train_change"] > t.train_worsening:
            return -3.0
        noise = np.log(max(row["noise_ratio"], 1e-6) / t.noise_ratio)
        if row.value_unit():
            return float(min(np.log(row["rise"] / t.score_drop), noise))
        large = min(np.log(row["rise_share"] / t.rise), np.log(row["lost_share"] / t.lost_share))
        small = min(np.log(row["rise_share"] / t.small_rise), np.log(row["lost_share"] / t.small_rise_share))
        return float(min(max(large, small), noise))

    def _hidden(self, row: Row) -> bool:
        """A rise of twice the threshold that the noise leaves open."""
        limit = self.thresholds.score_drop if row.value_unit() else self.thresholds.rise
        size = row["rise"] if row.value_unit() else min(row["rise_share"], row["lost_share"])
        return bool(size >= 2 * limit and row["noise_ratio"] < self.thresholds.noise_ratio)

    def _evidence(self, row: Row) -> list[Evidence]:
        unit, turned = row.value_unit(), self.margin(row) >= 0
        items = [
            row.evidence(
                "val_best", row.logged("best_value"), unit=unit, epoch=row["best_epoch"], source=row.pair.val_name or ""
            ),
            row.evidence("val_end", row.logged("final"), unit=unit, epoch=row["last"], source=row.pair.val_name or ""),
            row.evidence("rise", row["rise"], unit=unit, epoch=row["last"]),
            row.evidence("rise_share", row["rise_share"] * 100, unit="%", epoch=row["last"]),
        ]
        if turned:
            items.append(row.evidence("onset", row["onset"], unit="epoch", epoch=row["onset"]))
            items.append(row.evidence("epochs_after_best", row["epochs_after"], unit="epochs", epoch=row["best_epoch"]))
        return items

    @staticmethod
    def _calm(row: Row) -> str:
        end, best = row.logged("final"), row.logged("best_value")
        return f"Validation {row.pair.quantity} ends at {end:.3g}, close to its best of {best:.3g}."

    def _turned(self, leading: Row, both: Sequence[Row]) -> str:
        verb = "falls" if leading.pair.higher_is_better else "rises"
        amount = f"{leading['rise'] * 100:.1f} points" if leading.value_unit() else f"{percent(leading['rise_share'])}"
        training = "goes on improving" if leading["train_change"] < -0.01 else "holds its level"
        text = (
            f"Validation {leading.pair.quantity} {verb} from epoch {leading.epoch('onset')} on, by {amount} from its "
            f"best of {leading.logged('best_value'):.3g} at epoch {leading.epoch('best_epoch')}, while training "
            f"{training}."
        )
        calm = [r.pair.quantity for r in both if self.margin(r) < 0 and r.pair.kind == "score"]
        if calm and leading.pair.kind == "loss":
            text += f" Validation {calm[0]} holds: the model grows over-confident, its ranking is still fine."
        return text
