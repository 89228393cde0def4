import numpy as np
import pytest

from copilot.core.checks.validation_divergence import ValidationDivergence
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import healthy, learning_curve, overfitting


def outcome(history):
    return detect([history], [ValidationDivergence()])[0][0]


@pytest.mark.parametrize("onset", [15, 30, 60, 100])
def test_planted_onset_is_found_within_three_percent(onset):
    found = [outcome(overfitting(n=150, onset=onset, seed=s)).value("onset") for s in range(11)]
    assert abs(np.median(found) - onset) <= 0.03 * 150


def test_healthy_curves_pass_at_many_seeds_and_lengths():
    cases = [(n, noise, seed) for n in (10, 30, 100) for noise in (0.005, 0.03) for seed in range(30)]
    states = [outcome(healthy(n=n, noise=noise, seed=seed)).state for n, noise, seed in cases]
    assert states.count("issue") <= 0.01 * len(states)


def test_rising_loss_with_steady_accuracy_is_told_as_over_confidence():
    n = 40
    accuracy = 0.9 * (1 - np.exp(-8 * np.arange(n) / n))
    val_loss = np.maximum(learning_curve(n, floor=0.3), 0.4) + 0.02 * np.maximum(np.arange(n) - 15, 0)
    losses = {"train_loss": learning_curve(n, floor=0.01), "val_loss": val_loss}
    found = outcome(RunHistory.from_arrays(**losses, train_acc=accuracy * 1.05, val_acc=accuracy))
    assert found.state == "issue"
    assert "over-confident" in found.summary


def test_training_that_worsens_too_is_not_divergence():
    rising = np.linspace(1, 4, 40)
    assert outcome(RunHistory.from_arrays(train_loss=rising, val_loss=rising * 1.1)).state == "passed"


def test_epochs_are_logged_axis_values():
    history = overfitting(n=60, onset=20, epochs=np.arange(0, 600, 10))
    found = outcome(history)
    assert abs(found.value("onset") - 200) <= 30
    assert all(e.epoch is None or e.epoch % 10 == 0 for e in found.evidence)


def test_two_epochs_are_too_few():
    assert outcome(RunHistory.from_arrays(train_loss=[1, 0.5], val_loss=[1, 0.9])).state == "not_applicable"


@pytest.mark.parametrize(
    ("val", "state"),
    [
        ([0.9, 1.0, 1.3], "issue"),
        ([0.8, 0.7, 0.9, 1.2], "issue"),
        ([1.0, 0.9, 1.2], "passed"),  # one worse epoch may be chance
        ([0.8, 0.7, 0.9, 0.85], "passed"),  # not steady
        ([0.8, 0.70, 0.72, 0.74], "passed"),  # too little for so few epochs
    ],
)
def test_very_short_runs_are_judged_by_steady_large_rises_only(val, state):
    train = [1.0, 0.6, 0.4, 0.3][: len(val)]
    assert outcome(RunHistory.from_arrays(train_loss=train, val_loss=val)).state == state
