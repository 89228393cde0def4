"""Steps that begin again: a run that was resumed, several trainings in one run, the batch in the epoch as step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copilot.core.alignment import HUGE, Notes
from copilot.core.pairs import LoggedSeries

FEW_RESTARTS = 5
SCRATCH = "Begun again from scratch, so that only the last attempt is used: {}."


def numbered_on(items: Sequence[LoggedSeries], notes: Notes) -> list[LoggedSeries]:
    """Series whose steps go up: those of a restarted run numbered on, or only its last attempt."""
    if not any(map(_comes_back, items)):
        return list(items)
    return _restarts([_numbered_cycles(item, notes) for item in items], notes)


def _comes_back(item: LoggedSeries) -> bool:
    """Whether some steps, but not all rows, share a step: a restart logs steps again."""
    steps = item.steps
    if steps is None or len(steps) < 4 or np.minimum.reduce(steps) == np.maximum.reduce(steps):
        return False
    ordered = np.sort(steps)
    return not np.logical_and.reduce(ordered[1:] > ordered[:-1])


def _numbered_cycles(item: LoggedSeries, notes: Notes) -> LoggedSeries:
    """Rows numbered in order where the steps begin again each epoch (the batch in the epoch).

    Where the values begin again too, these are several trainings in one run: the last is kept.
    """
    if item.steps is None or len(item.steps) < 2 * FEW_RESTARTS or np.all(item.steps[1:] >= item.steps[:-1]):
        return item
    order = _logging_order(item)
    steps, values = _steps_of(item)[order], np.asarray(item.values, float)[order]
    change = np.diff(steps)
    turns = np.flatnonzero(change < 0) + 1
    if len(turns) <= FEW_RESTARTS or np.any(change == 0) or np.any(steps[turns] != steps[0]):
        return item
    bounds = [0, *turns.tolist(), len(steps)]
    votes = [_goes_on(values[a:b], values[b:c]) for a, b, c in zip(bounds, bounds[1:], bounds[2:], strict=False)]
    if votes.count(False) > votes.count(True):
        notes.add(SCRATCH, item.name)
        keep = np.zeros(len(steps), bool)
        keep[order[turns[-1] :]] = True
        return rows_of(item, keep)
    notes.add("Steps of {} begin again each epoch, so that its rows were numbered in order.", item.name)
    numbered = np.empty(len(steps))
    numbered[order] = np.arange(len(steps))
    return replace(item, steps=numbered)


@dataclass(frozen=True)
class _Restart:
    """Where, in the order of logging, a series begins again: its row, time, and what the values say of it."""

    item: LoggedSeries
    order: np.ndarray
    begun: int  # where the stretch before it begins
    row: int
    goes_on: bool | None

    @property
    def time(self) -> float | None:
        """Half-way between the rows around it, for series that were logged a little before or after this one."""
        at = self.item.times
        return None if at is None else float(at[self.order[[self.row - 1, self.row]]].mean())

    @property
    def offset(self) -> float:
        """Steps that the stretch before it took."""
        steps = np.unique(_steps_of(self.item)[self.order[self.begun : self.row]])
        return float(steps[-1] - steps[0] + (np.median(np.diff(steps)) if len(steps) > 1 else 1.0))


def _restarts(items: list[LoggedSeries], notes: Notes) -> list[LoggedSeries]:
    for _ in range(FEW_RESTARTS):
        found = [r for r in map(_last_restart, items) if r]
        if not found:
            break
        votes = [r.goes_on for r in found if r.goes_on is not None]
        goes_on = sum(votes) * 2 > len(votes)
        densest = max(found, key=lambda r: r.row - r.begun)
        offset = densest.offset
        at = {id(r.item): r for r in found}
        items = [_mend_restart(i, at.get(id(i)), densest.time, offset if goes_on else None, notes) for i in items]
    return [_without_abandoned(item, notes) for item in items]


def _steps_of(item: LoggedSeries) -> np.ndarray:
    return np.arange(len(item.values), dtype=float) if item.steps is None else np.asarray(item.steps, float)


def _logging_order(item: LoggedSeries) -> np.ndarray:
    rows = np.arange(len(item.values))
    return rows if item.times is None else np.lexsort((rows, item.times))


def _turns(item: LoggedSeries) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Order of logging, steps in it, and the rows at which these go back; None where they never do, or all the time."""
    steps = item.steps
    if steps is None or len(steps) < 4 or (np.all(steps[1:] > steps[:-1]) and item.times is None):
        return None
    order = _logging_order(item)
    steps = _steps_of(item)[order]
    turns = np.flatnonzero(np.diff(steps) < 0) + 1
    return (order, steps, turns) if 0 < len(turns) <= FEW_RESTARTS else None


