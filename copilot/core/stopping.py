"""When to stop a run: validation has turned for good. Fed one epoch at a time, for one curve or many at once.

Patience counts epochs and knows neither noise nor size. This rule asks for evidence: the rise over the best level must
be large, well beyond the noise, have lasted, not be on its way back, and training must go on improving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds
from copilot.core.statistics import MAD_TO_DEVIATION

STEP_CAP = 4.0  # one wild epoch counts for no more than so many deviations of evidence
JUMP_OVER_TREND = 3.0  # a learning-rate drop lowers training this many times faster than its trend
JUMP_SHARE = 0.03  # and by this share of its level at least
TINY = 1e-12


class StopThresholds(Thresholds):
    """When a rise of validation cost is believed. Epochs here are epochs with a validation value."""

    warm_up: int = Field(10, ge=3, description="Epochs before which it never says stop.")
    window: int = Field(5, ge=2, le=20, description="Epochs whose mean is the level of a curve.")
    memory: int = Field(31, ge=5, le=200, description="Recent epochs that the noise is estimated from.")
    rise: float = Field(0.02, gt=0, description="Rise of the level over its best, as a share of the best value.")
    score_drop: float = Field(0.01, gt=0, lt=1, description="Absolute drop of a score from 0 to 1 that counts.")
    noise_ratio: float = Field(10.0, gt=0, description="Rise over the standard error of a difference of levels.")
    evidence: float = Field(40.0, gt=0, description="Sum of deviations above the best level (CUSUM) that is needed.")
    slack: float = Field(0.5, ge=0, description="Deviations that each epoch must lie above the best level to count.")
    wait: int = Field(10, ge=1, description="Epochs since the best value, at least.")
    wait_share: float = Field(0.1, ge=0, description="Further epochs since the best, as a share of the best epoch.")
    grace: int = Field(10, ge=0, description="Epochs to wait after training fell at once (a learning-rate drop).")
    jump: float = Field(6.0, gt=0, description="Fall of the training level over its noise that tells such a drop.")
    train_worsening: float = Field(0.05, ge=0, description="Share of its level by which training may have worsened.")
    hold: int = Field(8, ge=0, description="Epochs for which a new best level of a score holds a stop by the loss.")


@dataclass(frozen=True)
class StopReading:
    """What the rule sees now; arrays of shape (rows,). `noise` is a standard deviation in the curve's unit, and
    `seen`, `since_best` and `since_best_level` count epochs with a validation value."""

    turned: np.ndarray
    seen: np.ndarray
    level: np.ndarray
    best_level: np.ndarray
    best: np.ndarray
    rise: np.ndarray
    needed: np.ndarray
    noise: np.ndarray
    noise_ratio: np.ndarray
    evidence: np.ndarray
    since_best: np.ndarray
    since_best_level: np.ndarray
    train_level: np.ndarray
    train_change: np.ndarray


class StopWatch:
    """Follows `rows` curves of cost (lower is better), one epoch a call; each call costs a few small array operations.

    The evidence is a one-sided CUSUM of the validation cost above its best level, in deviations (E. S. Page,
    "Continuous inspection schemes", Biometrika 41, 1954); the noise is that of `statistics.noise_scale` over the last
    `memory` epochs, so that it follows a change of the learning rate.

    Parameters
    ----------
    rows : int
    thresholds : StopThresholds, optional
    bounded : sequence of bool, optional
        Rows whose cost is one minus a score from 0 to 1: their rise is judged by `score_drop`.
    """

    def __init__(self, rows: int = 1, thresholds: StopThresholds | None = None, bounded: object = False) -> None:
        self.thresholds = thresholds or StopThresholds()
        self.bounded = np.broadcast_to(np.asarray(bounded, bool), (rows,))
        shape = (rows, max(self.thresholds.memory, 3 * self.thresholds.window))
        self._val, self._train = np.full(shape, np.nan), np.full(shape, np.nan)
        self._seen, self._best_at, self._level_at = (np.zeros(rows, int) for _ in range(3))
        self._jump_at = np.full(rows, -(10**9))
        self._best, self._best_level = np.full(rows, np.inf), np.full(rows, np.inf)
        self._start, self._train_then = np.full(rows, np.nan), np.full(rows, np.nan)
        self._evidence, self._turned = np.zeros(rows), np.zeros(rows, bool)

    def copy(self) -> StopWatch:
        """An independent copy, to go back to."""
        twin = object.__new__(StopWatch)
        twin.__dict__ = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}
        return twin

    def update(self, val: object, train: object = np.nan) -> StopReading:
        """Take in one epoch.

        Parameters
        ----------
        val, train : float or array of shape (rows,)
            Costs. A row whose `val` is not finite stays as it is; a missing `train` counts as the one before.
        """
        rows = len(self._seen)
        val, train = (np.broadcast_to(np.asarray(x, float), (rows,)) for x in (val, train))
        there = np.isfinite(val)
        self._take_in(there, val, np.where(np.isfinite(train), train, self._train[:, -1]))
        return self._read(there)

    def _take_in(self, there: np.ndarray, val: np.ndarray, train: np.ndarray) -> None:
        for held, new in ((self._val, val), (self._train, train)):
            held[there, :-1] = held[there, 1:]
            held[there, -1] = new[there]
        self._seen += there
        self._start = np.where(there & np.isnan(self._start), val, self._start)
        better = there & (val < self._best)
        self._best = np.where(better, val, self._best)
        self._best_at = np.where(better, self._seen, self._best_at)
        self._evidence[better] = 0.0

    def _read(self, there: np.ndarray) -> StopReading:
        t, w = self.thresholds, self.thresholds.window
        level, before = self._val[:, -w:].mean(axis=1), self._val[:, -2 * w : -w].mean(axis=1)
        train_level = self._train[:, -w:].mean(axis=1)
        noise = _noise(self._val)
        lower = there & (level < self._best_level)
        self._best_level = np.where(lower, level, self._best_level)
        self._level_at = np.where(lower, self._seen, self._level_at)
        self._train_then = np.where(lower, train_level, self._train_then)
        self._note_jump(there, train_level)
        with np.errstate(invalid="ignore"):
            rise = level - self._best_level  # before the first level it is NaN, and nothing is true of it
        error = noise * np.sqrt(2.0 / w)
        needed = self._needed_rise()
        self._gather(there, np.maximum(noise, needed / 3.0))
        ratio = rise / np.maximum(error, TINY)
        train_change = train_level - self._train_then
        train_worse = train_change > t.train_worsening * np.abs(self._train_then)
        since, waited = self._seen - self._best_at, t.wait + t.wait_share * self._best_at
        turned = (self._seen > t.warm_up) & (rise > needed) & (ratio > t.noise_ratio)
        turned &= (self._evidence > t.evidence) & (since >= waited) & ~(level < before - error)
        turned &= ~train_worse & (self._seen - self._jump_at >= t.grace)
        self._turned = np.where(there, turned, self._turned)  # without a new value nothing is known better
        return StopReading(
            turned=self._turned.copy(),
            seen=self._seen.copy(),
            level=level,
            best_level=self._best_level.copy(),
            best=self._best.copy(),
            rise=rise,
            needed=needed,
            noise=noise,
            noise_ratio=ratio,
            evidence=self._evidence.copy(),
            since_best=since,
            since_best_level=self._seen - self._level_at,
            train_level=train_level,
            train_change=train_change,
        )

    def _needed_rise(self) -> np.ndarray:
        """A share of the best value, or of what was gained where the best is next to zero."""
        gained = np.where(np.isfinite(self._best), self._start - self._best, 0.0)
        scale = np.maximum(np.where(np.isfinite(self._best), np.abs(self._best), np.inf), 0.02 * gained)
        return np.where(self.bounded, self.thresholds.score_drop, self.thresholds.rise * scale + TINY)

    def _gather(self, there: np.ndarray, unit: np.ndarray) -> None:
        with np.errstate(invalid="ignore"):
            above = (self._val[:, -1] - self._best_level) / unit - self.thresholds.slack
        step = np.clip(above, -STEP_CAP, STEP_CAP)
        fresh = self._seen == self._best_at  # a new best wipes the evidence out
        counts = there & np.isfinite(step) & ~fresh
        self._evidence = np.where(counts, np.maximum(0.0, self._evidence + step), self._evidence)

    def _note_jump(self, there: np.ndarray, level: np.ndarray) -> None:
        """Training fell at once, as it does when the learning rate is lowered: validation starts afresh then."""
        t, w = self.thresholds, self.thresholds.window
        before, earlier = self._train[:, -2 * w : -w].mean(axis=1), self._train[:, -3 * w : -2 * w].mean(axis=1)
        fall = before - level
        jumped = fall > t.jump * _noise(self._train) * np.sqrt(2.0 / w)
        jumped &= (fall > JUMP_OVER_TREND * np.abs(earlier - before)) & (fall > JUMP_SHARE * np.abs(before))
        self._jump_at = np.where(there & jumped, self._seen, self._jump_at)


def replay(val: np.ndarray, train: np.ndarray, thresholds: StopThresholds | None = None) -> np.ndarray:
    """Where the rule stops runs that are over.

    Parameters
    ----------
    val, train : ndarray of shape (rows, epochs)
        Costs, padded with NaN.

    Returns
    -------
    ndarray of shape (rows,)
        Index of the epoch at which it says stop; -1 where it never does.
    """
    watch, stops = StopWatch(len(val), thresholds), np.full(len(val), -1)
    for epoch in range(val.shape[1]):
        turned = watch.update(val[:, epoch], train[:, epoch]).turned
        stops = np.where(turned & (stops < 0), epoch, stops)
    return stops


def _noise(values: np.ndarray) -> np.ndarray:
    """`statistics.noise_scale` for rows that begin with NaN; NaN for fewer than three points."""
    second = np.sort(np.abs(values[:, 2:] - 2.0 * values[:, 1:-1] + values[:, :-2]), axis=1)  # NaN goes last
    known = np.isfinite(second).sum(axis=1)
    at = np.maximum(known - 1, 0)
    rows = np.arange(len(values))
    middle = (second[rows, at // 2] + second[rows, (at + 1) // 2]) / 2.0
    return MAD_TO_DEVIATION * np.where(known > 0, middle, np.nan) / np.sqrt(6.0)
