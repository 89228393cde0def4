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
    swing: float = Field(0.2, gt=0, description="Noise of the training curve over its range that counts as swinging.")
    late_swing: float = Field(0.35, gt=0, description="Noise of the validation curve over its range worth a note.")


class Instability(BaseCheck):
    """Training does not settle: it breaks down, diverges or swings.

    Four things are looked at. NaN or infinite values that a curve does not recover from. The end of the training curve
    against its best: the share of what had been gained that was lost again, beyond three times the noise, or a loss
    well above its first value. The noise of the training curve from epoch to epoch against the range of the smoothed
    curve, from eight epochs on. The same for validation, which is worth a note of low severity only.

    Why it matters: An unsettled run says nothing about the data or the size of the model: what it would reach if it
    were trained steadily is not known. Its learning rate, warm-up, clipping, precision or inputs come first, and its
    other findings wait until then.

    Source: I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016, section 11.4.1, for the learning
    rate; R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
    arXiv:1211.5063, for exploding gradients and clipping. The limits are this project's own.

    When it is wrong: Cyclical learning rates and warm restarts swing by design, and a run that ends just after a
    restart can look diverged. Augmentation, a loss term or harder images that are switched on midway raise the training
    loss for a good reason. A curve with hardly any range, as in fine-tuning that begins near its end, swings by a
    large share of next to nothing. Where the logged value is that of one batch instead of a mean over the epoch, its
    noise is that of the batch. A metric can be undefined (an AUC where one class is absent) in a run that trains well.
    Adversarial games, as of GANs, are not expected to fall. Validation alone that swings is often a small validation
    set or the running statistics of batch normalisation.
    """

    code = "OVF104"
    title = "Instability"
    Thresholds = InstabilityThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        train, smooth = batch.train, batch.train_smooth
        end, start, best = tail_mean(train, batch.tail), train[:, 0], smooth.min(axis=1)
        train_range = np.maximum(smooth.max(axis=1) - best, 1e-12)
        val_range = np.maximum(batch.val_smooth.max(axis=1) - batch.val_smooth.min(axis=1), 1e-12)
        return {
            "start": start,
            "end": end,
            "best": best,
            "lost": (end - best) / np.maximum(start - best, 1e-9 + 0.02 * np.abs(start)),
            "growth": end / np.where(np.abs(start) > 1e-12, np.abs(start), np.nan),
            "train_swing": batch.train_noise / train_range,
            "val_swing": np.nan_to_num(batch.val_noise / val_range),
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
        swing = math.log(max(loss["train_swing"], 1e-6) / self.thresholds.swing)
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
        text = f"Training {loss.pair.quantity} is steady."
        evidence = self._evidence(loss)  # of the others there is nothing to say
        return self.outcome("passed", text, confidence=confidence_from(max(margin, swing)), evidence=evidence)

    def _diverged(self, row: Row) -> float:
        t = self.thresholds
        if row["end"] <= row["best"]:
            return -3.0
        exploded = math.log(max(row["growth"], 1e-6) / t.explosion) if row.pair.kind == "loss" else -3.0
        lost = math.log(max(row["lost"], 1e-6) / t.diverged) if row["rise_noise"] >= 3 else -3.0
        return max(lost, exploded)

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
                first = float(history.epochs[bad][0])
                after = np.isfinite(values[history.epochs > first]).sum()
                if after > bad.sum():
                    continue  # single holes in a curve that went on
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
