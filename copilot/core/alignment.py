"""From logged series to curves on one axis: order, doubles, non-finite values, and differing grids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

HUGE = 1e100  # SQL stores hand infinity back as the largest float; nothing that trains comes near this
EPOCH_NAMES = ("epoch", "epochs", "train/epoch", "trainer/epoch")
MANY_A_STEP = 3  # from this many rows a step on, they are averaged: batches that were logged under their epoch
NO_EPOCH = "Rows of {} without an epoch were dropped."
ONE_STEP = "Logged at a single step, so that the order in time is used as the epoch: {}."
ONE_TIME = "Several values of {} were logged in one moment, so that their order may not be that of logging."
IN_ORDER = "Logged at different steps for training and validation, so that they were matched in order: {}."
AVERAGED = "Several rows of one epoch were averaged in {}."
PER_BATCH_FROM = 10  # this many training rows per validation row mean that training was logged per batch


class Notes:
    """What was repaired, for people: one line a kind of repair, with the names of the series that had it."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._names: dict[str, list[str]] = {line: [] for line in lines}

    def add(self, text: str, name: str | None = None) -> None:
        """Note a repair; ``{}`` in `text` stands for the names that it was done to."""
        names = self._names.setdefault(text, [])
        if name is not None and name not in names:
            names.append(name)

    def said(self, text: str) -> bool:
        """Whether this kind of repair was noted."""
        return text in self._names

    def lines(self) -> tuple[str, ...]:
        return tuple(text.replace("{}", _listed(names), 1) if names else text for text, names in self._names.items())


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else names[:3]
    rest = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(f"'{name}'" for name in shown) + rest


