"""OVF201: spread, interval, outlying folds and two configurations over the same folds."""

import numpy as np
import pytest
from scipy import stats

from copilot.core.comparisons.fold_stability import FoldStability
from copilot.core.comparisons.folds import fold_sets
from tests.core.comparisons.groups import folds, group, run, value

STEADY = [0.90, 0.905, 0.91, 0.902, 0.898]


def judge(members, **options):
    return FoldStability().compare(group(members, **options))


def test_steady_folds_pass_with_the_corrected_interval():
    outcome = judge(folds(STEADY))
    mean = value(outcome, "fold_mean")
    half = stats.t.ppf(0.975, 4) * np.std(STEADY, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert outcome.state == "passed"
    assert mean.value == pytest.approx(np.mean(STEADY), rel=1e-5)
    assert (mean.low, mean.high) == pytest.approx((mean.value - half, mean.value + half), rel=1e-4)
    assert "90.3 % on average, give or take 0.9 points" in outcome.summary
    assert value(outcome, "fold_gap").value == pytest.approx(0.05)
    assert "gap to training is 5.0 points (p below 0.001)." in outcome.summary


def test_the_correction_follows_the_sizes_where_they_are_known():
    half = value(judge(folds(STEADY)), "interval_half_width").value
    held_out = value(judge(folds(STEADY, n_train=100, n_val=100)), "interval_half_width").value
    assert held_out / half == pytest.approx(np.sqrt((1 / 5 + 1) / (1 / 5 + 1 / 4)), rel=1e-3)


def test_a_fold_that_stands_apart_is_named():
    outcome = judge(folds([0.90, 0.905, 0.70, 0.902, 0.898]))
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert "Fold 3 stands apart at 70.0 %, 20.0 points worse" in outcome.summary
    assert value(outcome, "outlying_fold").source == "net, fold 3"
    assert value(outcome, "distance_from_median").value == pytest.approx(0.2)
    better = judge(folds([0.80, 0.805, 0.98, 0.802, 0.798]))
    assert "points better than the median" in better.summary


def test_a_small_distance_is_no_outlier_however_alike_the_others_are():
    outcome = judge(folds([0.900, 0.9001, 0.915, 0.9, 0.9002]))
    assert outcome.state == "passed"


def test_folds_that_differ_too_much_to_rank_models():
    outcome = judge(folds([0.95, 0.80, 0.88, 0.75, 0.90]))
    assert outcome.state == "issue"
    assert "too wide to rank models" in outcome.summary
    assert "by chance" not in outcome.summary
    small = judge(folds([0.95, 0.80, 0.88, 0.75, 0.90], n_train=160, n_val=40))
    assert "by chance alone" in small.summary
    assert value(small, "deviation_by_chance").value == pytest.approx(0.056, abs=0.003)


def test_losses_count_by_their_share():
    members = [run(loss=v, name=f"net-fold-{i}") for i, v in enumerate([2.0, 2.1, 2.05, 1.95, 2.02], 1)]
    assert judge(members).state == "passed"
    members = [run(loss=v, name=f"net-fold-{i}") for i, v in enumerate([2.0, 3.1, 1.05, 2.95, 1.02], 1)]
    assert judge(members).state == "issue"


def test_two_configurations_over_the_same_folds():
    base = np.array(STEADY)
    better = judge(
        [*folds(base, lr=0.1, name="a"), *folds(base + np.array([0.03, 0.031, 0.029, 0.03, 0.032]), lr=0.2, name="b")]
    )
    assert "The best, b, is 3.0 points better than a (p below 0.001)." in better.summary
    lead = value(better, "lead")
    assert lead.low > 0.02
    alike = judge([*folds(base, lr=0.1), *folds(base + np.array([0.03, -0.031, 0.029, -0.02, 0.001]), lr=0.2)])
    assert "too little to tell" in alike.summary
    assert value(alike, "cross_validations").value == 2


def test_two_equal_configurations_seem_different_seldom():
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        fold, n = rng.normal(0, 0.01, 5), rng.normal(0, 0.01, (2, 5))
        outcome = judge([*folds(0.85 + fold + n[0], lr=0.1), *folds(0.85 + fold + n[1], lr=0.2)])
        told += value(outcome, "lead").low > 0
    assert told <= 10  # 5 % would be allowed; the correction is careful


@pytest.mark.parametrize("k", [3, 5, 10])
def test_no_outlier_is_named_among_normal_folds(k):
    rng = np.random.default_rng(k)
    named = sum("apart" in judge(folds(rng.normal(0.8, 0.015, k))).summary for _ in range(200))
    assert named <= 12


def test_what_is_not_applicable():
    assert "log a parameter `fold`" in judge([run(0.8), run(0.9)]).summary
    assert "It takes 3 folds" in judge(folds([0.8, 0.9])).summary
    assert judge([]).state == "not_applicable"


def test_folds_without_the_metric_are_left_out():
    members = [*folds(STEADY)[:3], run(loss=0.4, name="net-4", fold=4), run(loss=0.4, name="net-5", fold=5)]
    assert fold_sets(group(members))
    outcome = judge(members, preference=["accuracy"])
    assert value(outcome, "folds").value == 3


def test_equal_folds_are_certain():
    outcome = judge(folds([0.9] * 5, gap=0.0))
    assert (outcome.state, value(outcome, "interval_half_width").value) == ("passed", 0)
