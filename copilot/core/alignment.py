"""From logged series to curves on one axis: order, doubles, non-finite values, and differing grids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

HUGE = 1e300  # SQL stores hand infinity back as the largest float
PER_BATCH_FROM = 10  # this many training rows per validation row mean that training was logged per batch


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
        if name.lower() not in ("epoch", "epochs", "train/epoch", "trainer/epoch") or steps is None or len(values) < 2:
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
    notes: list[str],
    *,
    axis: EpochAxis | None = None,
) -> Curve:
    """Order a logged series, drop doubled rows and mark values that are not finite; say so in `notes`.

    With an `axis`, steps become epochs, and the several rows of one epoch are averaged.
    """
    values = np.asarray(values, float)
    steps = np.arange(len(values), dtype=float) if steps is None else np.asarray(steps, float)
    times = None if times is None else np.asarray(times, float)
    steps = _steps_from_times(name, steps, times, notes)
    order = np.lexsort((np.arange(len(steps)) if times is None else times, steps))
    steps, values = steps[order], values[order]
    times = None if times is None else times[order]
    last = np.append(steps[1:] != steps[:-1], True)
    if not last.all():
        notes.append(f"'{name}' has {int((~last).sum())} repeated rows; the last value of each epoch was kept.")
    steps, values = steps[last], values[last]
    times = None if times is None else times[last]
    bad = ~np.isfinite(values) | (np.abs(values) >= HUGE)
    if bad.any():
        notes.append(f"'{name}' is NaN or infinite at {int(bad.sum())} of {len(bad)} epochs.")
    curve = Curve(steps, np.where(bad, np.nan, values), bad, times)
    return _on_epochs(name, curve, axis, notes) if axis else curve


def _on_epochs(name: str, curve: Curve, axis: EpochAxis, notes: list[str]) -> Curve:
    epochs = axis.map_steps(curve.steps)
    grid = np.unique(epochs)
    if len(grid) == len(epochs):
        return replace(curve, steps=epochs)
    notes.append(f"'{name}' has several rows for one epoch; they were averaged.")
    return _bucket_means(replace(curve, steps=epochs), grid)


def _steps_from_times(name: str, steps: np.ndarray, times: np.ndarray | None, notes: list[str]) -> np.ndarray:
    """Number the rows by time where every one was logged at the same step (Keras autologging does that)."""
    stuck = len(steps) > 2 and np.all(steps == steps[0])
    if not stuck or times is None or np.all(times == times[0]):
        return steps
    notes.append(f"'{name}' was logged at a single step; its order in time is used as the epoch.")
    numbered = np.empty(len(steps))
    numbered[np.argsort(times, kind="stable")] = np.arange(len(steps))
    return numbered


def align_pair(quantity: str, train: Curve | None, val: Curve | None, notes: list[str]) -> tuple[Curve, Curve]:
    """Bring the training curve onto the validation curve's grid where the two were logged at different steps."""
    train, val = train or EMPTY, val or EMPTY
    if len(train.steps) < 2 or len(val.steps) < 2:
        return train, val
    shared = np.isin(val.steps, train.steps).mean()
    if shared >= 0.8 and len(train.steps) <= PER_BATCH_FROM * len(val.steps):
        return train, val
    if len(train.steps) == len(val.steps):
        if shared < 0.8:
            notes.append(
                f"Training and validation {quantity} were logged at different steps; they were matched in order."
            )
            return replace(train, steps=val.steps), val
        return train, val
    if len(train.steps) < len(val.steps):
        return train, val
    notes.append(
        f"Training {quantity} was logged more often than validation; it was averaged between validation epochs."
    )
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
