"""From the series of a run to named curves on one axis: names read, steps mended, epochs mapped, clocks joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from copilot.core.alignment import EPOCH_NAMES, HUGE, ONE_STEP, Curve, Notes, clean_series
from copilot.core.axis import CLOCK, MOMENTS, MOMENTS_FROM, EpochAxis, epoch_axis, mended
from copilot.core.clocks import AxisUsed, Named, on_one_clock
from copilot.core.naming import MetricName, read_metric_name
from copilot.core.pairing import Trace
from copilot.core.pairs import LoggedSeries
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

_cleaned = lru_cache(maxsize=16384)(clean_text)
SAME_STEPS = AxisUsed("step", None, "All series were logged at the same steps.")


@dataclass(frozen=True)
class Gathered:
    """Named curves on one axis, and what was done with each name."""

    named: list[Named]
    trace: Trace


def gather(series: Iterable[LoggedSeries], train: Patterns, val: Patterns, notes: Notes) -> Gathered:
    """Read the names, and bring what is a curve onto one axis; repairs are said in `notes`."""
    trace, known, epochs = Trace(), [], []
    for item in series:
        name = _cleaned(item.name)
        read = read_metric_name(name, train, val)
        trace.read.append((name, len(item.values), read))
        if isinstance(read, MetricName):
            known.append((read, item if item.name == name else replace(item, name=name)))
        elif name.lower() in EPOCH_NAMES and len(item.values) > 1:
            epochs.append(replace(item, name=name))
    named = _as_they_are(known, epochs)
    if named is not None:
        trace.axis = SAME_STEPS
    else:
        named = _repaired(known, epochs, notes, trace)
    return Gathered(named, trace)


def _as_they_are(known: list[tuple[MetricName, LoggedSeries]], epochs: list[LoggedSeries]) -> list[Named] | None:
    """Curves where nothing has to be mended: all at the same ascending steps, all finite. None otherwise."""
    if not known or (steps := known[0][1].steps) is None or len(steps) < 2 or steps.dtype != float:
        return None
    alike = steps.tobytes()
    if not (steps[-1] < MOMENTS_FROM and np.logical_and.reduce(steps[1:] > steps[:-1]) and steps[0] > -MOMENTS_FROM):
        return None  # NaN fails too
    if any(e.steps is None or e.steps.tobytes() != alike or e.values.tobytes() != alike for e in epochs):
        return None
    bad = np.zeros(len(steps), bool)
    named = []
    for metric, item in known:
        values, own, times = item.values, item.steps, item.times
        if own is None or values.dtype != float or (own is not steps and own.tobytes() != alike):
            return None
        low, high = np.minimum.reduce(values), np.maximum.reduce(values)
        if not (low > -HUGE and high < HUGE):  # NaN and the infinities fail
            return None
        if times is not None and not (CLOCK[0] < times[0] <= times[-1] < CLOCK[1] and times[0] != times[-1]):
            return None
        named.append((metric, Curve(steps, values, bad, times)))
    return named


def _repaired(
    known: list[tuple[MetricName, LoggedSeries]], epochs: list[LoggedSeries], notes: Notes, trace: Trace
) -> list[Named]:
    items = mended([item for _, item in known] + epochs, notes)
    axis = epoch_axis([(e.name, e.steps, e.values, e.times) for e in items[len(known) :]])
    named = []
    for (metric, _), item in zip(known, items, strict=False):
        to_epochs = axis.for_series(item) if axis else None
        curve = clean_series(item.name, item.values, item.steps, item.times, notes, to_epochs=to_epochs)
        if len(curve.values):
            named.append((metric, curve))
        else:
            trace.left[metric.name] = "No values were logged."
    if axis and named:
        notes.add("Epochs are taken from {}; steps count something else.", axis.name)
    placed, by_time = on_one_clock(_shared_grids(named), notes, trace.left)
    trace.axis = by_time or _axis_of(axis, placed, notes)
    return placed


def _shared_grids(named: list[Named]) -> list[Named]:
    """Equal steps as one array, so that what follows need not compare them."""
    grids: dict[bytes, np.ndarray] = {}
    shared = []
    for metric, curve in named:
        steps = grids.setdefault(curve.steps.tobytes(), curve.steps)
        same = curve if steps is curve.steps else Curve(steps, curve.values, curve.bad, curve.times, curve.logged)
        shared.append((metric, same))
    return shared


def _axis_of(axis: EpochAxis | None, named: list[Named], notes: Notes) -> AxisUsed:
    if axis:
        return AxisUsed(
            "epoch metric", axis.name, "Steps count something else; this metric says which epoch they are in."
        )
    if notes.said(ONE_STEP):
        return AxisUsed("order", None, "Rows were logged at a single step, so that they are numbered by time.")
    if notes.said(MOMENTS):
        return AxisUsed("order", None, "Steps are moments in time, so that rows are numbered by them.")
    if len({id(c.steps) for _, c in named}) < 2:
        return SAME_STEPS
    return AxisUsed("step", None, "Steps of the series count the same.")
