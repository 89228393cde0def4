"""OVF102: validation turns and gets worse for good while training goes on improving."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, leading_first, percent, severity_of
from copilot.core.checks.conflicts import find_conflict
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.statistics import late_noise_scale, moving_mean, smoothing_window, tail_length, tail_mean, take

MIN_POINTS = 3
SHORT_RUN = 30
SMOOTHED_FROM = 10  # points
CLOSE = 0.1  # share of its best by which a value that is close to it may differ
MIN_TRAINING = 5
NOISE_KNOWN_FROM = 6  # points; of fewer the noise cannot be told from the turn
CLEAR = math.log(2.0)  # margin of a rise of twice the threshold
CALM = -3.0  # margin of a curve that does not rise at all


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
    large_rise: float = Field(0.08, gt=0, description="Larger rise that counts when `large_rise_share` is lost.")
    large_rise_share: float = Field(
        0.005, gt=0, description="Share of the improvement lost that makes a large rise count."
    )
    late_rise: float = Field(
        0.2, gt=0, description="Rise as a share of the best that counts against what was gained after the first tenth."
    )
    late_rise_share: float = Field(0.05, gt=0, description="Share of that gain that must be lost as well.")
    score_drop: float = Field(
        0.02, gt=0, description="Absolute drop that counts of a score about 0.5; less near 0 and 1, as its spread is."
    )
    noise_ratio: float = Field(4.0, gt=0, description="Rise over the standard error of the noise.")
    short_factor: float = Field(
        3.0, ge=1, description="How many times larger a rise must be in a run too short to know its noise."
    )
    train_worsening: float = Field(0.05, gt=0, description="Share of its range by which training may worsen meanwhile.")
    late_share: float = Field(
        0.1, gt=0, lt=1, description="Share of the run, from its end, in which a score that still gains has its best."
    )
    medium_rise: float = Field(0.15, gt=0, description="Rise of medium severity.")
    high_rise: float = Field(0.5, gt=0, description="Rise of high severity.")


class ValidationDivergence(BaseCheck):
    """Validation gets worse from its best value to the end while training does not.

    Single spikes are taken out and the curve is smoothed over about a tenth of its length. The rise is the mean
    validation cost at the end minus the best smoothed value, where cost is the loss, or one minus a score. It counts
    when it is large against the best value, against what had been gained since the start, and against the noise from
    epoch to epoch, while training holds or improves. The onset is the first epoch after the turning point, the
    minimum of the lightly smoothed curve. A metric of validation alone, such as mAP, is judged beside the training
    loss. Runs of fewer than 30 epochs may also show the rise in their last two points; of fewer than six the noise
    cannot be told, and only a steady rise counts, of three times the size (`short_factor`). A first value far above
    the rest must not hide a rise: what was gained after the first tenth counts too (`late_rise`). Each quantity is
    judged by itself; where they disagree (a loss rises while a score still improves or holds, few of several losses
    rise, a score falls alone) the finding says so, and a small rise beside a score that still improves is not called
    overfitting.

    Why it matters: This is the classical sign of overfitting. Each epoch after the best one costs compute and makes
    the model worse on new images, and the last checkpoint, which is the one people tend to deploy, is not the one to
    keep.

    Source: L. Prechelt, Early Stopping - But When?, in Neural Networks: Tricks of the Trade, Springer, 1998,
    doi:10.1007/3-540-49430-8_3, for the sign; T. Gasser et al., Residual Variance and Residual Pattern in Nonlinear
    Regression, Biometrika 73, 1986, for the noise; C. Guo et al., On Calibration of Modern Neural Networks, ICML
    2017, arXiv:1706.04599, for a loss that rises while accuracy does not fall. The limits are this project's own.

    When it is wrong: A loss can rise through over-confidence alone while the accuracy holds; the finding says so
    where a score was logged too, and cannot where only the loss was. The noise is estimated from one epoch to the
    next, so errors that a tiny validation set makes in the same direction for many epochs look like a trend. A run
    that ends in the bump after a warm restart of the learning rate can look as if it had turned. A drop of the
    learning rate lowers validation loss once more and so hides a rise before it. Large networks and noisy labels can
    show double descent: validation gets worse, then better again (P. Nakkiran et al., ICLR 2020, arXiv:1912.02292),
    and a run that was cut in between is called overfitting. With fewer than ten epochs nothing is smoothed.
    """

    code = "OVF102"
    title = "Validation divergence"
    Thresholds = DivergenceThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        val, smooth = batch.val_clean, batch.val_clean_smooth
        best = np.nan_to_num(smooth, nan=np.inf).argmin(axis=1)
        raw_best = np.nan_to_num(batch.val, nan=np.inf).argmin(axis=1)
        floor = take(smooth, best)
        if batch.points < SHORT_RUN:  # smoothing fills a sharp valley up; its bottom is believed up to twice the noise
            floor = np.where(batch.bounded, floor, np.minimum(floor, val.min(axis=1) + 2 * batch.val_noise))
        start = val[:, : max(1, batch.tail // 2)].mean(axis=1)
        scale = np.maximum(np.maximum(np.abs(floor), 0.02 * np.abs(start - floor)), self._least(val))
        noise = np.maximum(late_noise_scale(val), 1e-9 * scale)
        span = np.maximum(batch.train.max(axis=1) - batch.train.min(axis=1), self._least(batch.train))
        train_change = (tail_mean(batch.train, batch.tail) - take(batch.train_smooth, best)) / span
        measured = {
            "best_value": take(batch.val, raw_best),
            "best_epoch": take(batch.epochs, raw_best),
            "last": batch.epochs[:, -1],
            "train_change": train_change,
            "onset": take(batch.epochs, self._onset(batch, raw_best)),
            "epochs_after": (batch.points - 1 - raw_best).astype(float),
            "still_gains": self._still_gains(batch, best, noise),
        }
        at_end = self._clearest_end(batch, floor, start, scale, noise)
        training_too = train_change > self.thresholds.train_worsening
        # In longer runs a turn at the very end may be a spike.
        last_chance = batch.points - (2 if batch.points >= SMOOTHED_FROM else 1)
        turned = (raw_best < last_chance) & ~training_too
        measured["worse_with_training"] = np.where(training_too, at_end["margin"], CALM)
        at_end["margin"] = np.where(turned, at_end["margin"], CALM)
        return measured | at_end

    def _clearest_end(
        self, batch: HistoryBatch, floor: np.ndarray, start: np.ndarray, scale: np.ndarray, noise: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The rise to the last tenth of the points; in a short run, where that is three points or more of a rise that
        may have as many, to the last two if that lies further beyond the thresholds.
        """
        found: list[dict[str, np.ndarray]] = []
        for length in (batch.tail, 2) if NOISE_KNOWN_FROM <= batch.points < SHORT_RUN else (batch.tail,):
            end = tail_mean(batch.val_clean, length)
            measures = {
                "final": end,
                "rise": end - floor,
                "rise_share": (end - floor) / scale,
                "lost_share": (end - floor) / np.maximum(start - floor, 1e-9 * scale),
                "noise_ratio": (end - floor) / (noise * math.sqrt(1 / length + 1 / batch.window)),
            }
            found.append(measures | {"margin": self._margin(batch, floor, measures)})
        first, last = found[0], found[-1]
        return {name: np.where(last["margin"] > first["margin"], last[name], first[name]) for name in first}

    def _margin(self, batch: HistoryBatch, floor: np.ndarray, m: dict[str, np.ndarray]) -> np.ndarray:
        """Natural logarithm of how far beyond the nearest threshold each row lies; negative where it passes."""
        t = self.thresholds

        def over(measure: np.ndarray, limit: float | np.ndarray) -> np.ndarray:
            return np.log(np.maximum(np.nan_to_num(measure), 1e-6) / limit)

        pairs = (
            (t.rise, t.lost_share),
            (t.small_rise, t.small_rise_share),
            (t.large_rise, t.large_rise_share),
        )
        ways = [np.minimum(over(m["rise_share"], a), over(m["lost_share"], b)) for a, b in pairs]
        gained = np.maximum(self._after_the_start(batch) - floor, self._least(batch.val))
        late_scale = np.maximum(np.abs(floor), 0.1 * gained)
        late = np.minimum(over(m["rise"] / late_scale, t.late_rise), over(m["rise"] / gained, t.late_rise_share))
        loss = np.max([*ways, late], axis=0)
        score = over(m["rise"], self._drop_limit(np.clip(floor, 0, 1)))
        size = np.where(batch.bounded, score, loss)
        if batch.points < NOISE_KNOWN_FROM:
            return np.where(self._rises_steadily(batch.val), np.maximum(size - np.log(t.short_factor), CALM), CALM)
        return np.maximum(np.minimum(size, over(m["noise_ratio"], t.noise_ratio)), CALM)

    @staticmethod
    def _least(values: np.ndarray) -> np.ndarray:
        """What a curve of this size is divided by at the least; losses may be of the order of 1e-13 all along."""
        return 1e-9 * np.abs(values).max(axis=1) + 1e-290

    @staticmethod
    def _after_the_start(batch: HistoryBatch) -> np.ndarray:
        """Validation cost after a tenth of the run: a first value far above it must not hide a later rise."""
        at = min(max(2, batch.points // 10), batch.points - 1) if batch.points >= SMOOTHED_FROM else 0
        return batch.val_clean[:, at]

    @staticmethod
    def _rises_steadily(val: np.ndarray) -> np.ndarray:
        """Rows with two points or more after the best, each worse than the one before."""
        index = np.arange(val.shape[1])
        best = np.nan_to_num(val, nan=np.inf).argmin(axis=1)[:, None]
        falls = (np.diff(val, axis=1) <= 0) & (index[1:] > best)
        return ~falls.any(axis=1) & (best[:, 0] <= val.shape[1] - 3)

    def _drop_limit(self, cost: np.ndarray) -> np.ndarray:
        """The drop of a score that counts: it scales with the spread of a share, sqrt(p (1 - p)), from its middle."""
        return self.thresholds.score_drop * 2 * np.sqrt(np.clip(cost * (1 - cost), 0.01, 0.25))

    def _still_gains(self, batch: HistoryBatch, best: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Rows at their best at the very end whose last eighth beats the one before, clearly and beyond the noise."""
        eighth = max(1, batch.points // 8)
        if batch.points < 4:
            return np.zeros(len(best))
        last, before = batch.val_clean[:, -eighth:].mean(axis=1), batch.val_clean[:, -2 * eighth : -eighth].mean(axis=1)
        least = np.where(batch.bounded, self._drop_limit(np.clip(last, 0, 1)), self.thresholds.rise * np.abs(last)) / 4
        gain, late = before - last, best >= (1 - self.thresholds.late_share) * (batch.points - 1)
        return (late & (gain >= np.maximum(least, 3 * noise * math.sqrt(2 / eighth)))).astype(float)

    @staticmethod
    def _onset(batch: HistoryBatch, raw_best: np.ndarray) -> np.ndarray:
        width = 2 * (batch.points // 40) + 1
        turn = np.nan_to_num(moving_mean(batch.val_clean, width), nan=np.inf).argmin(axis=1)
        same = np.abs(turn - raw_best) <= width  # the mean cannot tell these apart
        return np.minimum(np.where(same, raw_best, np.maximum(turn, raw_best)) + 1, batch.points - 1)

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        measured = [r for r in rows if r.points >= MIN_POINTS and math.isfinite(r["rise"])]
        trained = [r for r in measured if math.isfinite(r["train_change"])] or self._beside_training(history, measured)
        if not trained:
            return self.outcome(
                "not_applicable", f"It takes training and validation curves of at least {MIN_POINTS} epochs."
            )
        for row in measured:  # a metric of validation alone, such as mAP, is judged beside the run's training curve
            row.values.update(train_change=(row if row in trained else trained[0])["train_change"])
        both = [r for r in measured if not r["train_change"] > self.thresholds.train_worsening or r in trained]
        turned = [r for r in both if r["margin"] >= 0]
        if turned:
            leading = next((r for r in turned if r.pair.kind == "loss"), turned[0])
        else:
            leading = max(both, key=lambda r: r["margin"])
        evidence = [item for row in leading_first(leading, both) for item in self._evidence(row, history.counted_in)]
        if not turned:
            hidden = (r.evidence("rise_within_noise", r["noise_ratio"], unit="times") for r in both if self._hidden(r))
            confidence = confidence_from(leading["margin"])
            evidence.extend(hidden)
            evidence.extend(
                r.evidence("rise_with_training", r["rise"], unit=r.value_unit(), epoch=r["last"])
                for r in measured
                if r.pair.kind == "loss" and r["worse_with_training"] >= CLEAR
            )
            return self.outcome("passed", self._calm(leading), confidence=confidence, evidence=evidence)
        size = leading["rise_share"] if not leading.value_unit() else leading["rise"] * 5
        severity = severity_of(size, self.thresholds.medium_rise, self.thresholds.high_rise)
        conflict = find_conflict(turned, both, severity, self.thresholds.rise)
        text = self._turned(leading)
        if conflict is not None:
            text += f" {conflict.sentence}"
            severity = "low" if conflict.outweighs else severity
            evidence.append(Evidence(name="conflict", value=conflict.name, quantity=conflict.quantity, source="OVF102"))
        confidence = confidence_from(max(r["margin"] for r in turned))
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    @staticmethod
    def _beside_training(history: RunHistory, rows: list[Row]) -> list[Row]:
        """Rows of validation alone (mAP, mIoU), told by a training loss of another name how training went on."""
        alone = next((p for p in history.pairs if p.kind == "loss" and p.train_points >= MIN_TRAINING), None)
        if alone is None:
            return []
        on = np.isfinite(alone.train)
        epochs, train = history.epochs[on], alone.train[on]
        smooth = moving_mean(train, smoothing_window(len(train)))
        end = tail_mean(train, tail_length(len(train)))
        span = max(train.max() - train.min(), ValidationDivergence._least(train[None])[0])
        for row in rows:
            row.values["train_change"] = float((end - np.interp(row["best_epoch"], epochs, smooth)) / span)
        return list(rows)

    def _hidden(self, row: Row) -> bool:
        """A rise of twice the threshold that the noise leaves open."""
        limit = self.thresholds.score_drop if row.value_unit() else self.thresholds.rise
        size = row["rise"] if row.value_unit() else min(row["rise_share"], row["lost_share"])
        return bool(size >= 2 * limit and row["noise_ratio"] < self.thresholds.noise_ratio)

    def _evidence(self, row: Row, counted_in: str) -> list[Evidence]:
        unit, val_name = row.value_unit(), row.pair.val_name or ""
        items = [
            row.evidence("val_best", row.logged("best_value"), unit=unit, epoch=row["best_epoch"], source=val_name),
            row.evidence("val_end", row.logged("final"), unit=unit, epoch=row["last"], source=val_name),
            row.evidence("rise", row["rise"], unit=unit, epoch=row["last"]),
        ]
        if not unit:
            items.append(row.evidence("rise_share", row["rise_share"] * 100, unit="%", epoch=row["last"]))
        if row["margin"] >= 0:
            items.append(row.evidence("onset", row["onset"], unit="epoch", epoch=row["onset"]))
            after, at = row["epochs_after"], row["best_epoch"]
            items.append(row.evidence("epochs_after_best", after, unit=counted_in, epoch=at))
        return items

    @staticmethod
    def _calm(row: Row) -> str:
        end, best = row.logged("final"), row.logged("best_value")
        if row["epochs_after"] < 1 or row["rise"] <= CLOSE * (1.0 if row.value_unit() else max(abs(best), 1e-300)):
            return f"Validation {row.pair.quantity} ends at {end:.3g}, close to its best of {best:.3g}."
        why = "training got worse with it" if row["worse_with_training"] > CALM else "the rise may be noise"
        return f"Validation {row.pair.quantity} ends at {end:.3g} after a best of {best:.3g}, but {why}."

    @staticmethod
    def _turned(row: Row) -> str:
        verb = "falls" if row.pair.higher_is_better else "rises"
        amount = f"{row['rise'] * 100:.1f} points" if row.value_unit() else percent(row["rise_share"])
        training = "goes on improving" if row["train_change"] < -0.01 else "holds its level"
        return (
            f"Validation {row.pair.quantity} {verb} from epoch {row.epoch('onset')} on, by {amount} from its "
            f"best of {row.logged('best_value'):.3g} at epoch {row.epoch('best_epoch')}, while training "
            f"{training}."
        )
