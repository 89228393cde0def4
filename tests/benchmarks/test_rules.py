"""Each published rule on a curve whose answer can be worked out by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from benchmarks import _rules
from benchmarks._datasets import Case
from tests.benchmarks.curves import losses

FALLING = [1.0, 0.8, 0.6, 0.5]
VALLEY = [1.0, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    ("val", "patience", "expected"),
    [
        ([1.0, 0.8, 0.66, 0.5], 1, (False, None)),  # exactly 10 % above is not above 10 %
        ([1.0, 0.8, 0.67, 0.5], 1, (True, 2)),
        ([1.0, 0.8, 0.67, 0.5], 2, (False, None)),
        ([1.0, 0.89, 0.67, 0.5], 2, (True, 2)),
        ([nan, nan, nan, nan], 1, (False, None)),
    ],
)
def test_sagemaker(val, patience, expected):
    assert _rules.sagemaker(losses(FALLING, val), patience=patience, ratio_threshold=0.1 + 1e-12) == expected


def test_sagemaker_starts_late():
    assert _rules.sagemaker(losses(FALLING, [9.0, 0.8, 0.6, 0.5])) == (True, 0)
    assert _rules.sagemaker(losses(FALLING, [9.0, 0.8, 0.6, 0.5]), start_step=1) == (False, None)


def test_skore_needs_a_strict_majority():
    gap = losses([1.0, 0.5], [1.0, 0.6])  # threshold: 10 % of the validation loss
    assert _rules.skore(gap)[0]
    half = losses([1.0, 0.5], [1.0, 0.6], train_accuracy=[0.5, 0.9], val_accuracy=[0.5, 0.88])
    assert not _rules.skore(half)[0]
    both = losses([1.0, 0.5], [1.0, 0.6], train_accuracy=[0.5, 0.9], val_accuracy=[0.5, 0.8])
    assert _rules.skore(both)[0]


def test_skore_floor():
    assert not _rules.skore(losses([1.0, 0.05], [1.0, 0.075]))[0]
    assert _rules.skore(losses([1.0, 0.05], [1.0, 0.085]))[0]


def test_run_summary_looks_at_the_last_values_only():
    assert _rules.run_summary(losses([1.0, 0.5], [1.0, 0.56])) == (True, None)
    assert _rules.run_summary(losses([0.1, 0.5], [9.0, 0.54])) == (False, None)


@pytest.mark.parametrize(
    ("val", "expected"),
    [
        ([5, 4, 3, 2, 1, 0], (False, None)),
        ([5, 4, 4, 4, 3, 2], (True, 1)),  # equal to the best is no improvement; stops at index 3
        ([5, 4, 3, 2, 2, 2], (False, None)),  # would stop at the last epoch, which ends the run anyway
        ([nan, nan, nan, nan], (True, 0)),
    ],
)
def test_early_stopping(val, expected):
    assert _rules.early_stopping(losses([1.0] * len(val), val), patience=2) == expected


def test_early_stopping_min_delta():
    val = [1.0, 0.95, 0.9, 0.85, 0.8]
    assert _rules.early_stopping(losses(val, val), patience=2) == (False, None)
    assert _rules.early_stopping(losses(val, val), patience=2, min_delta=0.2) == (True, 0)


def test_generalisation_loss_remembers_a_rise_that_passed():
    passed = losses(FALLING, [0.5, 0.53, 0.4, 0.4])
    assert _rules.generalisation_loss(passed) == (True, 0)
    assert _rules.final_over_best(passed) == (False, None)


def test_final_over_best():
    assert _rules.final_over_best(losses(FALLING, VALLEY)) == (True, 1)
    assert _rules.final_over_best(losses(FALLING, [1.0, 0.5, 0.6, 0.52])) == (False, None)
    assert _rules.final_over_best(losses(FALLING, [nan] * 4)) == (False, None)


def test_rank_correlations():
    rising = losses(FALLING, [0.5, 0.6, 0.7, 0.8])
    assert _rules.spearman_with_epoch(rising) == (True, None)
    assert _rules.spearman_with_train(rising) == (True, None)
    assert _rules.spearman_with_epoch(losses(FALLING, FALLING)) == (False, None)
    assert _rules.spearman_with_train(losses(FALLING, [1.0] * 4)) == (False, None)


def test_rules_read_components_and_scores():
    parts = {"train/box_loss": [1, 1], "val/box_loss": [1, 2], "train/cls_loss": [2, 1], "val/cls_loss": [2, 3]}
    case = Case("made", "", {name: np.array(values, float) for name, values in parts.items()})
    assert [list(cost) for cost in case.costs] == [[3, 2], [3, 5]]
    scores = {"train_accuracy": np.array([0.5, 0.9]), "val_accuracy": np.array([0.5, 0.75])}
    assert Case("made", "", scores).costs[1] == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize("name", _rules.RULES)
def test_every_rule_answers_on_a_short_run(name):
    called, onset = _rules.RULES[name](losses(FALLING, VALLEY))
    assert isinstance(bool(called), bool)
    assert onset is None or 0 <= onset < 4
