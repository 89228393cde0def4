"""OVF204: the expected luck of the best of many, against simulation."""

import numpy as np
import pytest

from copilot.core.comparisons.inference import expected_maximum
from copilot.core.comparisons.selection_optimism import SelectionOptimism
from tests.core.comparisons.groups import folds, group, run, value


def judge(members):
    return SelectionOptimism().compare(group(members))


def tried(spread, n, n_val, rng):
    """Runs whose true scores differ by `spread`, measured on `n_val` images; the luck of the best."""
    true = np.clip(rng.normal(0.85, spread, n), 0.01, 0.99)
    seen = rng.binomial(n_val, true) / n_val
    best = int(seen.argmax())
    return [run(s, name=f"r{i}", n_val=n_val) for i, s in enumerate(seen)], seen[best] - true[best]


@pytest.mark.parametrize(
    ("spread", "n", "low", "high"),
    [(0.0, 40, 0.7, 1.2), (0.01, 40, 0.8, 1.4), (0.02, 20, 0.8, 1.6), (0.05, 40, 0.7, 1.6)],
)
def test_the_expected_optimism_is_that_of_simulated_choices(spread, n, low, high):
    rng, luck, told = np.random.default_rng(0), [], []
    for _ in range(60):
        members, lucky = tried(spread, n, 500, rng)
        luck.append(lucky)
        told.append(value(judge(members), "expected_optimism").value)
    assert low <= np.mean(told) / np.mean(luck) <= high


def test_equal_models_are_told_from_different_ones():
    rng = np.random.default_rng(1)
    equal = [judge(tried(0.0, 30, 300, rng)[0]).state for _ in range(40)]
    different = [judge(tried(0.08, 30, 2000, rng)[0]).state for _ in range(40)]
    assert equal.count("issue") >= 38
    assert different.count("issue") == 0


def test_the_sentence_and_its_numbers():
    members, _ = tried(0.0, 30, 300, np.random.default_rng(2))
    outcome = judge(members)
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert outcome.summary.startswith("The best of 30 runs leads the median by ")
    assert value(outcome, "expected_maximum").value == pytest.approx(expected_maximum(30), rel=1e-5)
    assert value(outcome, "validation_images").value == 300
    assert value(outcome, "score_noise").value == pytest.approx(np.sqrt(0.85 * 0.15 / 300), rel=0.1)


def test_a_clear_winner_is_no_luck():
    outcome = judge([run(s, name=f"r{i}", n_val=1000) for i, s in enumerate([0.95, 0.8, 0.801, 0.802, 0.799, 0.8])])
    assert outcome.state == "passed"
    assert value(outcome, "optimism_share").value < 10


def test_failed_runs_do_not_hide_the_luck():
    rng = np.random.default_rng(3)
    members = tried(0.0, 30, 300, rng)[0] + [run(0.1, name=f"x{i}", n_val=300) for i in range(10)]
    assert judge(members).state == "issue"


def test_without_sizes_the_spread_between_seeds_is_the_noise():
    rng = np.random.default_rng(4)
    scores = rng.normal(0.8, 0.02, 30)
    members = [run(s, name=f"r{i}", lr=i // 3, random_seed=i % 3) for i, s in enumerate(scores)]
    outcome = judge(members)
    assert value(outcome, "score_noise").source == "spread between seeds"
    assert value(outcome, "score_noise").value == pytest.approx(0.02, rel=0.35)
    assert outcome.state == "issue"


def test_without_sizes_and_seeds_it_says_what_to_log():
    outcome = judge([run(0.8 + i / 100, name=f"r{i}", lr=i) for i in range(8)])
    assert outcome.state == "not_applicable"
    assert "n_val" in outcome.summary
    assert "seed" in outcome.summary


def test_folds_and_other_validation_sets_are_left_out():
    assert judge(folds([0.8, 0.81, 0.82, 0.83, 0.84], n_val=100)).state == "not_applicable"
    members = [run(0.8 + i / 500, name=f"r{i}", n_val=100 if i < 6 else 333 + i) for i in range(9)]
    assert value(judge(members), "runs_to_choose_from").value == 6


def test_equal_scores_and_empty_groups():
    outcome = judge([run(0.8, name=f"r{i}", n_val=100) for i in range(6)])
    assert (outcome.state, value(outcome, "expected_optimism").value) == ("passed", 0)
    assert judge([]).state == "not_applicable"
