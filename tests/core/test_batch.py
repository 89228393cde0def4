"""Pairs of many histories as arrays: rows of equal length, costs that fall when a model improves."""

import numpy as np
import pytest

from copilot.core.batch import batches
from copilot.core.history import RunHistory

NAN = float("nan")


def only(history):
    (batch,) = batches([history])
    return batch


def test_a_loss_is_its_own_cost_and_a_score_is_turned_round():
    batch = only(
        RunHistory.from_arrays(
            train_loss=[2, 1],
            val_loss=[3, 2],
            train_acc=[0.5, 0.9],
            val_acc=[0.4, 0.8],
            train_psnr=[20, 30],
            val_psnr=[19, 25],
        )
    )
    assert [p.quantity for p in batch.pairs] == ["loss", "accuracy", "psnr"]
    np.testing.assert_allclose(batch.train, [[2, 1], [0.5, 0.1], [-20, -30]])
    np.testing.assert_allclose(batch.val, [[3, 2], [0.6, 0.2], [-19, -25]])
    assert batch.bounded.tolist() == [False, True, False]


def test_rows_of_one_length_come_together_and_keep_their_owner():
    short = RunHistory.from_arrays(train_loss=[1, 2], val_loss=[1, 2])
    long = RunHistory.from_arrays(train_loss=[1, 2, 3], val_loss=[1, 2, 3], train_acc=[0, 0, 0], val_acc=[0, 0, 0])
    found = list(batches([long, short, long, RunHistory.empty()]))
    assert [(b.points, b.owner.tolist()) for b in found] == [(2, [1]), (3, [0, 0, 2, 2])]


def test_a_row_stands_on_the_epochs_of_validation_and_training_is_filled_in():
    train, val = [9.0, 8, 7, 6, None, 4, 3, 2, 1, 0], [None, *range(18, 9, -1)]
    batch = only(RunHistory.from_arrays(epochs=range(10, 110, 10), train_loss=train, val_loss=val))
    assert batch.epochs.tolist() == [list(range(20, 110, 10))]
    assert batch.val.tolist() == [val[1:]]
    assert batch.train.tolist() == [[8, 7, 6, 5, 4, 3, 2, 1, 0]]


def test_training_alone_stands_on_its_own_epochs():
    batch = only(RunHistory.from_arrays(train_loss=[3, NAN, 1]))
    assert batch.epochs.tolist() == [[0, 2]]
    assert batch.train.tolist() == [[3, 1]]
    assert np.isnan(batch.val).all()
    assert (batch.has_train.tolist(), batch.has_val.tolist()) == ([True], [False])


def test_a_single_training_value_is_not_drawn_out_to_a_curve():
    batch = only(RunHistory.from_arrays(train_loss=[3, None, None], val_loss=[3, 2, 1]))
    assert np.isnan(batch.train).all()
    assert batch.val.tolist() == [[3, 2, 1]]


@pytest.mark.parametrize("values", [[NAN] * 3, [float("inf")] * 3])
def test_pairs_without_a_finite_value_have_no_row(values):
    assert list(batches([RunHistory.from_arrays(train_loss=values, val_loss=values)])) == []


def test_no_histories_no_batches():
    assert list(batches([])) == []
