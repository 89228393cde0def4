"""Curves whose steps count different things (batches here, epochs there), brought onto one axis by their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from copilot.core.alignment import Curve, Notes, bucket_means
from copilot.core.naming import MetricName

ALIKE = 2.0  # steps whose ranges differ by no more than this factor count the same
APART = 10.0  # without times, ranges this far apart cannot be brought together
UNLIKE = 0.1  # share of the range that steps may be off from what the times say
LINES_UP = 0.8  # share of the axis that must get a value for the times to be believed

Named = tuple[MetricName, Curve]


@dataclass(frozen=True)
class AxisUsed:
    """What the axis of a history is: `kind`, the series it came from, and why."""

    kind: Literal["step", "epoch metric", "time", "order"]
    name: str | None
    why: str


def on_one_clock(named: list[Named], notes: Notes, left: dict[str, str]) -> tuple[list[Named], AxisUsed | None]:
    """Curves on the steps of one of them; what cannot be placed is taken out and explained in `left`."""
    reference = _reference(named)
    if reference is None:
        return named, None
    metric, clock = reference
    result, moved = [], []
    for other, curve in named:
        placed = curve if curve is clock else _placed(other, curve, metric, clock, notes)
        if placed is None:
            why = "Its steps count something else than those of {}, and no times say how they belong together."
            left[other.name] = why.format(f"'{metric.name}'")
            notes.add(
                "Left out, for their steps count something else than the rest and no times tell how: {}.", other.name
            )
            continue
        if placed is not curve and len(curve.steps) > 1:
            moved.append(other.name)
        result.append((other, placed))
    if not moved:
        return result, None
    return result, AxisUsed("time", metric.name, "Steps count different things; times say which rows belong together.")


def _reference(named: list[Named]) -> Named | None:
    """The curve whose steps are the axis: a validation's, or one that counts in larger units (epochs, not batches)."""
    curves = [(m, c) for m, c in named if len(c.steps) > 1]
    val = [(m, c) for m, c in curves if m.split in ("val", "test")]
    if not curves:
        return None
    first = max(val or curves, key=lambda mc: (mc[0].split == "val", -mc[0].rank, len(mc[1].steps)))
    apart = [(m, c) for m, c in curves if _span(c) * ALIKE < _span(first[1]) and _unlike(c, first[1])]
    return min(apart, key=lambda mc: _span(mc[1])) if apart else first


def _span(curve: Curve) -> float:
    n = len(curve.steps)
    return float(curve.steps[-1] - curve.steps[0]) / (n - 1) * n


def _timed(curve: Curve) -> bool:
    return curve.times is not None and len(curve.times) > 1 and float(np.ptp(curve.times)) > 0


def _unlike(curve: Curve, clock: Curve) -> bool | None:
    """Whether the times say that the steps of two curves count different things; None where they say nothing."""
    if not (_timed(curve) and _timed(clock)):
        return None
    for one, other in ((curve, clock), (clock, curve)):
        inside = (one.times >= other.times.min()) & (one.times <= other.times.max())
        if inside.sum() > 1:
            order = np.argsort(other.times, kind="stable")
            said = np.interp(one.times[inside], other.times[order], other.steps[order])
            off = np.median(np.abs(said - one.steps[inside]))
            return bool(off > UNLIKE * max(_span(curve), _span(clock)))
    return None


def _placed(other: MetricName, curve: Curve, metric: MetricName, clock: Curve, notes: Notes) -> Curve | None:
    """`curve` on the steps of `clock`; as it is where they count the same, None where that cannot be told."""
    if curve.steps is clock.steps or np.array_equal(curve.steps, clock.steps):
        return curve
    if len(curve.steps) == 1:
        return _placed_once(other.name, curve, clock, notes)
    ratio = _span(curve) / _span(clock)
    if 1 / ALIKE <= ratio <= ALIKE:
        return curve
    unlike = _unlike(curve, clock)
    if unlike is False:
        return curve
    if unlike:
        moved = _by_time(other, curve, metric, clock)
        if moved is not None:
            notes.add(
                "Steps count something else than those of the axis, so that rows were placed by time: {}.", other.name
            )
            return moved
    far = not 1 / APART < ratio < APART and len(clock.steps) > 2
    return None if far and len(curve.steps) != len(clock.steps) else curve


def _placed_once(name: str, curve: Curve, clock: Curve, notes: Notes) -> Curve:
    """A single value at the step of its time; evaluation at the end is often logged without a step."""
    if curve.times is None or not _timed(clock):
        return curve
    spacing = _span(clock) / len(clock.steps)
    before = int(np.searchsorted(clock.times, curve.times[0], side="right")) - 1
    if before < 0 or abs(clock.steps[before] - curve.steps[0]) <= 1.5 * spacing:
        return curve
    notes.add("Logged once, under a step that is not of its time, so that it was placed by time: {}.", name)
    return curve.at(np.zeros(1, int), clock.steps[before : before + 1])


def _by_time(other: MetricName, curve: Curve, metric: MetricName, clock: Curve) -> Curve | None:
    if np.any(np.diff(clock.times) < 0) or np.any(np.diff(curve.times) < 0):
        return None
    averaged = other.split not in ("val", "test") and len(curve.steps) > len(clock.steps)
    if averaged:
        moved = bucket_means(curve, clock.steps, np.searchsorted(clock.times, curve.times))
    else:
        moved = _nearest(curve, clock)
    expected = min(len(curve.steps), len(clock.steps))
    return moved if len(moved.steps) >= LINES_UP * expected else None


def _nearest(curve: Curve, clock: Curve) -> Curve:
    """Each row at the clock's row nearest in time, one a step: the nearest of those that share one."""
    after = np.clip(np.searchsorted(clock.times, curve.times), 1, len(clock.times) - 1)
    closer = curve.times - clock.times[after - 1] <= clock.times[after] - curve.times
    at = np.where(closer, after - 1, after)
    if len(curve.steps) == len(clock.steps) and len(np.unique(at)) > 1:
        at = np.arange(len(at))
    away = np.abs(curve.times - clock.times[at])
    order = np.lexsort((away, at))
    first = np.append(True, at[order][1:] != at[order][:-1])
    rows = order[first]
    return curve.at(rows, clock.steps[at[rows]])
