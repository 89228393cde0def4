"""Runs next to each other: curves on one axis, what they reached, and in which settings they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from copilot.core.comparisons.base import RunGroup, measure
from copilot.core.comparisons.document import (
    Axis,
    Differences,
    Differing,
    Extremes,
    QuantityBeside,
    RunCurves,
    SideBySide,
)
from copilot.core.comparisons.members import GroupMember
from copilot.core.comparisons.params import as_number, is_identifier
from copilot.core.history import axis_value
from copilot.core.pairs import Pair
from copilot.utils.validators import clean_text

MAX_LOGGED = 2000  # different axis values up to which curves keep exactly what was logged
POINTS = 500  # of the axis where they do not
MAX_NAMES = 300
_UNITS = {"epoch": "epoch", "step": "step", "time": "s"}
_TOLD_TAGS = ("mlflow.source.name", "mlflow.source.git.commit", "mlflow.source.git.branch")


def side_by_side(group: RunGroup, axis: Axis) -> SideBySide:
    """Put the runs of a group next to each other.

    Parameters
    ----------
    group : RunGroup
    axis : {"epoch", "step", "time"}
        ``epoch`` is the axis of the histories, ``step`` the logged one, ``time`` seconds since the run's start. Of
        times no two runs share any, so that curves are interpolated at some of all times; so are those with too many
        different epochs or steps.
    """
    places = [_places(member, axis) for member in group.members]
    validated = Counter(p.quantity for m in group.members for p in m.history.pairs if p.val_points)
    names = dict.fromkeys(p.quantity for m in group.members for p in m.history.pairs)
    names = sorted(names, key=lambda name: (name != group.quantity, -validated[name]))
    made = [_quantity(group, name, places, axis) for name in names]
    return SideBySide(
        axis=axis,
        unit=_UNITS[axis],
        labels=group.labels,
        quantities=tuple(q for q in made if q is not None),
        params=differences([m.params for m in group.members], is_identifier),
        tags=differences([_tags(m.tags) for m in group.members], lambda name: name.startswith("mlflow.")),
        datasets=differences([_datasets(m) for m in group.members]),
        off_axis={
            label: _why_not(axis, member)
            for label, member, place in zip(group.labels, group.members, places, strict=True)
            if place is None
        },
    )


def differences(
    entries: Sequence[Mapping[str, Any]], identifies: Callable[[str], bool] = lambda _: False
) -> Differences:
    """Which of the named values are not the same in all runs; numbers count by value, ``0.1`` as ``0.10``."""
    logged = Counter(name for own in entries for name in own)
    differ, same = [], {}
    for name in sorted(logged, key=lambda name: -logged[name]):
        values = [own.get(name) for own in entries]
        shown = clean_text(name, 100)
        if logged[name] == len(entries) and len(set(map(_by_value, values))) == 1:
            same[shown] = clean_text(values[0])
        else:
            texts = tuple(None if v is None else clean_text(v) for v in values)
            differ.append(Differing(name=shown, values=texts, identifies=identifies(name)))
    differ.sort(key=lambda d: (d.identifies, len(set(d.values) - {None}) < 2))  # those that are only missing later
    kept = dict(list(same.items())[:MAX_NAMES])
    left_out = max(len(differ) - MAX_NAMES, 0) + len(same) - len(kept)
    return Differences(differ=tuple(differ[:MAX_NAMES]), same=kept, left_out=left_out)


def _by_value(value: Any) -> object:
    number = as_number(value)
    return str(value) if number is None else number


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that people set, and the code that ran; not what MLflow and we keep in tags for ourselves."""
    own = ("mlflow.", "copilot.")
    return {name: value for name, value in tags.items() if name in _TOLD_TAGS or not name.startswith(own)}


def _datasets(member: GroupMember) -> dict[str, str]:
    """Input datasets by what they were for, ``digits-train (10811d9e)``."""
    by_context: dict[str, list[str]] = {}
    for context, name, digest in member.datasets:
        by_context.setdefault(context or "input", []).append(f"{name} ({digest})" if digest else name)
    return {context: ", ".join(sorted(set(names))) for context, names in by_context.items()}


def _places(member: GroupMember, axis: Axis) -> np.ndarray | None:
    """Where each epoch of a run lies on the axis, ascending; None where it has no place there."""
    history = member.history
    if not history.n_epochs:
        return None
    if axis == "epoch":
        return history.epochs
    if axis == "step":
        # Without steps of its own, the axis of the history is the one that was logged.
        steps = history.steps
        return history.epochs if steps is None else np.maximum.accumulate(steps)
    times = history.times
    if times is None or not np.isfinite(times).all():
        return None
    first = float(times.min())
    # Curves that were logged before their run began were brought in from elsewhere, with times of their own.
    start = member.started if member.started is not None and member.started <= first else first
    return np.maximum.accumulate(times) - start


