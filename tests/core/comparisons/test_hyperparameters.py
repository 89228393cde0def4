"""OVF203: a planted association is found, none is found on null data."""

import numpy as np
import pytest

from copilot.core.comparisons.hyperparameters import HyperparameterAssociation
from tests.core.comparisons.groups import folds, group, run, value


def judge(members):
    return HyperparameterAssociation().compare(group(members))


def search(n, seed, gap=lambda params, rng: rng.gamma(2, 0.03)):
    """A random search over eight parameters; `gap` makes each run's gap."""
    rng, members = np.random.default_rng(seed), []
    for i in range(n):
        params = {
            "lr": 10 ** rng.uniform(-5, -1),
            "weight_decay": rng.choice([0, 1e-4, 1e-3]),
            "dropout": round(rng.uniform(0, 0.5), 1),
            "optimizer": rng.choice(["sgd", "adam", "adamw"]),
            "augmentation": rng.choice(["none", "flip"]),
            "width": rng.choice([16, 32, 64, 128]),
            "depth": rng.integers(2, 9),
            "pretrained": rng.choice([True, False]),
        }
        size = float(np.clip(gap(params, rng), 0, 0.2))
        members.append(run(0.75, size, name=f"r{i}", random_seed=i, output_dir=f"/runs/{i}", **params))
    return members


def test_a_number_that_goes_with_the_gap_on_its_log_scale():
    outcome = judge(search(40, 1, lambda p, rng: 0.1 + 0.02 * np.log10(p["lr"] / 1e-3) + rng.normal(0, 0.015)))
    assert outcome.state == "issue"
    assert outcome.summary.startswith("Over 40 configurations, lr goes with the accuracy gap")
    assert "wider for large values than for small ones" in outcome.summary
    assert value(outcome, "rank_correlation").value > 0.7
    assert value(outcome, "corrected_p").value < 0.001


def test_a_word_that_goes_with_the_gap():
    wide = {"none": 0.12, "flip": 0.03}
    outcome = judge(search(40, 2, lambda p, rng: wide[str(p["augmentation"])] + rng.normal(0, 0.01)))
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert "augmentation goes with the accuracy gap" in outcome.summary
    assert "wider for none than for flip" in outcome.summary
    assert value(outcome, "gap_difference").value == pytest.approx(0.09, abs=0.02)


def test_a_negative_correlation_says_small_values():
    outcome = judge(search(40, 3, lambda p, rng: 0.15 - 0.25 * p["dropout"] + rng.normal(0, 0.01)))
    assert "dropout" in outcome.summary
    assert "wider for small values than for large ones" in outcome.summary
    assert value(outcome, "rank_correlation").value < -0.7


@pytest.mark.parametrize("n", [10, 25])
def test_nothing_is_found_where_nothing_is(n):
    outcomes = [judge(search(n, seed)) for seed in range(120)]
    assert sum(o.state == "issue" for o in outcomes) <= 9  # at most 5 %, give or take
    smallest = [min(e.value for e in o.evidence if e.name == "corrected_p") for o in outcomes]
    assert sum(p <= 0.05 for p in smallest) <= 12


def test_an_association_too_small_to_matter_is_none():
    outcome = judge(search(40, 4, lambda p, rng: 0.05 + 0.002 * np.log10(p["lr"] / 1e-3)))
    assert outcome.state == "passed"
    assert value(outcome, "rank_correlation").value > 0.9


def test_parameters_that_change_together_are_tested_once():
    members = [
        run(0.8, 0.01 * i, name=f"r{i}", width=2**i, hidden=2 ** (i + 2), scale=f"x{i:02}", lr=0.1) for i in range(12)
    ]
    outcome = judge(members)
    assert value(outcome, "parameters_tested").value == 1
    assert "width (changed together with hidden) goes" in outcome.summary


def test_identifiers_and_constants_are_left_out():
    members = [
        run(0.8, 0.01 * i, name=f"r{i}", seed_number=1, run_id=i, seed=i, data_path=f"/x/{i}", n_val=i)
        for i in range(12)
    ]
    outcome = judge(members)
    assert outcome.state == "not_applicable"
    assert "do not differ" in outcome.summary


def test_folds_of_one_configuration_are_one_run():
    rng = np.random.default_rng(0)
    members = []
    for i in range(4):
        members += folds(rng.normal(0.8, 0.01, 5), gap=0.04 * i, name=f"c{i}", lr=10.0**-i)
    outcome = judge(members)
    assert outcome.state == "not_applicable"
    assert outcome.summary.endswith("there are 4.")


def test_hostile_parameters_stay_text():
    hostile = "<script>\x1b[2J\u202e" + "x" * 5000
    members = [run(0.8, 0.01 * i, name=f"r{i}", **{hostile: i, "b": "nan", "c": "1e999"}) for i in range(12)]
    outcome = judge(members)
    assert outcome.state == "issue"
    assert "\x1b" not in outcome.model_dump_json()
    assert len(outcome.summary) < 500
    assert all(len(e.source) <= 200 for e in outcome.evidence)


def test_runs_without_training_curves_have_no_gap():
    assert judge([]).state == "not_applicable"
    assert judge([run(0.8, 0.1, name=f"{i}", lr=i) for i in range(5)]).summary.endswith("there are 5.")


@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_never_repeat_are_told_apart_by_their_order(seed):
    rng, members = np.random.default_rng(seed), []
    for i in range(40):
        knobs = {"lr": 10 ** rng.uniform(-5, -1), "weight_decay": rng.uniform(0, 0.1), "dropout": rng.uniform(0, 0.5)}
        members.append(run(0.75, 0.18 - 0.3 * knobs["dropout"] + rng.normal(0, 0.005), name=f"r{i}", **knobs))
    outcome = judge(members)
    assert value(outcome, "parameters_tested").value == 3
    assert outcome.summary.startswith("Over 40 configurations, dropout goes with the accuracy gap")
    assert "together" not in outcome.summary
    assert value(outcome, "rank_correlation").source == "dropout"


def test_a_number_that_falls_as_another_rises_changes_together_with_it():
    members = [run(0.8, 0.01 * i, name=f"r{i}", keep=1 - i / 20, dropout=i / 20) for i in range(12)]
    outcome = judge(members)
    assert value(outcome, "parameters_tested").value == 1
    assert "keep (changed together with dropout) goes" in outcome.summary


def test_words_that_split_the_runs_alike_are_one():
    members = [run(0.8, 0.1 * (i % 2) + 0.001 * i, name=f"r{i}", flip=bool(i % 2), crop="ab"[i % 2]) for i in range(12)]
    assert value(judge(members), "parameters_tested").value == 1
