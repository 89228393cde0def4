"""What explains a verdict."""

from typing import get_args

import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.causes import CAUSE_WORDS
from copilot.core.checks import load_checks
from copilot.core.findings import CauseName
from copilot.core.history import RunHistory
from tests.core.curves import healthy, learning_curve, overfitting, with_accuracy


def causes(history):
    return analyse([history], [{"kind": "history"}], load_checks())[0].diagnosis.causes


def test_every_cause_has_words():
    assert set(CAUSE_WORDS) == set(get_args(CauseName))


def test_healthy_and_plainly_inconclusive_runs_have_no_cause():
    for history in (healthy(), RunHistory.from_arrays(train_loss=learning_curve(30)), RunHistory.empty()):
        assert [(c.cause, c.probability) for c in causes(history)] == [("none", 1.0)]


@pytest.mark.parametrize(
    ("history", "cause"),
    [
        (overfitting(n=100, onset=20), "trained_too_long"),
        (with_accuracy(1.0, 0.75, params={"n_train": "100"}), "small_dataset"),
        (with_accuracy(0.8, 0.5), "distribution_shift"),
        (with_accuracy(0.4, 0.39, loss=1.7), "underpowered_model"),
        (RunHistory.from_arrays(train_loss=[2.3] * 20, val_loss=[2.3] * 20), "optimization"),
        (RunHistory.from_arrays(train_loss=[2, 1, *[float("nan")] * 8], val_loss=[2.0] * 10), "optimization"),
    ],
)
def test_leading_cause(history, cause):
    assert causes(history)[0].cause == cause


def test_a_wide_gap_of_unclear_origin_is_not_blamed_on_labels():
    n = 30
    found = causes(
        RunHistory.from_arrays(train_loss=learning_curve(n, floor=0.2), val_loss=learning_curve(n, floor=1.7))
    )
    assert found[0].cause in ("small_dataset", "distribution_shift")
    assert found[0].probability > 2 * next((c.probability for c in found if c.cause == "label_noise"), 0)


def test_a_falling_score_points_to_wrong_labels():
    n = 60
    late = np.maximum(np.arange(n) - 25, 0)
    train = 1 - 0.9 * np.exp(-6 * np.arange(n) / n)
    val = 0.8 - 0.7 * np.exp(-12 * np.arange(n) / n)
    losses = {
        "train_loss": learning_curve(n, floor=0.01),
        "val_loss": learning_curve(n, floor=0.5, rate=10) + 0.03 * late,
    }
    with_fall = causes(RunHistory.from_arrays(**losses, train_acc=train, val_acc=val - 0.004 * late))
    without = causes(RunHistory.from_arrays(**losses, train_acc=train, val_acc=val))
    fallen = next(c for c in with_fall if c.cause == "label_noise")
    assert fallen.finding_codes == ("OVF102",)
    assert fallen.probability > 2 * next((c.probability for c in without if c.cause == "label_noise"), 0)


def test_a_small_validation_set_is_named_when_the_run_logged_so():
    def probability(n_val):
        found = {c.cause: c.probability for c in causes(with_accuracy(1.0, 0.75, params={"n_val": n_val}))}
        return found.get("validation_too_small", 0.0)

    assert probability("40") > 0.2 > probability("4000")


def test_more_data_makes_little_data_less_likely():
    sizes = ("50", "1000", "20000", "1000000")
    found = [{c.cause: c.probability for c in causes(with_accuracy(1.0, 0.75, params={"n_train": n}))} for n in sizes]
    shares = [f.get("small_dataset", 0.0) for f in found]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 3 * shares[-1]


def test_probabilities_are_ranked_and_sum_to_at_most_one():
    for history in (
        overfitting(),
        with_accuracy(1.0, 0.7),
        with_accuracy(0.8, 0.5),
        with_accuracy(0.4, 0.39, loss=1.7),
    ):
        shares = [c.probability for c in causes(history)]
        assert shares == sorted(shares, reverse=True)
        assert 0.6 < sum(shares) <= 1.001


def test_findings_named_for_a_cause_are_issues():
    analysis = analyse([with_accuracy(1.0, 0.7)], [{"kind": "history"}], load_checks())[0]
    issues = {f.code for f in analysis.findings if f.state == "issue"}
    assert {code for c in analysis.diagnosis.causes for code in c.finding_codes} <= issues
