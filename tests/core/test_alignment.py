"""Cleaning one series and bringing two onto one axis."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.alignment import Curve, Notes, align_pair, clean_series
from copilot.core.axis import epoch_axis

NAN = float("nan")


def curve(steps, values) -> Curve:
    return Curve(np.array(steps, float), np.array(values, float), np.zeros(len(steps), bool))


def clean(values, steps=None, times=None, name="loss", **options):
    notes = Notes()
    arrays = [None if a is None else np.array(a, float) for a in (values, steps, times)]
    return clean_series(name, *arrays, notes, **options), notes.lines()


def test_order_comes_from_the_steps():
    result, notes = clean([3, 1, 2], [30, 10, 20], [1003, 1001, 1002])
    assert result.steps.tolist() == [10, 20, 30]
    assert result.values.tolist() == [1, 2, 3]
    assert result.times.tolist() == [1001, 1002, 1003]
    assert notes == ()


@pytest.mark.parametrize("bad", [NAN, float("inf"), -float("inf"), 1.7976931348623157e308])
def test_values_that_are_not_finite_are_marked(bad):
    result, notes = clean([1, bad, 3])
    assert result.bad.tolist() == [False, True, False]
    assert np.isnan(result.values[1])
    assert notes == ("NaN or infinite values at 1 of 3 points of 'loss'.",)


def test_a_row_that_was_logged_twice_is_dropped():
    result, notes = clean([5, 4, 3, 5], [0, 1, 2, 0], [10, 11, 12, 10])
    assert result.values.tolist() == [5, 4, 3]
    assert notes == ("Rows logged twice in 'loss' were dropped.",)


def test_of_a_run_that_was_resumed_the_later_values_count():
    result, notes = clean([5, 4, 3, 3.5, 2.5, 1], [0, 1, 2, 1, 2, 3], [1, 2, 3, 4, 5, 6])
    assert result.values.tolist() == [5, 3.5, 2.5, 1]
    assert notes == ("Repeated steps in 'loss'; the last value of each was kept.",)


def test_a_closing_score_of_the_best_weights_is_not_the_last_epoch():
    result, notes = clean([0.5, 0.9, 0.7, 0.9], [0, 1, 2, 2])
    assert result.values.tolist() == [0.5, 0.9, 0.7]
    assert "its first value was kept" in notes[0]


def test_rows_at_a_single_step_are_numbered_by_time():
    result, notes = clean([3, 1, 2], [0, 0, 0], [30, 10, 20])
    assert result.steps.tolist() == [0, 1, 2]
    assert result.values.tolist() == [1, 2, 3]
    assert "order in time" in notes[0]


def test_rows_at_a_single_step_and_time_leave_the_last():
    assert clean([3, 1, 2], [0, 0, 0])[0].values.tolist() == [2]


@pytest.mark.parametrize("size", [0, 1, 2])
def test_short_series(size):
    assert clean(list(range(size)))[0].values.tolist() == list(range(size))


def test_an_epoch_metric_is_the_axis_of_batches():
    steps, epochs = np.array([50, 100, 150, 200.0]), np.array([0, 0, 1, 1.0])
    axis = epoch_axis([("loss", steps, epochs), ("epoch", steps, epochs)])
    result, notes = clean([4, 2, 3, 1], [50, 100, 150, 200], to_epochs=axis.map_steps)
    assert result.steps.tolist() == [0, 1]
    assert result.values.tolist() == [3, 2]
    assert notes == ("Several rows of one epoch were averaged in 'loss'.",)


@pytest.mark.parametrize(
    ("steps", "epochs"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([0, 1, 2], [3, 2, 1]),
        ([0, 1, 2], [1, 1, 1]),
        ([0, 1, 2], [0, NAN, 2]),
        ([0, 0, 0], [0, 1, 2]),
        ([0], [1]),
    ],
    ids=["same as steps", "falls", "constant", "NaN", "one step", "one row"],
)
def test_epoch_metrics_that_are_no_axis(steps, epochs):
    assert epoch_axis([("epoch", np.array(steps, float), np.array(epochs, float))]) is None


def test_training_per_batch_is_averaged_between_validations():
    notes = Notes()
    train, val = align_pair("loss", curve(range(100), np.arange(100)), curve([49, 99], [1, 2]), notes)
    assert train.steps.tolist() == val.steps.tolist() == [49, 99]
    assert train.values.tolist() == [24.5, 74.5]
    assert "averaged" in notes.lines()[0]


def test_the_average_leaves_out_what_is_not_finite_and_says_so_where_nothing_is_left():
    values = np.arange(40, dtype=float)
    values[:20] = NAN
    values[25] = NAN
    train = Curve(np.arange(40.0), values, np.isnan(values))
    aligned, _ = align_pair("loss", train, curve([19, 39], [1, 2]), Notes())
    assert aligned.bad.tolist() == [True, False]
    assert aligned.values[1] == pytest.approx((sum(range(20, 40)) - 25) / 19)


def test_grids_of_equal_length_are_matched_in_order():
    notes = Notes()
    train, _ = align_pair("loss", curve([9, 19, 29], [3, 2, 1]), curve([10, 20, 30], [3, 3, 3]), notes)
    assert train.steps.tolist() == [10, 20, 30]
    assert "matched in order" in notes.lines()[0]


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (curve([0, 1, 2], [1, 2, 3]), curve([0, 1, 2], [1, 2, 3])),
        (curve([0, 1, 2, 3], [1, 2, 3, 4]), curve([1, 3], [1, 2])),
        (curve([0, 2], [1, 2]), curve([0, 1, 2, 3], [1, 2, 3, 4])),
        (curve([0], [1]), curve([5, 6], [1, 2])),
    ],
    ids=["same", "validation now and then", "training now and then", "one value"],
)
def test_grids_that_fit_stay(train, val):
    notes = Notes()
    aligned = align_pair("loss", train, val, notes)
    assert [c.steps.tolist() for c in aligned] == [train.steps.tolist(), val.steps.tolist()]
    assert notes.lines() == ()


def test_one_side_alone():
    train, val = align_pair("loss", curve([0, 1], [1, 2]), None, Notes())
    assert (len(train.steps), len(val.steps)) == (2, 0)


def test_notes_list_the_names_of_one_repair_together():
    notes = Notes(["Read in haste."])
    for name in "abcdef":
        notes.add("Averaged in {}.", name)
    notes.add("Averaged in {}.", "a")
    notes.add("Dropped: {}.", "{}")
    assert notes.lines() == ("Read in haste.", "Averaged in 'a', 'b', 'c' and 3 more.", "Dropped: '{}'.")


def test_cost_grows_with_the_points_alone():
    values = np.random.default_rng(0).random(1_000_000)
    result, _ = clean(values, np.arange(1_000_000)[::-1])
    assert result.values[0] == values[-1]


def test_values_of_one_moment_have_no_sure_order():
    values, times = np.array([1.0, 0.9, 0.8, 0.7]), np.array([5.0, 5.0, 6.0, 7.0])
    notes = Notes()
    clean_series("loss", values, np.zeros(4), times, notes)
    assert any("'loss' were logged in one moment" in line for line in notes.lines())
    notes = Notes()
    clean_series("loss", values[[0, 0, 1, 2]], np.zeros(4), times, notes)  # a row logged twice is no such thing
    assert not any("one moment" in line for line in notes.lines())
