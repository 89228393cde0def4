"""A group measured: the quantity it is compared by, best values, gaps, noise."""

import numpy as np
import pytest

from copilot.core.comparisons.base import GroupMember, listed, say_p
from copilot.core.history import RunHistory
from tests.core.comparisons.groups import group, run


def test_a_score_that_most_runs_have_comes_before_the_loss():
    both = [run(0.8, loss=0.5) for _ in range(3)]
    assert group(both).quantity == "accuracy"
    assert group([*both, *(run(loss=0.5) for _ in range(2))]).quantity == "accuracy"
    assert group([*both, *(run(loss=0.5) for _ in range(9))]).quantity == "loss"
    assert group(both, preference=["f1", "val_loss"]).quantity == "loss"
    assert group([]).quantity is None
    assert group([GroupMember(RunHistory.empty())]).measured is None


def test_the_baseline_must_have_the_quantity():
    members = [run(loss=0.5, run_id="base"), run(0.8, loss=0.4), run(0.8, loss=0.4)]
    assert group(members).quantity == "accuracy"
    assert group(members, baseline="base").quantity == "loss"


def test_best_values_epochs_and_gaps():
    history = RunHistory.from_arrays(
        epochs=[10, 20, 30, 40, 50, 60],
        val_accuracy=[0.5, 0.8, 0.7, 0.7, 0.7, 0.7],
        train_accuracy=[0.5, 0.85, 0.9, 1, 1, 1],
    )
    m = group([GroupMember(history, "a"), run(0.6), GroupMember(RunHistory.empty(), "b")]).measured
    assert m.logged(m.best[0]) == pytest.approx(0.8)
    assert m.epoch[0] == 20
    assert (m.gap[0], m.gap_end[0]) == (pytest.approx(0.05), pytest.approx(0.3))
    assert np.isnan(m.best[2])
    assert m.say(m.best[0]) == "80.0 %"
    assert m.amount(0.031) == "3.1 points"


def test_where_training_has_no_value_at_the_best_epoch_the_nearest_gap_counts():
    history = RunHistory.from_arrays(val_loss=[3, 2, 1], train_loss=[2.5, 1.5, np.nan])
    m = group([GroupMember(history, "a")]).measured
    assert (m.best[0], m.gap[0]) == (1, 0.5)
    alone = group([GroupMember(RunHistory.from_arrays(val_loss=[3, 2, 1]), "a")]).measured
    assert np.isnan(alone.gap[0])
    assert np.isnan(alone.noise[0])


def test_words():
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed(["a"]) == "a"
    assert (say_p(1e-9), say_p(0.0123)) == ("p below 0.001", "p 0.012")


def test_labels_of_runs_of_one_name_end_with_their_ids():
    members = [run(0.8, name=n, run_id=i) for n, i in (("net", "00001a2b"), ("net", "00003c4d"), ("other", "a"))]
    assert group(members).labels == ("net (…1a2b)", "net (…3c4d)", "other")
    nameless = [GroupMember(RunHistory.from_arrays(name="x", val_loss=[1, 2])) for _ in range(2)]
    assert group(nameless).labels == ("x (1)", "x (2)")
