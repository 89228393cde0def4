"""OVF104: training that diverged, went to NaN, worsens from the start or swings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, confidence_from, leading_first, percent
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory, axis_value
from copilot.core.statistics import tail_mean

MIN_POINTS = 5


class InstabilityThresholds(Thresholds):
    diverged: float = Field(0.5, gt=0, description="Share of what training had gained that it loses again by the end.")
    explosion: float = Field(
        1.5, gt=1, description="Training loss at the end over its first value that tells an explosion."
    )
    drift: float = Field(
        0.15,
        gt=0,
        description="The same where validation loses as large a share, and training stands out of its noise.",
    )
    least_growth: float = Field(
        0.25, gt=0, description="Share of its best by which training must end above it to have diverged at all."
    )
    swing: float = Field(0.2, gt=0, description="Noise of the training curve over its range that counts as swinging.")
    swing_level: float = Field(
        0.1,
        gt=0,
        description="Noise over the level of the curve (of a score: over a half) that swinging takes as well.",
    )
    noise_ratio: float = Field(3.0, gt=0, description="Rise of training over its noise; twice that for a drift.")
    holds: float = Field(
        0.2, gt=0, description="Share of its range by which validation that holds may end above its best."
    )
    late_swing: float = Field(0.35, gt=0, description="Noise of the validation curve over its range worth a note.")


class Instability(BaseCheck):
    """Training does not settle: it breaks down, diverges or swings.

    Four things are looked at. NaN or infinite values that a curve does not recover from; holes as long as those at
    the end are none. The end of the training curve against its best: it must lie a quarter of the best above it, and
    half of what had been gained must be lost again, or a smaller share that validation loses too (`drift`), or the
    loss must end well above its first value; each beyond the noise. The noise of the training curve from epoch to
    epoch against the range of the smoothed curve and against its level (`swing_level`), from eight epochs on and
    unless validation is steady and holds. The same for validation, which is worth a note of low severity only.

    Why it matters: An unsettled run says nothing about the data or the size of the model: what it would reach if it
    were trained steadily is not known. Its learning rate, warm-up, clipping, precision or inputs come first, and its
    other findings wait until then.

    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016, section 11.4.1, for the
    learning rate; R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML
    2013, arXiv:1211.5063, for exploding gradients and clipping. The limits are this project's own.

    When it is wrong: Cyclical learning rates and warm restarts swing by design, and a run that ends just after a
    restart can look diverged. Augmentation, a loss term or harder images that are switched on midway raise the
    training loss for a good reason. A curve with hardly any range, as in fine-tuning that begins near its end, swings
    by a large share of next to nothing. Where the logged value is that of one batch instead of a mean over the epoch,
    its noise is that of the batch. A metric can be undefined (an AUC where one class is absent) in a run that trains
    well. Adversarial games, as of GANs, are not expected to fall. Validation alone that swings is often a small
    validation set or the running statistics of batch normalisation.
    """

    code = "OVF104"
    title = "Instability"
    Thresholds = InstabilityThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        train, smooth = batch.train, batch.train_smooth
        end, start, best = tail_mean(train, batch.tail), train[:, 0], smooth.min(axis=1)
        train_range = np.maximum(smooth.max(axis=1) - best, 1e-12)
        val_best = batch.val_smooth.min(axis=1)
        val_range = np.maximum(batch.val_smooth.max(axis=1) - val_best, 1e-12)
        val_rise = tail_mean(batch.val, batch.tail) - val_best
        val_gained = np.maximum(batch.val_smooth[:, 0] - val_best, 1e-9 + 0.02 * np.abs(batch.val_smooth[:, 0]))
        return {
            "start": start,
            "end": end,
            "best": best,
            "lost": (end - best) / np.maximum(start - best, 1e-9 + 0.02 * np.abs(start)),
            "growth": end / np.where(np.abs(start) > 1e-12, np.abs(start), np.nan),
            "train_swing": batch.train_noise / train_range,
            "val_swing": np.nan_to_num(batch.val_noise / val_range),
            "level_swing": batch.train_noise / np.where(batch.bounded, 0.5, np.maximum(np.abs(end), 1e-300)),
            "val_holds": (val_rise <= self.thresholds.holds * val_range).astype(float),
            "val_lost": np.nan_to_num(val_rise / val_gained),
            "rise_noise": (end - best) / np.maximum(batch.train_noise, 1e-9),
            "last": batch.epochs[:, -1],
        }

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        broken = self._not_finite(history)
        if broken:
            return broken
        usable = [r for r in rows if math.isfinite(r["end"]) and r.points >= MIN_POINTS]
        if not usable:
            return self.outcome("not_applicable", f"It takes a training curve of at least {MIN_POINTS} epochs.")
        loss = next((r for r in usable if r.pair.kind == "loss"), usable[0])
        margin = self._diverged(loss)
        if margin >= 0:
            evidence = self._evidence_of(loss, usable)
            end, best = loss.logged("end"), loss.logged("best")
            text = f"Training {loss.pair.quantity} ends at {end:.3g} after a best of {best:.3g}: training diverged."
            return self.outcome("issue", text, severity="high", confidence=confidence_from(margin), evidence=evidence)
        swing = self._swings(loss)
        if swing >= 0 and loss.points >= 8:
            evidence, share = self._evidence_of(loss, usable), loss["train_swing"]
            text = f"Training {loss.pair.quantity} swings from epoch to epoch by {percent(share)} of its whole range."
            return self.outcome("issue", text, severity="high", confidence=confidence_from(swing), evidence=evidence)
        noisy = max(usable, key=lambda r: r["val_swing"])
        if noisy["val_swing"] >= self.thresholds.late_swing and noisy.points >= 8:
            swings = percent(noisy["val_swing"])
            text = f"Validation {noisy.pair.quantity} swings by {swings} of its range; training is steady."
            evidence = self._evidence_of(noisy, usable)
            return self.outcome("issue", text, severity="low", confidence=0.6, evidence=evidence)
        evidence = self._evidence(loss)  # of the others there is nothing to say
        if swing >= 0:
            text = f"Training {loss.pair.quantity} swings, in too few epochs to tell."
            return self.outcome("passed", text, confidence=0.5, evidence=evidence)
        text = f"Training {loss.pair.quantity} is steady."
        return self.outcome("passed", text, confidence=confidence_from(max(margin, swing)), evidence=evidence)

    def _diverged(self, row: Row) -> float:
        t, rise = self.thresholds, row["end"] - row["best"]
        if rise <= 0:
            return -3.0
        grew = rise >= t.least_growth * abs(row["best"])
        exploded = math.log(max(row["growth"], 1e-6) / t.explosion) if row.pair.kind == "loss" and grew else -3.0
        lost = math.log(max(row["lost"], 1e-6) / t.diverged) if row["rise_noise"] >= t.noise_ratio else -3.0
        drifted = -3.0
        if grew and row["rise_noise"] >= 2 * t.noise_ratio and row["val_lost"] >= t.drift:
            drifted = math.log(max(row["lost"], 1e-6) / t.drift)
        return max(lost, exploded, drifted)

    def _swings(self, row: Row) -> float:
        """Against the curve's range, and against its level: a loss logged per step, or one that has little to gain,
        has more noise than range; so it does not count while validation is steady and holds.
        """
        t = self.thresholds
        if 0 < row["val_swing"] < 0.5 * t.swing and row["val_holds"]:
            return -3.0
        measured = min(row["train_swing"] / t.swing, row["level_swing"] / t.swing_level)
        return math.log(max(measured, 1e-6))

    def _not_finite(self, history: RunHistory) -> Outcome | None:
        """NaN in a training curve, or a validation curve that ends in NaN, is instability by itself."""
        for pair in history.pairs:
            if not (pair.bad_train.any() or pair.bad_val.any()):
                continue
            validated = np.isfinite(pair.val).any() or not np.isfinite(pair.train).any()
            for name, bad, values in (
                (pair.train_name, pair.bad_train, pair.train),
                (pair.val_name, pair.bad_val, pair.val),
            ):
                if not bad.any() or (values is pair.val and not validated):
                    continue  # validation that never gave a number did not work, which says nothing of training
                if _goes_on(bad, values):
                    continue  # holes in a curve that went on, such as epochs without validation
                first = float(history.epochs[_end_of_values(values) :][bad[_end_of_values(values) :]][0])
                item = Evidence(
                    name="not_finite",
                    value=int(bad.sum()),
                    unit="epochs",
                    epoch=axis_value(first),
                    source=name or "",
                    quantity=pair.quantity,
                )
                text = f"'{name}' is NaN or infinite from epoch {first:.10g} on: training broke down."
                return self.outcome("issue", text, severity="high", confidence=0.99, evidence=[item])
        return None

    def _evidence_of(self, leading: Row, rows: Sequence[Row]) -> list[Evidence]:
        return [item for row in leading_first(leading, rows) for item in self._evidence(row)]

    def _evidence(self, row: Row) -> list[Evidence]:
        return [
            row.evidence("train_best", row.logged("best"), unit=row.value_unit(), source=row.pair.train_name or ""),
            row.evidence(
                "train_end",
                row.logged("end"),
                unit=row.value_unit(),
                epoch=row["last"],
                source=row.pair.train_name or "",
            ),
            row.evidence("train_swing", row["train_swing"] * 100, unit="%", source=row.pair.train_name or ""),
            row.evidence("val_swing", row["val_swing"] * 100, unit="%", source=row.pair.val_name or ""),
        ]


def _end_of_values(values: np.ndarray) -> int:
    """Index after the last finite value; 0 where there is none."""
    known = np.flatnonzero(np.isfinite(values))
    return int(known[-1]) + 1 if known.size else 0


def _goes_on(bad: np.ndarray, values: np.ndarray) -> bool:
    """Whether the stretch of bad values at the end is no longer than one that the curve came back from."""
    logged = np.isfinite(values[bad | np.isfinite(values)])
    known = np.flatnonzero(logged)
    if not known.size:
        return False
    holes = np.diff(np.concatenate([[-1], known])) - 1
    return bool(len(logged) - 1 - known[-1] <= holes.max())
