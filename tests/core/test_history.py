"""A run's history from logged series: which pairs, on which axis, with which repairs."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.history import RunHistory, axis_value
from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError

NAN = float("nan")


def logged(**series) -> list[LoggedSeries]:
    """Series by name (two underscores stand for a slash), on steps 0, 1, 2, ..."""
    return [
        LoggedSeries(name.replace("__", "/"), np.array(values, float), np.arange(len(values), dtype=float))
        for name, values in series.items()
    ]


def names(history: RunHistory) -> list[tuple[str, str | None, str | None]]:
    return [(p.quantity, p.train_name, p.val_name) for p in history.pairs]


def test_from_arrays():
    history = RunHistory.from_arrays(
        train_loss=[1, 0.5, None],
        val_loss=[1.1, NAN, 1.2],
        train_accuracy=[0.1, 0.2, 0.3],
        name="mine",
        params={"lr": 1},
    )
    loss, accuracy = history.pairs
    assert (loss.quantity, loss.higher_is_better, loss.complete) == ("loss", False, True)
    assert (accuracy.quantity, accuracy.higher_is_better, accuracy.complete) == ("accuracy", True, False)
    assert history.epochs.tolist() == [0, 1, 2]
    assert np.isnan(loss.train[2])
    assert not loss.bad_train.any()
    assert loss.bad_val.tolist() == [False, True, False]
    assert (history.name, history.params) == ("mine", {"lr": 1})


def test_epochs_are_the_callers_own():
    history = RunHistory.from_arrays(epochs=[10, 20], loss=[1, 2], val_loss=[1, 2])
    assert history.record().epochs == (10, 20)
    assert axis_value(0.5) == 0.5
    assert isinstance(axis_value(3.0), int)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"train_loss": [1, 2], "epochs": [1]}, "2 values but there are 1 epochs"),
        ({"train_loss": ["a", "b"]}, "not a sequence of numbers"),
        ({"train_loss": 3}, "not a sequence of numbers"),
        ({"lr": [1, 2]}, "no metric was recognised"),
        ({}, "no metrics were logged"),
        ({"train_loss": []}, "no numbers in train_loss"),
    ],
)
def test_arrays_that_make_no_history(series, message):
    with pytest.raises(InputError, match=message):
        RunHistory.from_arrays(**series)


def test_keras_names_without_a_split_are_training():
    history = RunHistory.from_series(logged(loss=[1, 2], accuracy=[0.1, 0.2], val_loss=[1, 2], val_accuracy=[0.1, 0.2]))
    assert names(history) == [("loss", "loss", "val_loss"), ("accuracy", "accuracy", "val_accuracy")]
    assert history.warnings == ()


def test_a_name_without_a_split_beside_named_training_is_left_out():
    history = RunHistory.from_series(logged(train_loss=[1, 2], valid_loss=[1, 2], accuracy=[0.1, 0.2]))
    assert names(history) == [("loss", "train_loss", "valid_loss")]
    assert any("'accuracy'" in warning and "left out" in warning.lower() for warning in history.warnings)


def test_the_test_set_serves_where_nothing_was_validated():
    history = RunHistory.from_series(logged(train_loss=[1, 2], test_loss=[1, 3]))
    assert names(history) == [("loss", "train_loss", "test_loss")]
    assert any("Serves as validation" in warning for warning in history.warnings)


def test_validation_wins_over_test_unless_it_is_a_single_value():
    both = RunHistory.from_series(logged(train_loss=[1, 2], val_loss=[1, 3], test_loss=[1, 4]))
    assert names(both) == [("loss", "train_loss", "val_loss")]
    single = RunHistory.from_series(logged(train_loss=[1, 2], val_loss=[1], test_loss=[1, 4]))
    assert names(single) == [("loss", "train_loss", "test_loss")]


def test_rows_per_epoch_win_over_rows_per_step_and_curves_over_closing_values():
    history = RunHistory.from_series(logged(train_loss_step=[1, 2, 3, 4], train_loss_epoch=[1, 2], val_loss=[1, 2]))
    assert names(history) == [("loss", "train_loss_epoch", "val_loss")]
    assert any("'train_loss_step'" in warning for warning in history.warnings)
    history = RunHistory.from_series(logged(loss=[1, 2, 3], train_loss=[2], eval_loss=[1, 2, 3]))
    assert names(history) == [("loss", "loss", "eval_loss")]


def test_loss_comes_first_then_complete_pairs():
    history = RunHistory.from_series(
        logged(
            metrics__mAP50=[1, 2], train__box_loss=[1, 2], val__box_loss=[1, 2], train__loss=[1, 2], val__loss=[1, 2]
        )
    )
    assert [q for q, _, _ in names(history)] == ["loss", "box_loss", "map50"]


def test_percent_becomes_a_fraction():
    history = RunHistory.from_series(
        logged(train_acc=[50, 90], val_acc=[0.4, 0.6], train_loss=[50, 2], val_loss=[3, 4])
    )
    loss, accuracy = history.pairs
    assert accuracy.train.tolist() == [0.5, 0.9]
    assert accuracy.val.tolist() == [0.4, 0.6]
    assert loss.train.tolist() == [50, 2]
    assert any("percent" in warning and "'train_acc'" in warning for warning in history.warnings)


def test_a_model_that_learns_nothing_is_in_percent_if_the_other_side_is():
    history = RunHistory.from_series(logged(train_acc=[1, 80], val_acc=[1.0, 1.2]))
    assert history.pairs[0].val == pytest.approx([0.01, 0.012])


def test_batches_are_put_on_the_epochs_that_were_logged_beside_them():
    steps = np.arange(10, 70, 10, dtype=float)
    series = [
        LoggedSeries("loss", np.array([6, 5, 4, 3, 2, 1.0]), steps),
        LoggedSeries("epoch", np.array([0.5, 1, 1.5, 2, 2.5, 3]), steps),
        LoggedSeries("eval_loss", np.array([5, 4, 4.5]), steps[1::2]),
    ]
    history = RunHistory.from_series(series)
    assert history.epochs.tolist() == [0.5, 1, 1.5, 2, 2.5, 3]
    assert history.pairs[0].val[1::2].tolist() == [5, 4, 4.5]
    assert any("Epochs are taken from 'epoch'" in warning for warning in history.warnings)


def test_wall_times_follow_the_epochs():
    series = [
        LoggedSeries("train_loss", np.array([2.0, 1]), np.array([1.0, 3]), np.array([100.0, 300])),
        LoggedSeries("val_loss", np.array([2.0, 1, 1]), np.array([1.0, 2, 3]), np.array([101.0, 201, 301])),
    ]
    assert RunHistory.from_series(series).times.tolist() == [101, 201, 301]


def test_the_record_has_null_where_nothing_finite_was_logged():
    history = RunHistory.from_series(logged(train_loss=[1, NAN, 3], val_loss=[1, 2]))
    (pair,) = history.record().pairs
    assert pair.train == (1, None, 3)
    assert pair.val == (1, 2, None)


def test_what_the_reader_did_stands_first_among_the_warnings():
    history = RunHistory.from_series(logged(train_loss=[1, NAN], val_loss=[1, 2]), warnings=["Cut off {}."])
    assert history.warnings[0] == "Cut off {}."
    assert len(history.warnings) == 2
