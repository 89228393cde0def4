"""OVF106: which shape the learning curves have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from copilot.core.batch import HistoryBatch
from copilot.core.checks.base import BaseCheck, Row, Thresholds, leading_first, percent
from copilot.core.checks.instability import InstabilityThresholds
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.statistics import late_noise_scale, tail_mean, take

MIN_POINTS = 5


class PatternThresholds(Thresholds):
    never_learned: float = Field(
        0.05, gt=0, lt=1, description="Share of the first training cost gained, below it nothing."
    )
    diverged: float = Field(
        InstabilityThresholds().diverged,
        gt=0,
        description="Share of what training had gained that is lost again by the end.",
    )
    oscillation: float = Field(
        0.35, gt=0, description="Noise from epoch to epoch over the range of the smoothed curve."
    )
    turn: float = Field(0.15, gt=0, description="Rise after the minimum, as a share of what was gained, of a U.")
    turn_of_best: float = Field(0.1, gt=0, description="The same as a share of the best value, where that is smaller.")
    bump: float = Field(0.1, gt=0, description="Height of a passing rise, as a share of what was gained, that counts.")
    bump_width: float = Field(0.05, gt=0, lt=1, description="Share of the run that a double descent's bump lasts.")
    jump: float = Field(0.25, gt=0, description="Change within one epoch, as a share of the whole range, of a jump.")
    early: float = Field(
        0.1, gt=0, lt=1, description="Share of the run, from its start, where jumps are the first descent."
    )
    noise_ratio: float = Field(5.0, gt=0, description="How far a turn, a bump or a jump must stand out of the noise.")
    improving: float = Field(
        0.05, gt=0, lt=1, description="Share of the gain made in the last quarter of a curve that goes on."
    )
    far: float = Field(
        0.4, gt=0, lt=1, description="Training error, or share of the first training loss, far from useful."
    )


class Pattern(NamedTuple):
    """A shape: its words, and the severity of what it says (none for the ones to wish for)."""

    words: str
    severity: str = "none"


PATTERNS: dict[str, Pattern] = {
    "nan": Pattern("ends in NaN or infinite values", "low"),
    "diverged": Pattern("diverged with its training curve", "low"),
    "never_learned": Pattern("never learned: the training curve stays at its start", "low"),
    "oscillation": Pattern("oscillates from epoch to epoch", "low"),
    "u_shape": Pattern("is a U: it improves, turns, and gets worse", "low"),
    "double_descent": Pattern("descends twice, with a rise in between", "low"),
    "underfit": Pattern("levels off far from useful", "low"),
    "still_improving": Pattern("still improves"),
    "sudden_jump": Pattern("jumps within one epoch"),
    "plateau": Pattern("has been on a plateau for more than half of the run"),
    "converged": Pattern("has converged"),
}
_ORDER = tuple(PATTERNS)


class LearningPattern(BaseCheck):
    """The learning curve has one of eleven shapes, and some of them ask for a look.

    Each quantity's validation curve (its training curve where there is no other), without single spikes and smoothed,
    gets the first name that fits: ends in NaN, diverged, never learned, oscillates, U-shaped, double descent, levels
    off far from useful, still improves, sudden jump, plateau, converged. A turn, a bump or a jump counts when it is
    large against what was gained and stands out of the noise (`noise_ratio`); a bump that lasts (`bump_width`) and is
    made good again is a double descent.

    Why it matters: The shape says what to try next before any number does: a curve that still improves asks for more
    epochs, a plateau for fewer, a U for the checkpoint at its bottom, and a double descent warns that stopping at the
    first minimum would have been too early.

    Source: T. Viering and M. Loog, The Shape of Learning Curves: a Review, IEEE TPAMI 45, 2023, arXiv:2103.10948, for
    the shapes; P. Nakkiran et al., Deep Double Descent, ICLR 2020, arXiv:1912.02292, for the descent that comes
    twice. The limits are this project's own.

    When it is wrong: A run that was cut short shows another shape than the one it would have had. Step schedules of
    the learning rate and warm restarts make jumps and bumps that are no property of the model. In runs of fewer than
    ten epochs nothing is smoothed, and one noisy epoch can look like a turn.
    """

    code = "OVF106"
    title = "Learning-curve pattern"
    Thresholds = PatternThresholds

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]:
        t, n = self.thresholds, batch.points
        seen = batch.has_val[:, None]
        curve, smooth = (
            np.where(seen, batch.val_clean, batch.train),
            np.where(seen, batch.val_clean_smooth, batch.train_smooth),
        )
        noise, span = late_noise_scale(curve), np.maximum(smooth.max(axis=1) - smooth.min(axis=1), 1e-12)
        swing = np.where(batch.has_val, batch.val_noise, batch.train_noise)
        lowest, end = smooth.min(axis=1), tail_mean(smooth, batch.tail)
        gained = np.maximum(smooth[:, 0] - lowest, 1e-12)
        standard = np.maximum(noise, 1e-9 * span)
        rise, bump = end - lowest, self._bump(smooth, end)
        steps = np.diff(curve, axis=1) if n > 1 else np.zeros((len(curve), 1))
        first = min(math.ceil(t.early * n), steps.shape[1] - 1)
        at = first + np.abs(steps[:, first:]).argmax(axis=1)
        reached = (smooth <= (lowest + t.improving * gained)[:, None]).argmax(axis=1)
        quarter = smooth[:, max(0, n - 1 - max(1, n // 4))]
        clear = t.noise_ratio * standard
        shapes = {
            "diverged": batch.has_train & self._diverged(batch),
            "never_learned": batch.has_train & self._never_learned(batch),
            "oscillation": (swing >= t.oscillation * span) & (n >= 8),
            "u_shape": (rise >= np.minimum(t.turn * gained, t.turn_of_best * np.abs(lowest)))
            & (rise >= clear)
            & (rise >= 0.01 * gained)
            & (smooth.argmin(axis=1) < n - batch.tail),
            "double_descent": (bump["height"] >= np.maximum(t.bump * gained, clear))
            & (bump["width"] >= max(2, t.bump_width * n))
            & (bump["at"] >= t.early * n)
            & bump["mended"],
            "underfit": batch.has_train & self._far(batch) & (quarter - end < t.improving * gained),
            "still_improving": quarter - end >= t.improving * gained,
            "sudden_jump": np.abs(take(steps, at)) >= np.maximum(t.jump * span, t.noise_ratio * clear / 4),
            "plateau": n - 1 - reached > n / 2,
        }
        fits = np.stack([shapes[name] for name in _ORDER[1:-1]] + [np.ones(len(curve), bool)])
        return {
            "shape": fits.argmax(axis=0) + 1.0,
            "turn": take(batch.epochs, smooth.argmin(axis=1)),
            "bump": take(batch.epochs, bump["at"]),
            "jump": take(batch.epochs, np.minimum(at + 1, n - 1)),
            "jump_share": np.abs(take(steps, at)) / span,
            "since": take(batch.epochs, reached),
            "finite": np.isfinite(end).astype(float),
        }

    @staticmethod
    def _bump(smooth: np.ndarray, end: np.ndarray) -> dict[str, np.ndarray]:
        """The largest rise over the lowest value so far that was made good again."""
        so_far = np.minimum.accumulate(np.nan_to_num(smooth, nan=np.inf), axis=1)
        above = smooth - so_far
        at = np.nan_to_num(above).argmax(axis=1)
        height = take(above, at)
        later = np.where(np.arange(smooth.shape[1]) >= at[:, None], smooth, np.inf).min(axis=1)
        before = take(so_far, at)
        mended = (later <= before + 0.1 * height) & (end <= before + 0.25 * height)
        width = (above >= 0.5 * height[:, None]).sum(axis=1)
        return {"at": at, "height": height, "width": width, "mended": mended}

    def _diverged(self, batch: HistoryBatch) -> np.ndarray:
        best, end, start = batch.train_smooth.min(axis=1), tail_mean(batch.train, batch.tail), batch.train[:, 0]
        gained = np.maximum(start - best, 0.02 * np.abs(start))
        return (end - best >= self.thresholds.diverged * gained) & (end - best >= 3 * batch.train_noise)

    def _never_learned(self, batch: HistoryBatch) -> np.ndarray:
        scale = np.where(batch.bounded, 1.0, np.abs(batch.train[:, 0]))
        start, end = batch.train[:, 0], tail_mean(batch.train, batch.tail)
        return (start - end < self.thresholds.never_learned * scale) & (end > 0.3 * scale)

    def _far(self, batch: HistoryBatch) -> np.ndarray:
        """Of a loss only if it is a plain one that a perfect model would bring to zero; two thirds are kept apart."""
        end, start = tail_mean(batch.train, batch.tail), batch.train[:, 0]
        return np.where(batch.bounded, end > self.thresholds.far, end > 2 * self.thresholds.far * np.abs(start))

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome:
        broken = next((p for p in history.pairs if _ends_badly(p.bad_val) or _ends_badly(p.bad_train)), None)
        if broken is not None:
            name = (broken.val_name if _ends_badly(broken.bad_val) else broken.train_name) or ""
            item = Evidence(name="pattern", value="nan", source=name, quantity=broken.quantity)
            text = f"'{name}' {PATTERNS['nan'].words}."
            return self.outcome("issue", text, severity="low", confidence=0.99, evidence=[item])
        usable = [r for r in rows if r.points >= MIN_POINTS and r["finite"]]
        if not usable:
            return self.outcome("not_applicable", f"It takes a curve of at least {MIN_POINTS} epochs.")
        leading = next((r for r in usable if r.pair.val_name), usable[0])
        evidence = [item for row in leading_first(leading, usable) for item in self._evidence(row)]
        pattern = PATTERNS[_shape(leading)]
        text = f"{_side(leading)} {leading.pair.quantity} {pattern.words}{self._where(leading)}."
        others = [r for r in usable if r is not leading and _shape(r) != _shape(leading) and r.pair.val_name]
        if others:
            text += f" Validation {others[0].pair.quantity} {PATTERNS[_shape(others[0])].words}."
        if pattern.severity == "none":
            return self.outcome("passed", text, confidence=0.8, evidence=evidence)
        return self.outcome("issue", text, severity="low", confidence=0.8, evidence=evidence)

    @staticmethod
    def _evidence(row: Row) -> list[Evidence]:
        shape, source = _shape(row), row.pair.val_name or row.pair.train_name or ""
        found = [Evidence(name="pattern", value=shape, source=source, quantity=row.pair.quantity)]
        place = {"u_shape": "turn", "double_descent": "bump", "sudden_jump": "jump", "plateau": "since"}.get(shape)
        if place:
            found.append(row.evidence(f"pattern_{place}", row[place], unit="epoch", epoch=row[place], source=source))
        if shape == "sudden_jump":
            share = row["jump_share"] * 100
            found.append(row.evidence("pattern_jump_share", share, unit="%", epoch=row["jump"], source=source))
        return found

    @staticmethod
    def _where(row: Row) -> str:
        shape = _shape(row)
        if shape == "u_shape":
            return f" after epoch {row.epoch('turn')}"
        if shape == "double_descent":
            return f" whose top is at epoch {row.epoch('bump')}"
        if shape == "sudden_jump":
            return f", at epoch {row.epoch('jump')}, by {percent(row['jump_share'])} of its range"
        return f", since epoch {row.epoch('since')}" if shape == "plateau" else ""


def _shape(row: Row) -> str:
    return _ORDER[int(row["shape"])]


def _side(row: Row) -> str:
    return "Validation" if row.pair.val_name else "Training"


def _ends_badly(bad: np.ndarray) -> bool:
    return bool(bad.size and bad[-1])
