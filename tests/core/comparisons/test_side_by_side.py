"""Runs next to each other: values worked out by hand, on every axis, with holes and hostile names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from copilot.core.comparisons.base import GroupMember, RunGroup
from copilot.core.comparisons.document import SideBySide
from copilot.core.comparisons.side_by_side import MAX_LOGGED, POINTS, differences, side_by_side
from copilot.core.history import RunHistory
from copilot.core.pairs import LoggedSeries

NAN = float("nan")


def _run(name: str, *, started: float | None = None, datasets=(), tags=None, run_id=None, **series) -> GroupMember:
    made = RunHistory.from_arrays(name=name, **series)
    return GroupMember(made, run_id or name, name, tags=tags or {}, datasets=datasets, started=started)


def _timed(name: str, values: list[float], times: list[float], started: float | None = None) -> GroupMember:
    steps = np.arange(len(values), dtype=float)
    series = LoggedSeries("val_loss", np.array(values), steps, np.array(times))
    return GroupMember(RunHistory.from_series([series], name=name), name, name, started=started)


def beside(*members: GroupMember, axis="epoch", **options) -> SideBySide:
    return side_by_side(RunGroup(members, **options), axis)


def test_curves_lie_on_the_epochs_of_all_runs_and_holes_stay_empty():
    a = _run("a", epochs=[1, 2, 3], train_loss=[3.0, 2.0, 1.0], val_loss=[3.0, 2.5, 2.75])
    b = _run("b", epochs=[2, 4], train_loss=[2.0, 1.0], val_loss=[2.2, 2.4])
    (loss,) = beside(a, b).quantities
    assert (loss.quantity, loss.higher_is_better, loss.axis, loss.interpolated) == ("loss", False, (1, 2, 3, 4), False)
    assert loss.runs[0].val == (3.0, 2.5, 2.75, None)
    assert loss.runs[1].val == (None, 2.2, None, 2.4)
    assert loss.runs[1].train == (None, 2.0, None, 1.0)


def test_what_a_run_reached_with_the_epochs_and_the_gaps():
    a = _run("a", epochs=[1, 2, 3, 4], train_loss=[3.0, 2.0, 1.0, 0.5], val_loss=[3.0, 2.5, 2.75, 4.0])
    (run, _) = beside(a, a).quantities[0].runs
    val, train = run.val_values, run.train_values
    assert (val.best, val.best_epoch, val.last, val.last_epoch) == (2.5, 2, 4.0, 4)
    assert (val.min, val.min_epoch, val.max, val.max_epoch) == (2.5, 2, 4.0, 4)
    assert (train.best, train.best_epoch, train.max, train.max_epoch) == (0.5, 4, 3.0, 1)
    assert (run.best_at, run.gap_at_best, run.gap_at_end) == (2, 0.5, 3.5)


def test_of_a_score_the_highest_is_best_and_its_gap_is_positive_where_validation_is_worse():
    a = _run("a", train_accuracy=[0.5, 0.8, 1.0], val_accuracy=[0.5, 0.75, 0.7])
    (run, _) = beside(a, a).quantities[0].runs
    assert (run.val_values.best, run.val_values.best_epoch, run.val_values.min) == (0.75, 1, 0.5)
    assert (run.gap_at_best, run.gap_at_end) == (pytest.approx(0.05), pytest.approx(0.3))


def test_time_counts_from_each_runs_start_and_values_lie_on_straight_lines():
    a = _timed("a", [4.0, 3.0, 2.0], [110.0, 120.0, 130.0], started=100.0)
    b = _timed("b", [5.0, 1.0], [1000.0, 1040.0])
    found = beside(a, b, axis="time")
    (loss,) = found.quantities
    assert (found.unit, loss.interpolated, loss.axis) == ("s", True, (0, 10, 20, 30, 40))
    assert [r.best_at for r in loss.runs] == [30, 40]
    assert loss.runs[0].val == (None, 4.0, 3.0, 2.0, None)
    assert loss.runs[1].val == (5.0, 4.0, 3.0, 2.0, 1.0)


def test_a_short_run_keeps_its_points_beside_a_long_one():
    n = 400
    short = _timed("s", list(np.linspace(3, 1, n)), list(np.linspace(0, 60, n)))
    long = _timed("l", list(np.linspace(3, 1, n)), list(np.linspace(0, 36_000, n)))
    (loss,) = beside(short, long, axis="time").quantities
    assert len(loss.axis) == POINTS
    assert sum(v is not None for v in loss.runs[0].val) > 200
    assert list(loss.axis) == sorted(set(loss.axis))


def test_a_run_that_seems_to_start_after_its_values_starts_with_them():
    (loss,) = beside(
        _timed("a", [2.0, 1.0], [50.0, 60.0], started=1e9), _timed("b", [1.0, 1.0], [0.0, 5.0]), axis="time"
    ).quantities
    assert [r.best_at for r in loss.runs] == [10, 0]


def test_runs_without_times_are_named_with_the_reason():
    a, b = _timed("a", [2.0, 1.0], [50.0, 60.0]), _run("b", val_loss=[2.0, 1.0])
    same = _timed("c", [2.0, 1.0], [7.0, 7.0])
    found = beside(a, b, same, axis="time")
    assert found.off_axis == {"b": "It has no times.", "c": "It has no times."}
    runs = found.quantities[0].runs
    assert runs[1].val_values.best == 1.0
    assert (runs[1].best_at, set(runs[1].val)) == (None, {None})
    assert beside(a, b, same).off_axis == {}


def test_lines_are_not_drawn_across_values_that_were_no_numbers():
    a = _timed("a", [4.0, NAN, 2.0, 1.0], [0.0, 10.0, 20.0, 30.0])
    b = _timed("b", [4.0, 4.0, 4.0, 4.0], [0.0, 5.0, 15.0, 25.0])
    (loss,) = beside(a, b, axis="time").quantities
    assert loss.axis == (0, 5, 10, 15, 20, 25, 30)
    assert loss.runs[0].val == (4.0, None, None, None, 2.0, 1.5, 1.0)
    (epochs,) = beside(a, b).quantities
    assert epochs.runs[0].val == (4.0, None, 2.0, 1.0)


def test_of_too_many_different_epochs_some_are_kept():
    n = MAX_LOGGED
    a = _run("a", epochs=np.arange(n) * 2.0, val_loss=np.linspace(3, 1, n))
    b = _run("b", epochs=np.arange(n) * 2.0 + 1, val_loss=np.linspace(3, 1, n))
    (loss,) = beside(a, b).quantities
    assert (loss.interpolated, len(loss.axis)) == (True, POINTS)
    assert loss.runs[0].val_values.best == 1.0
    assert len(beside(a, a).quantities[0].axis) == n


def test_steps_are_taken_where_the_history_has_them():
    a, b = _run("a", val_loss=[3.0, 2.0]), _run("b", val_loss=[3.0, 1.0])
    object.__setattr__(a.history, "steps", np.array([0.0, 500.0]))
    found = beside(a, b, axis="step")
    assert (found.unit, found.quantities[0].axis) == ("step", (0, 1, 500))
    assert [r.best_at for r in found.quantities[0].runs] == [500, 1]


def test_the_groups_quantity_comes_first_and_missing_ones_stay_empty():
    a = _run("a", val_loss=[3.0, 2.0], train_loss=[3.0, 1.0])
    b = _run("b", val_loss=[3.0, 2.0], val_accuracy=[0.1, 0.9])
    found = beside(a, b, wanted="val_acc")
    assert [q.quantity for q in found.quantities] == ["accuracy", "loss"]
    assert found.quantities[0].runs[0].val_values is None
    assert found.quantities[0].runs[0].val == (None, None)
    assert found.quantities[0].runs[1].train_values is None


def test_a_run_without_curves_stands_beside_the_others():
    empty = GroupMember(RunHistory.empty(), "e", "e")
    found = beside(_run("a", val_loss=[3.0, 2.0]), empty)
    assert found.off_axis == {"e": "It logged no curves."}
    assert found.quantities[0].runs[1].val == (None, None)
    assert beside(empty, empty).quantities == ()


def test_parameters_that_differ_come_first_and_names_of_the_run_last():
    found = differences(
        [{"lr": "0.1", "seed": "1", "width": "16", "opt": "sgd"}, {"seed": "2", "lr": "0.10", "width": "32"}],
        lambda name: name == "seed",
    )
    assert [(d.name, d.values, d.identifies) for d in found.differ] == [
        ("width", ("16", "32"), False),
        ("opt", ("sgd", None), False),
        ("seed", ("1", "2"), True),
    ]
    assert found.same == {"lr": "0.1"}
    assert found.left_out == 0


def test_values_are_told_apart_beyond_what_is_shown_and_many_names_are_counted():
    found = differences([{"note": "x" * 999 + "1"}, {"note": "x" * 999 + "2"}])
    assert len(found.differ[0].values[0]) == 200
    many = differences([{f"p{i}": str(i + k) for i in range(1000)} for k in (0, 1)])
    assert (len(many.differ), many.left_out) == (300, 700)


def test_tags_and_data_that_differ():
    tags = {"mlflow.user": "me", "copilot.verdict": "healthy", "mlflow.source.git.commit": "abc", "team": "vision"}
    train = ("training", "digits", "d1")
    a = _run("a", val_loss=[2.0, 1.0], tags=tags, datasets=(train, ("validation", "digits-val", "d9")))
    b = _run("b", val_loss=[2.0, 1.0], tags=tags | {"team": "audio"}, datasets=(("training", "digits", "d2"), train))
    found = beside(a, b)
    assert [(d.name, d.values) for d in found.tags.differ] == [("team", ("vision", "audio"))]
    assert found.tags.same == {"mlflow.source.git.commit": "abc"}
    assert [(d.name, d.values) for d in found.datasets.differ] == [
        ("training", ("digits (d1)", "digits (d1), digits (d2)")),
        ("validation", ("digits-val (d9)", None)),
    ]


def test_hostile_and_equal_names_stay_text_and_are_told_apart():
    name = "{0.__class__}<script>\x1b[2J\u202e" + "x" * 300
    series = {"val_loss": [2.0, NAN, float("inf"), 1.0], "params": {f"p{name}": name}}
    members = [_run(name, run_id=f"{i:032d}", tags={name: f"{name}{i}"}, **series) for i in range(2)]
    found = beside(*members)
    text = found.model_dump_json()
    assert SideBySide.model_validate(json.loads(text)) == found
    assert len(set(found.labels)) == 2
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "NaN" not in text