def _last_restart(item: LoggedSeries) -> _Restart | None:
    found = _turns(item)
    if found is None:
        return None
    order, steps, turns = found
    values = np.asarray(item.values, float)[order]
    for i in range(len(turns) - 1, -1, -1):
        row, begun = int(turns[i]), int(turns[i - 1]) if i else 0
        if row - begun < 2 or len(steps) - row < 2 or steps[row] > steps[:row].min() or np.ptp(steps[:row]) == 0:
            continue
        if _repeats(steps, values, row):
            return None
        return _Restart(item, order, begun, row, _goes_on(values[begun:row], values[row:]))
    return None


def _repeats(steps: np.ndarray, values: np.ndarray, row: int) -> bool:
    """Whether the rows from `row` on say again what was said before: rows logged twice, no restart."""
    before = dict(zip(steps[:row].tolist(), values[:row].tolist(), strict=True))
    again = [(before[s], v) for s, v in zip(steps[row:].tolist(), values[row:].tolist(), strict=True) if s in before]
    return all(old == new or (old != old and new != new) for old, new in again)


def _goes_on(before: np.ndarray, after: np.ndarray) -> bool | None:
    """Whether values begin again near where they stood (True) or near where they started (False)."""
    before, after = before[np.abs(before) < HUGE], after[np.abs(after) < HUGE]  # NaN fails
    if len(before) < 2 or not len(after) or before[0] == before[-1]:
        return None
    return bool(abs(after[0] - np.median(before[-3:])) < abs(after[0] - before[0]))


def _mend_restart(
    item: LoggedSeries, own: _Restart | None, time: float | None, offset: float | None, notes: Notes
) -> LoggedSeries:
    """Later rows `offset` steps further; without it the earlier rows, an attempt that was given up, are dropped."""
    if own is None and (time is None or item.times is None or item.steps is None):
        return item
    later = np.zeros(len(item.values), bool)
    if own is not None:
        later[own.order[own.row :]] = True
    else:
        later = item.times >= time
        if later.all() or not later.any() or _steps_of(item)[later].min() > _steps_of(item)[~later].max():
            return item  # it did not begin again itself
    if offset is None:
        notes.add(SCRATCH, item.name)
        return rows_of(item, later)
    if own is not None and not 0.5 * offset <= own.offset <= 2 * offset:
        offset = own.offset  # it counts something else than the series with most rows
    notes.add("Steps began again after a restart where training went on, so that they were numbered on: {}.", item.name)
    return replace(item, steps=_steps_of(item) + np.where(later, offset, 0.0))


def _without_abandoned(item: LoggedSeries, notes: Notes) -> LoggedSeries:
    """Without rows past the end of a run that was resumed from an earlier step and then stopped sooner."""
    found = _turns(item)
    if found is None:
        return item
    order, steps, turns = found
    row = turns[-1]
    tail = steps[row:]
    repeated = np.isin(tail, steps[:row]).sum()
    past = np.flatnonzero(steps[:row] > tail.max())
    if len(tail) < 2 or repeated < 2 or not len(past) or np.any(np.diff(tail) <= 0):
        return item
    if _repeats(steps, np.asarray(item.values, float)[order], row):
        return item
    notes.add("Resumed from an earlier step, so that the rows given up by it were dropped in {}.", item.name)
    keep = np.ones(len(steps), bool)
    keep[order[past]] = False
    return rows_of(item, keep)


def rows_of(item: LoggedSeries, keep: np.ndarray) -> LoggedSeries:
    """Some rows of a series."""
    steps = None if item.steps is None else item.steps[keep]
    return replace(item, values=item.values[keep], steps=steps, times=None if item.times is None else item.times[keep])
