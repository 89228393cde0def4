"""What the steps of a run count: mended times and steps, and the ``epoch`` metric as the axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from copilot.core.alignment import EPOCH_NAMES, HUGE, NO_EPOCH, Notes
from copilot.core.pairs import LoggedSeries
from copilot.core.restarts import numbered_on, rows_of

CLOCK = (4e8, 5e9)  # seconds since 1970 of moments that a training run can have: 1982 to 2128
MOMENTS_FROM = 1e9  # steps above this that hardly grow are moments in time
LARGEST_STEP = 1e19  # steps are 64-bit integers in MLflow
A_WEEK = 7 * 86400.0
MOMENTS = "The steps of {} are moments in time, so that its rows were numbered in order."


@dataclass(frozen=True)
class EpochAxis:
    """A logged ``epoch`` metric that says which epoch each global step belongs to."""

    name: str
    steps: np.ndarray
    epochs: np.ndarray
    times: np.ndarray | None = None

    @cached_property
    def _rounded(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Whole epochs stay whole: that which is running, or, where each is logged once at its end, the next."""
        if not np.array_equal(self.epochs, np.floor(self.epochs)):
            return None
        at_the_end = np.all(np.diff(self.epochs) > 0) and self.steps[0] > 0.5 * np.median(np.diff(self.steps))
        return np.ceil if at_the_end else np.floor

    def map_steps(self, steps: np.ndarray) -> np.ndarray:
        """Epochs of `steps`, those between logged ones interpolated."""
        between = np.interp(steps, self.steps, self.epochs)
        return self._rounded(between) if self._rounded else between

    def for_series(self, item: LoggedSeries) -> Callable[[np.ndarray], np.ndarray] | None:
        """How to make epochs of a series' steps; None where they are epochs already, as validation's often are."""
        steps = item.steps
        last = self.epochs[-1]
        if steps is None or not len(steps):
            return None
        if steps[-1] > last + 1.5 or np.max(steps) > last + 1.5 or self.steps[-1] <= 2 * (last + 1) or len(steps) < 2:
            return self.map_steps
        mapped = self.map_steps(np.asarray(steps, float))
        if item.times is not None and self.times is not None and np.ptp(self.times) > 0 and np.ptp(item.times) > 0:
            by_time = np.interp(item.times, self.times, self.epochs)
            closer = np.median(np.abs(steps - by_time)) < np.median(np.abs(mapped - by_time))
            return None if closer else self.map_steps
        return None if np.ptp(mapped) < 0.2 * np.ptp(steps) else self.map_steps


def epoch_axis(series: Sequence[tuple]) -> EpochAxis | None:
    """The logged ``epoch`` metric, if steps count something else (Lightning and Hugging Face log so).

    `series` holds (name, steps, values) or (name, steps, values, times).
    """
    for name, steps, values, *more in series:
        if name.lower() not in EPOCH_NAMES or steps is None or len(values) < 2:
            continue
        order = np.argsort(steps, kind="stable")
        steps, values = np.asarray(steps, float)[order], np.asarray(values, float)[order]
        times = np.asarray(more[0], float)[order] if more and more[0] is not None else None
        if not np.all(np.abs(values) < HUGE) or not np.all(np.abs(steps) < LARGEST_STEP):  # NaN fails
            continue
        rises = np.all(values[1:] >= values[:-1]) and values[-1] > values[0]
        if rises and steps[-1] > steps[0] and not np.allclose(steps, values):
            times = times if times is not None and np.all(np.diff(times) >= 0) else None
            return EpochAxis(name, steps, values, times)
    return None


def mended(items: Sequence[LoggedSeries], notes: Notes) -> list[LoggedSeries]:
    """Series with times in seconds and steps that count, those of a restarted run numbered on."""
    if all(map(_plain, items)):
        return list(items)
    tidy = [_moments_as_times(_in_seconds(_with_steps(item, notes), notes), notes) for item in items]
    return numbered_on(tidy, notes)


def _with_steps(item: LoggedSeries, notes: Notes) -> LoggedSeries:
    """Without rows whose step is no number that MLflow could hold."""
    if item.steps is None or not len(item.steps):
        return item
    placed = np.abs(item.steps) < LARGEST_STEP  # NaN fails
    if placed.all():
        return item
    notes.add(NO_EPOCH, item.name)
    return rows_of(item, placed)


def _plain(item: LoggedSeries) -> bool:
    """Whether nothing has to be mended: steps go up, and times are moments of our time in seconds."""
    steps, times = item.steps, item.times
    if steps is None or not len(steps) or not -MOMENTS_FROM < steps[0] <= steps[-1] < MOMENTS_FROM:
        return False
    if times is not None and not CLOCK[0] < np.minimum.reduce(times) < np.maximum.reduce(times) < CLOCK[1]:
        return len(times) == 1 and CLOCK[0] < times[0] < CLOCK[1]
    return bool(np.logical_and.reduce(steps[1:] > steps[:-1]))


def _in_seconds(item: LoggedSeries, notes: Notes) -> LoggedSeries:
    """Times in seconds; they may have been logged in other units, and are dropped where they tell nothing."""
    if item.times is None or not len(item.times):
        return item
    times = np.asarray(item.times, float)
    low, high = np.minimum.reduce(times), np.maximum.reduce(times)
    if CLOCK[0] < low < high < CLOCK[1]:
        return item
    if not np.isfinite(high - low) or (len(times) > 1 and low == high):
        return replace(item, times=None)
    for factor in (1e3, 1e-3, 1e-6, 1e-9):
        if not CLOCK[0] <= times[0] <= CLOCK[1] and CLOCK[0] <= np.median(times) * factor <= CLOCK[1]:
            notes.add("Times were logged in another unit than MLflow's; they were read as moments of our time.")
            return replace(item, times=times * factor)
    return replace(item, times=times)


def _moments_as_times(item: LoggedSeries, notes: Notes) -> LoggedSeries:
    """Rows numbered in order where the steps are moments in time."""
    steps = item.steps
    if steps is None or not len(steps):
        return item
    low = float(np.minimum.reduce(steps))
    if not low >= MOMENTS_FROM or not np.ptp(steps) <= 0.2 * low:  # NaN is no moment
        return item
    moments = np.asarray(steps, float)
    seconds = next((moments * f for f in (1.0, 1e-3, 1e-6, 1e-9) if CLOCK[0] <= low * f <= CLOCK[1]), None)
    if seconds is None or (item.times is not None and np.median(np.abs(seconds - item.times)) > A_WEEK):
        return item  # tokens, perhaps
    notes.add(MOMENTS, item.name)
    numbered = np.empty(len(moments))
    numbered[np.argsort(moments, kind="stable")] = np.arange(len(moments))
    return replace(item, steps=numbered, times=seconds if item.times is None else item.times)
