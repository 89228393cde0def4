"""Runs in order: direction, ties, missing values."""

from __future__ import annotations

import pytest

from copilot.core.comparisons.compare import compare_runs
from copilot.core.comparisons.leaderboard import leaderboard
from copilot.core.history import RunHistory
from tests.core.comparisons.groups import GroupMember, group, run


def ranked(members, by="best", **options):
    rows = leaderboard(compare_runs(group(members, **options), []), by)
    return [(row.rank, row.run_name) for row in rows]


def test_a_higher_score_and_a_lower_loss_come_first():
    scores = [run(0.8, name="b"), run(0.9, name="a"), run(0.7, name="c")]
    assert ranked(scores) == [(1, "a"), (2, "b"), (3, "c")]
    losses = [run(loss=0.8, name="b"), run(loss=0.9, name="c"), run(loss=0.7, name="a")]
    assert ranked(losses) == [(1, "a"), (2, "b"), (3, "c")]


def test_by_gap_the_smaller_one_comes_first():
    members = [run(0.9, 0.2, name="wide"), run(0.7, 0.01, name="narrow"), run(0.8, -0.05, name="below")]
    assert ranked(members, "gap") == [(1, "below"), (2, "narrow"), (3, "wide")]
    losses = [run(loss=0.5, gap=0.3, name="wide"), run(loss=0.9, gap=0.1, name="narrow")]
    assert ranked(losses, "gap") == [(1, "narrow"), (2, "wide")]


def test_equal_values_share_a_rank_and_stand_by_the_gap():
    members = [run(0.9, 0.3, name="wide"), run(0.9, 0.1, name="narrow"), run(0.8, name="last")]
    assert ranked(members) == [(1, "narrow"), (1, "wide"), (3, "last")]


def test_runs_without_the_value_come_last_without_a_rank():
    no_train = GroupMember(RunHistory.from_arrays(val_accuracy=[0.1, 0.85]), "v", "no training")
    members = [GroupMember(RunHistory.empty(), "e", "empty"), no_train, run(0.8, name="a")]
    assert ranked(members) == [(1, "no training"), (2, "a"), (None, "empty")]
    assert ranked(members, "gap") == [(1, "a"), (None, "no training"), (None, "empty")]
    assert ranked([]) == []


@pytest.mark.parametrize("name", ["accuracy", "val_acc"])
def test_a_quantity_that_few_runs_have_can_be_asked_for(name):
    members = [run(loss=0.1, name="x"), run(loss=0.2, name="y"), run(0.9, name="z")]
    assert ranked(members)[0] == (1, "x")
    assert ranked(members, wanted=name) == [(1, "z"), (None, "x"), (None, "y")]
    assert ranked(members, wanted="f1")[0] == (None, "x")
