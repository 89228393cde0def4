"""Which series stands for training and which for validation of a quantity, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from copilot.core.alignment import Curve, Notes
from copilot.core.clocks import AxisUsed, Named
from copilot.core.conventions import LAST_SET_COUNTS
from copilot.core.naming import LeftOut, MetricName

Sides = dict[str, Named]
_TASKS = ({"binary"}, {"multiclass", "categorical", "sparse"})  # heads of a model that have the same measures


@dataclass
class Trace:
    """What was done with each logged name; `explanation.explain` says it for people.

    `read` holds name, number of rows and reading; `left` the reason for names that were read and not used.
    """

    read: list[tuple[str, int, MetricName | LeftOut]] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    axis: AxisUsed | None = None


def choose_sides(named: Sequence[Named], notes: Notes, trace: Trace) -> dict[str, Sides]:
    """For each quantity, the series that stands for train and the one that stands for validation."""
    by_quantity: dict[str, dict[str, list[Named]]] = {}
    for metric, curve in named:
        by_quantity.setdefault(metric.quantity, {}).setdefault(metric.split, []).append((metric, curve))
    has_named_train = any(m.split == "train" and len(c.values) > 1 for m, c in named)
    chosen = {}
    for quantity, splits in by_quantity.items():
        if sides := _sides(splits, has_named_train, notes, trace):
            chosen[quantity] = sides
    return chosen


def _sides(splits: dict[str, list[Named]], has_named_train: bool, notes: Notes, trace: Trace) -> Sides:
    train, val, test = (splits.get(split, []) for split in ("train", "val", "test"))
    unsplit = splits.get("unknown", [])
    if len(val) > 1 and any(m.implied for m, _ in val) and not all(m.implied for m, _ in val):
        unsplit = unsplit + [n for n in val if n[0].implied]  # `metrics/accuracy` beside `metrics/val_accuracy`
        val = [n for n in val if not n[0].implied]
    if unsplit and not val and not test and has_named_train:
        why = "The name does not say whether it is training or validation."
        for metric, _ in unsplit:
            trace.left[metric.name] = why
        notes.add("Left out, for the name does not say whether it is training or validation: {}.", unsplit[0][0].name)
        unsplit = []
    val = _validation(val, test, notes, trace)
    return _pick(
        _first_set(train + unsplit, notes, trace), _first_set(val, notes, trace), has_named_train, notes, trace
    )


def _validation(val: list[Named], test: list[Named], notes: Notes, trace: Trace) -> list[Named]:
    """The validation series, or those of the test set where only they are curves."""
    serves = test and not (val and (_has_curve(val) or not _has_curve(test)))
    for metric, _ in val if serves else test:
        why = (
            "It is a single value; the test set has a curve." if serves else "Validation was logged; test is not used."
        )
        trace.left[metric.name] = why
    return test if serves else val


def _has_curve(candidates: list[Named]) -> bool:
    return any(len(curve.values) > 1 for _, curve in candidates)


def _first_set(candidates: list[Named], notes: Notes, trace: Trace) -> list[Named]:
    """Series of one evaluation set: that without a number, else the first, or for XGBoost the last."""
    numbers = {m.dataset for m, _ in candidates}
    if len(numbers) < 2:
        return candidates
    last = all(LAST_SET_COUNTS.match(m.name) for m, _ in candidates)
    kept = (max if last else min)(numbers, key=lambda n: -1 if n is None else n)
    used = next(m.name for m, _ in candidates if m.dataset == kept)
    for metric, _ in candidates:
        if metric.dataset != kept:
            trace.left[metric.name] = f"Another evaluation set than that of '{used}'."
            notes.add(f"Another evaluation set than that of '{used}', not mixed with it: {{}}.", metric.name)
    return [n for n in candidates if n[0].dataset == kept]


def _pick(train: list[Named], val: list[Named], has_named_train: bool, notes: Notes, trace: Trace) -> Sides:
    """The best series of each side: curves before single values, rows per epoch before rows per batch, alike names."""
    if len(train) > 1 or len(val) > 1:
        train, val = _best(train, val, notes, trace)
    if train and val and _other_tasks(train[0][0], val[0][0]):
        why = f"Not the same measure as '{val[0][0].name}'."
        trace.left[train[0][0].name] = why
        notes.add(f"Not paired with '{val[0][0].name}', for it is another measure: {{}}.", train[0][0].name)
        train = []
    sides: Sides = {}
    if train:
        sides["train"] = train[0]
        if train[0][0].split == "unknown" or train[0][0].implied:
            trace.taken[train[0][0].name] = "The name says no split; taken as training" + (
                ", for validation of it was logged." if val else "."
            )
            if val and has_named_train:
                notes.add(
                    "Taken as training, for validation of it was logged and its name says no split: {}.",
                    train[0][0].name,
                )
    if val:
        sides["val"] = val[0]
        _say_what_serves(val[0], notes, trace)
    return sides


def _say_what_serves(val: Named, notes: Notes, trace: Trace) -> None:
    metric, curve = val
    if metric.split == "test":
        trace.taken[metric.name] = "No validation series was logged; the test set serves as it."
        if len(curve.values) > 1:
            notes.add("Serves as validation, for no validation series was logged: {}.", metric.name)
    elif metric.implied:
        trace.taken[metric.name] = "The name says no split; trainers log it when they evaluate."


def _best(train: list[Named], val: list[Named], notes: Notes, trace: Trace) -> tuple[list[Named], list[Named]]:
    pairs = [(t, v) for t in train or [None] for v in val or [None]]
    best = min(pairs, key=lambda pair: _order(*pair))
    for used, candidates in zip(best, (train, val), strict=True):
        for metric, curve in candidates:
            if used is not None and metric is not used[0]:
                trace.left[metric.name] = _why_worse(metric, curve, used)
                notes.add(f"'{used[0].name}' was used; not used for the same quantity: {{}}.", metric.name)
    return [best[0]] if best[0] else [], [best[1]] if best[1] else []


def _order(train: Named | None, val: Named | None) -> tuple:
    both = [n for n in (train, val) if n]
    return (
        sum(len(c.values) < 2 for _, c in both),
        sum(m.rank for m, _ in both),
        bool(train and val) and train[0].stem != val[0].stem,
        bool(train) and train[0].split != "train",
        [-len(c.values) for _, c in both],
        [len(m.name) for m, _ in both],
    )


def _why_worse(metric: MetricName, curve: Curve, used: Named) -> str:
    if len(curve.values) < 2 <= len(used[1].values):
        return f"A single value; '{used[0].name}' is a curve."
    if metric.rank > used[0].rank:
        return f"Logged within epochs; '{used[0].name}' is per epoch."
    return f"It says the same as '{used[0].name}', which fits better."


def _other_tasks(train: MetricName, val: MetricName) -> bool:
    """Whether one name is of a binary head and the other of one with many classes."""
    a, b = ([i for i, task in enumerate(_TASKS) if task.intersection(m.stem)] for m in (train, val))
    return bool(a and b and a != b)
