"""OVF405: intervals, power, and the images that it takes."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.data.validation_size import Scores, ValidationSize, images_needed, smallest_gap
from copilot.core.history import RunHistory


def test_a_large_set_passes_and_tells_its_interval():
    outcome = ValidationSize().judge(50_000, 10_000, Scores(0.99, 0.9))
    assert outcome.state == "passed"
    low, high = next((e.low, e.high) for e in outcome.evidence if e.name == "val_score")
    assert (low, high) == pytest.approx((0.894, 0.906), abs=0.001)
    assert "is beyond chance" in outcome.summary


def test_a_gap_that_may_be_chance_is_told_with_the_images_it_takes():
    outcome = ValidationSize().judge(5000, 100, Scores(0.93, 0.88))
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert "may be chance" in outcome.summary
    needed = outcome.value("images_needed")
    assert 200 < needed < 1000
    assert f"{needed:,} validation images" in outcome.summary


def test_without_scores_the_size_alone_is_judged():
    small, large = ValidationSize().judge(500, 60), ValidationSize().judge(5000, 2000)
    assert (small.state, small.severity) == ("issue", "medium")
    assert large.state == "passed"
    assert small.value("val_score") is None


def test_with_the_images_needed_the_gap_shows_in_four_of_five_draws():
    train, val, n_train = 0.95, 0.88, 5000
    n = images_needed(train, val, n_train)
    rng = np.random.default_rng(0)
    a, b = rng.binomial(n_train, train, 4000) / n_train, rng.binomial(n, val, 4000) / n
    z = (a - b) / np.sqrt(a * (1 - a) / n_train + b * (1 - b) / n)
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.07)
    assert smallest_gap(val, n, n_train) == pytest.approx(train - val, abs=0.01)


def test_some_gaps_no_validation_set_can_show():
    assert images_needed(0.51, 0.5, 100) is None
    assert images_needed(0.9, 0.9, 100) is None


def test_a_perfect_score_on_few_images_is_not_certain():
    outcome = ValidationSize().judge(100, 10, Scores(1.0, 1.0))
    assert outcome.state == "issue"
    assert outcome.value("smallest_gap") > 0.2


def test_scores_come_from_the_curves_of_a_run():
    history = RunHistory.from_arrays(
        params={"n_val": "200"},
        train_loss=[1.0, 0.5, 0.2],
        val_loss=[1.0, 0.8, 0.9],
        train_accuracy=[0.5, 0.8, 0.96],
        val_accuracy=[0.5, 0.7, 0.75],
    )
    scores = Scores.of_run(history)
    assert scores == Scores(0.96, 0.75, None, 200)
    assert "beyond chance" in ValidationSize().judge(1000, 200, scores).summary
    assert Scores.of_run(RunHistory.from_arrays(train_loss=[1.0, 0.5], val_loss=[1.0, 0.8])) == Scores()


def test_an_empty_set_does_not_apply():
    assert ValidationSize().judge(0, 5).state == "not_applicable"