def _why_not(axis: Axis, member: GroupMember) -> str:
    if not member.history.n_epochs:
        return "It logged no curves."
    return "It has no times." if axis == "time" else "It has no place on this axis."


def _quantity(group: RunGroup, name: str, places: Sequence[np.ndarray | None], axis: Axis) -> QuantityBeside | None:
    """One quantity in every run that has it; None where no run has a value."""
    pairs = [next((p for p in m.history.pairs if p.quantity == name), None) for m in group.members]
    if not any(p is not None and (p.train_points or p.val_points) for p in pairs):
        return None
    known = [None if p is None else _logged(p) for p in pairs]
    logged = [place[k] for place, k in zip(places, known, strict=True) if place is not None and k is not None]
    common, interpolated = _common_axis(logged, axis)
    rows = zip(group.members, group.labels, pairs, places, strict=True)
    return QuantityBeside(
        quantity=name,
        higher_is_better=next(p.higher_is_better for p in pairs if p is not None),
        axis=tuple(axis_value(round(v, 3) if axis == "time" else v) for v in common.tolist()),
        interpolated=interpolated,
        runs=tuple(_curves(*row, common, interpolated) for row in rows),
    )


def _logged(pair: Pair) -> np.ndarray:
    """Epochs at which either side was logged, be it as NaN."""
    logged = np.isfinite(pair.train) | np.isfinite(pair.val)
    for bad in (pair.bad_train, pair.bad_val):
        logged = logged | bad if bad.size else logged
    return logged


def _common_axis(logged: Sequence[np.ndarray], axis: Axis) -> tuple[np.ndarray, bool]:
    """The axis values of all runs; where they are too many or shared by none, some of them, denser where more are.

    A grid of equal steps would leave a run of a minute a single point beside one of ten hours.
    """
    union = np.unique(np.concatenate([np.zeros(0), *logged]))
    if len(union) <= 1 or (axis != "time" and len(union) <= MAX_LOGGED):
        return union, False
    return union[np.unique(np.linspace(0, len(union) - 1, POINTS).round().astype(int))], True


def _curves(
    member: GroupMember,
    label: str,
    pair: Pair | None,
    place: np.ndarray | None,
    common: np.ndarray,
    interpolated: bool,
) -> RunCurves:
    run_id = None if member.run_id is None else clean_text(member.run_id, 256)
    empty = (None,) * len(common)
    if pair is None:
        return RunCurves(run_id=run_id, label=label, train=empty, val=empty)
    epochs, best_at, gap, gap_end = member.history.epochs, None, np.nan, np.nan
    if pair.val_points:
        _, _, gap, gap_end, _ = measure(member.history, pair)
        best_at = None if place is None else axis_value(round(float(place[pair.best_index]), 3))
    sides = ((pair.train, pair.bad_train), (pair.val, pair.bad_val))
    train, val = (empty if place is None else _on(common, place, *side, interpolated) for side in sides)
    return RunCurves(
        run_id=run_id,
        label=label,
        train=train,
        val=val,
        train_values=_extremes(pair.train, epochs, pair.higher_is_better),
        val_values=_extremes(pair.val, epochs, pair.higher_is_better),
        best_at=best_at,
        gap_at_best=_tidy(gap),
        gap_at_end=_tidy(gap_end),
    )


def _on(
    common: np.ndarray, place: np.ndarray, values: np.ndarray, bad: np.ndarray, interpolated: bool
) -> tuple[float | None, ...]:
    """A curve on the common axis: where it was logged, or on straight lines between, but not across NaN."""
    known = np.isfinite(values)
    made = np.full(len(common), np.nan)
    if not known.any():
        return (None,) * len(common)
    x, y = place[known], values[known]
    if not interpolated:
        made[np.searchsorted(common, x)] = y
        return tuple(None if np.isnan(v) else v for v in made.tolist())
    inside = (common >= x[0]) & (common <= x[-1])
    made[inside] = np.interp(common[inside], x, y)
    if bad.any():
        broken, asked = place[bad], common[inside]
        after = np.searchsorted(x, asked, side="left")
        left, right = x[np.maximum(after - 1, 0)], x[np.minimum(after, len(x) - 1)]
        crossed = np.searchsorted(broken, right, "right") > np.searchsorted(broken, left, "left")
        made[np.flatnonzero(inside)[crossed & ~np.isin(asked, x)]] = np.nan
    return tuple(_tidy(v) for v in made.tolist())


def _extremes(values: np.ndarray, epochs: np.ndarray, higher_is_better: bool) -> Extremes | None:
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return None
    low, high = known[values[known].argmin()], known[values[known].argmax()]
    found = {"best": high if higher_is_better else low, "min": low, "max": high, "last": known[-1]}
    told: dict[str, Any] = {name: _tidy(values[i]) for name, i in found.items()}
    return Extremes(**told, **{f"{name}_epoch": axis_value(epochs[i]) for name, i in found.items()})


def _tidy(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
