"""From logged series to curves on one axis: order, doubles, non-finite values, and differing grids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

HUGE = 1e100  # SQL stores hand infinity back as the largest float; nothing that trains comes near this
EPOCH_NAMES = ("epoch", "epochs", "train/epoch", "trainer/epoch")
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

    def lines(self) -> tuple[str, ...]:
        return tuple(text.replace("{}", _listed(names), 1) if names else text for text, names in self._names.items())


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else names[:3]
    rest = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(f"'{name}'" for name in shown) + rest


@dataclass(frozen=True)
class Curve:
    """A cleaned series: `steps` ascending and unique, `bad` where NaN or an infinity was logged (value NaN)."""

    steps: np.ndarray
    values: np.ndarray
    bad: np.ndarray
    times: np.ndarray | None = None

    def scaled(self, factor: float) -> Curve:
        return replace(self, values=self.values * factor)

    def on(self, epochs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and bad marks on `epochs`, which hold all of `steps`; NaN where there is none."""
        values, bad = np.full(len(epochs), np.nan), np.zeros(len(epochs), bool)
        at = np.searchsorted(epochs, self.steps)
        values[at], bad[at] = self.values, self.bad
        return values, bad


EMPTY = Curve(np.zeros(0), np.zeros(0), np.zeros(0, bool))


@dataclass(frozen=True)
class EpochAxis:
    """A logged ``epoch`` metric that says which epoch each global step belongs to."""

    name: str
    steps: np.ndarray
    epochs: np.ndarray

    def map_steps(self, steps: np.ndarray) -> np.ndarray:
        """Epochs of `steps`, interpolated between the logged ones."""
        return np.interp(steps, self.steps, self.epochs)


def epoch_axis(series: list[tuple[str, np.ndarray | None, np.ndarray]]) -> EpochAxis | None:
    """The logged ``epoch`` metric, if steps count something else (Lightning and Hugging Face log so)."""
    for name, steps, values in series:
        if name.lower() not in EPOCH_NAMES or steps is None or len(values) < 2:
            continue
        order = np.argsort(steps, kind="stable")
        steps, values = np.asarray(steps, float)[order], np.asarray(values, float)[order]
        rises = np.all(np.diff(values) >= 0) and values[-1] > values[0]
        if (
            np.isfinite(values).all()
            and rises
            and np.all(np.diff(steps) >= 0)
            and steps[-1] > steps[0]
            and not np.allclose(steps, values)
        ):
            return EpochAxis(name, steps, values)
    return None


def clean_series(
    name: str,
    values: np.ndarray,
    steps: np.ndarray | None,
    times: np.ndarray | None,
    notes: Notes,
    *,
    axis: EpochAxis | None = None,
) -> Curve:
    """Order a logged series, drop repeated rows and mark values that are not finite; say so in `notes`.

    With an `axis`, steps become epochs, and the several rows of one epoch are averaged.
    """
    values = np.asarray(values, float)
    steps = np.arange(len(values), dtype=float) if steps is None else np.asarray(steps, float)
    times = None if times is None else np.asarray(times, float)
    placed = np.isfinite(steps)
    if not placed.all():
        notes.add("Rows of {} without an epoch were dropped.", name)
        steps, values, times = steps[placed], values[placed], None if times is None else times[placed]
    if not len(steps):
        return EMPTY
    steps = _steps_from_times(name, steps, times, notes)
    order = np.lexsort((np.arange(len(steps)) if times is None else times, steps))
    order = order[_one_a_step(name, steps[order], values[order], notes)]
    steps, values = steps[order], values[order]
    times = None if times is None else times[order]
    bad = ~np.isfinite(values) | (np.abs(values) >= HUGE)
    if bad.any():
        notes.add(f"NaN or infinite values at {int(bad.sum())} of {len(bad)} points of {{}}.", name)
    curve = Curve(steps, np.where(bad, np.nan, values), bad, times)
    return _on_epochs(name, curve, axis, notes) if axis else curve


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


def _on_epochs(name: str, curve: Curve, axis: EpochAxis, notes: Notes) -> Curve:
    epochs = axis.map_steps(curve.steps)
    grid = np.unique(epochs)
    if len(grid) == len(epochs):
        return replace(curve, steps=epochs)
    notes.add("Several rows of one epoch were averaged in {}.", name)
    return _bucket_means(replace(curve, steps=epochs), grid)


def _steps_from_times(name: str, steps: np.ndarray, times: np.ndarray | None, notes: Notes) -> np.ndarray:
    """Number the rows by time where every one was logged at the same step (Keras autologging does that)."""
    stuck = len(steps) > 2 and np.all(steps == steps[0])
    if not stuck or times is None or np.all(times == times[0]):
        return steps
    notes.add("Logged at a single step, so that the order in time is used as the epoch: {}.", name)
    numbered = np.empty(len(steps))
    numbered[np.argsort(times, kind="stable")] = np.arange(len(steps))
    return numbered


def align_pair(quantity: str, train: Curve | None, val: Curve | None, notes: Notes) -> tuple[Curve, Curve]:
    """Bring the training curve onto the validation curve's grid where the two were logged at different steps."""
    train, val = train or EMPTY, val or EMPTY
    if len(train.steps) < 2 or len(val.steps) < 2:
        return train, val
    shared = np.isin(val.steps, train.steps).mean()
    if shared >= 0.8 and len(train.steps) <= PER_BATCH_FROM * len(val.steps):
        return train, val
    if len(train.steps) == len(val.steps):
        if shared < 0.8:
            notes.add(
                "Logged at different steps for training and validation, so that they were matched in order: {}.",
                quantity,
            )
            return replace(train, steps=val.steps), val
        return train, val
    if len(train.steps) < len(val.steps):
        return train, val
    notes.add("Logged more often for training, so that it was averaged between validation epochs: {}.", quantity)
    return _bucket_means(train, val.steps), val


def _bucket_means(curve: Curve, grid: np.ndarray) -> Curve:
    """Mean of `curve` over each stretch that ends at a point of `grid`."""
    slot = np.searchsorted(grid, curve.steps)
    inside = slot < len(grid)
    slot, values, bad = slot[inside], curve.values[inside], curve.bad[inside]
    finite = np.isfinite(values)
    count = np.bincount(slot[finite], minlength=len(grid))
    total = np.bincount(slot[finite], weights=values[finite], minlength=len(grid))
    has_bad = np.bincount(slot[bad], minlength=len(grid)) > 0
    used = (count > 0) | has_bad
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, total / count, np.nan)
    times = None if curve.times is None else np.interp(grid, curve.steps, curve.times)[used]
    return Curve(grid[used], means[used], (has_bad & (count == 0))[used], times)