@dataclass(frozen=True)
class Curve:
    """A cleaned series: `steps` ascending and unique, `bad` where NaN or an infinity was logged (value NaN).

    `logged` holds the steps as they were logged, where `steps` are something else (epochs).
    """

    steps: np.ndarray
    values: np.ndarray
    bad: np.ndarray
    times: np.ndarray | None = None
    logged: np.ndarray | None = None

    def at(self, rows: np.ndarray, steps: np.ndarray) -> Curve:
        """Some of the rows, on other `steps`; those that were logged are kept beside them."""
        logged = self.steps if self.logged is None else self.logged
        times = None if self.times is None else self.times[rows]
        return Curve(steps, self.values[rows], self.bad[rows], times, logged[rows])

    def scaled(self, factor: float) -> Curve:
        return replace(self, values=self.values * factor)

    def on(self, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and bad marks on `epochs`, which hold all of `steps`; NaN where there is none."""
        if self.steps is epochs:
            return self.values, self.bad
        values, bad = np.full(len(epochs), np.nan), np.zeros(len(epochs), bool)
        at = np.searchsorted(epochs, self.steps)
        values[at], bad[at] = self.values, self.bad
        return values, bad


EMPTY = Curve(np.zeros(0), np.zeros(0), np.zeros(0, bool))


def clean_series(
    name: str,
    values: np.ndarray,
    steps: np.ndarray | None,
    times: np.ndarray | None,
    notes: Notes,
    *,
    to_epochs: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Curve:
    """Order a logged series, drop repeated rows and mark values that are not finite; say so in `notes`.

    With `to_epochs`, steps become epochs, and the several rows of one epoch are averaged.
    """
    values = np.asarray(values, float)
    steps = np.arange(len(values), dtype=float) if steps is None else np.asarray(steps, float)
    times = None if times is None else np.asarray(times, float)
    if several := not _ascending(steps):
        steps, values, times = _ordered(name, steps, values, times, notes)
    if not len(steps):
        return EMPTY
    if np.minimum.reduce(values) > -HUGE and np.maximum.reduce(values) < HUGE:  # NaN fails
        bad = np.zeros(len(values), bool)
    else:
        bad = ~np.isfinite(values) | (np.abs(values) >= HUGE)
        notes.add(f"NaN or infinite values at {int(bad.sum())} of {len(bad)} points of {{}}.", name)
        values = np.where(bad, np.nan, values)
    curve = Curve(steps, values, bad, times)
    if several and not _ascending(steps):
        notes.add(AVERAGED, name)
        grid = np.unique(steps)
        curve = replace(bucket_means(curve, grid, np.searchsorted(grid, steps)), logged=None)
    return _on_epochs(name, curve, to_epochs(curve.steps), notes) if to_epochs else curve


def _ascending(steps: np.ndarray) -> bool:
    if not len(steps):
        return True
    return bool(-np.inf < steps[0] and steps[-1] < np.inf and np.logical_and.reduce(steps[1:] > steps[:-1]))


def _ordered(
    name: str, steps: np.ndarray, values: np.ndarray, times: np.ndarray | None, notes: Notes
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Rows by step, then time; each step once, unless most have many rows."""
    placed = np.isfinite(steps)
    if not placed.all():
        notes.add(NO_EPOCH, name)
        steps, values, times = steps[placed], values[placed], None if times is None else times[placed]
    if not len(steps):
        return steps, values, times
    steps = _steps_from_times(name, steps, values, times, notes)
    if _ascending(steps):
        return steps, values, times
    order = np.lexsort((np.arange(len(steps)) if times is None else times, steps))
    distinct = 1 + np.count_nonzero(np.diff(steps[order]))
    if distinct == 1 or len(steps) < MANY_A_STEP * distinct:
        order = order[_one_a_step(name, steps[order], values[order], notes)]
    return steps[order], values[order], None if times is None else times[order]


def _one_a_step(name: str, steps: np.ndarray, values: np.ndarray, notes: Notes) -> np.ndarray:
    """Which of the ordered rows to keep so that each step is there once."""
    changes = steps[1:] != steps[:-1]
    first, last = np.append(True, changes)[: len(steps)], np.append(changes, True)[: len(steps)]
    if first.all():
        return first
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    if np.all(first[1:] | same):
        notes.add("Rows logged twice in {} were dropped.", name)
    elif steps[0] < steps[-1] and np.all(first | (steps == steps[-1])):
        # Trainers score the best weights once more at the end, under the last step.
        notes.add("The last step of {} was logged again; its first value was kept.", name)
        return first
    else:
        notes.add("Repeated steps in {}; the last value of each was kept.", name)
    return last


def _on_epochs(name: str, curve: Curve, epochs: np.ndarray, notes: Notes) -> Curve:
    moved = Curve(epochs, curve.values, curve.bad, curve.times, curve.steps)
    if _ascending(epochs):
        return moved
    grid = np.unique(epochs)
    notes.add(AVERAGED, name)
    return bucket_means(moved, grid, np.searchsorted(grid, epochs))


def _steps_from_times(
    name: str, steps: np.ndarray, values: np.ndarray, times: np.ndarray | None, notes: Notes
) -> np.ndarray:
    """Number the rows by time where every one was logged at the same step (Keras autologging does that)."""
    if len(steps) < 2 or times is None or steps[0] != steps[-1] or not np.logical_and.reduce(steps == steps[0]):
        return steps
    if np.logical_and.reduce(times == times[0]) or (len(steps) == 2 and values[0] == values[1]):
        return steps
    notes.add(ONE_STEP, name)
    if _ascending(times):
        return np.arange(len(steps), dtype=float)
    order = np.argsort(times, kind="stable")
    # A row that has both time and value of the one before is that row, logged again with a model.
    at, value = times[order], values[order]
    new = (at[1:] != at[:-1]) | (value[1:] != value[:-1])
    if np.any(new & (at[1:] == at[:-1])):  # servers sort such rows by their value
        notes.add(ONE_TIME, name)
    numbered = np.zeros(len(steps))
    numbered[order[1:]] = np.cumsum(new)
    return numbered


def align_pair(quantity: str, train: Curve | None, val: Curve | None, notes: Notes) -> tuple[Curve, Curve]:
    """Bring the training curve onto the validation curve's grid where the two were logged at different steps."""
    train, val = train or EMPTY, val or EMPTY
    if train.steps is val.steps or len(train.steps) < 2 or len(val.steps) < 2:
        return train, val
    if _counted_from_elsewhere(train, val):
        return _in_order(quantity, train, val, notes)
    near = np.minimum(np.searchsorted(train.steps, val.steps), len(train.steps) - 1)
    shared = (train.steps[near] == val.steps).mean()
    if shared >= 0.8 and len(train.steps) <= PER_BATCH_FROM * len(val.steps):
        return train, val
    if len(train.steps) == len(val.steps):
        return _in_order(quantity, train, val, notes) if shared < 0.8 else (train, val)
    if len(train.steps) < len(val.steps):
        return train, val
    notes.add("Logged more often for training, so that it was averaged between validation epochs: {}.", quantity)
    return bucket_means(train, val.steps, np.searchsorted(val.steps, train.steps)), val


def _counted_from_elsewhere(train: Curve, val: Curve) -> bool:
    """Whether one side counts epochs from 0 and the other from 1: alike but for a shift that the times deny."""
    if len(train.steps) != len(val.steps) or train.times is None or val.times is None:
        return False
    shift = val.steps - train.steps
    if shift[0] == 0 or np.any(shift != shift[0]) or np.any(np.diff(train.times) <= 0):
        return False
    apart = np.abs(val.times - train.times)
    return bool(np.median(apart) < 0.5 * np.median(np.diff(train.times)))


def _in_order(quantity: str, train: Curve, val: Curve, notes: Notes) -> tuple[Curve, Curve]:
    """Both on the validation's steps; on those of training where these count epochs and the others something larger."""
    notes.add(IN_ORDER, quantity)
    rows = np.arange(len(train.steps))
    if np.ptp(val.steps) > 2 * np.ptp(train.steps):
        return train, val.at(rows, train.steps)
    return train.at(rows, val.steps), val


def bucket_means(curve: Curve, grid: np.ndarray, slot: np.ndarray) -> Curve:
    """Mean of the rows of `curve` that share a `slot`, the ascending index of a point of `grid`; later ones go."""
    inside = slot < len(grid)
    logged = (curve.steps if curve.logged is None else curve.logged)[inside]
    times = None if curve.times is None else curve.times[inside]
    slot, values, bad = slot[inside], curve.values[inside], curve.bad[inside]
    finite = np.isfinite(values)
    count = np.bincount(slot[finite], minlength=len(grid))
    total = np.bincount(slot[finite], weights=values[finite], minlength=len(grid))
    has_bad = np.bincount(slot[bad], minlength=len(grid)) > 0
    used = (count > 0) | has_bad
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, total / count, np.nan)
    at = np.searchsorted(slot, np.flatnonzero(used), side="right") - 1  # the last row of each
    return Curve(
        grid[used], means[used], (has_bad & (count == 0))[used], None if times is None else times[at], logged[at]
    )
