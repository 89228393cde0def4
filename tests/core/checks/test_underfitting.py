import numpy as np

from copilot.core.checks.underfitting import Underfitting
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import healthy, with_accuracy


def outcome(history):
    return detect([history], [Underfitting()])[0][0]


def test_plateau_far_from_useful_is_an_issue():
    found = outcome(with_accuracy(0.45, 0.44, loss=1.5))
    assert found.state == "issue"
    assert "stalled" in found.summary


def test_flat_from_the_start_is_severe():
    rng = np.random.default_rng(0)
    flat = 2.3 + rng.normal(0, 0.01, 30)
    chance = np.full(30, 0.1)
    found = outcome(RunHistory.from_arrays(train_loss=flat, val_loss=flat + 0.01, train_acc=chance, val_acc=chance))
    assert (found.state, found.severity) == ("issue", "high")


def test_good_training_passes():
    assert outcome(healthy()).state == "passed"
    assert outcome(with_accuracy(0.95, 0.9)).state == "passed"


def test_a_curve_that_still_falls_is_not_called_stalled():
    n = 30
    falling = np.linspace(2.3, 1.4, n)
    rising = np.linspace(0.1, 0.5, n)
    history = RunHistory.from_arrays(train_loss=falling, val_loss=falling, train_acc=rising, val_acc=rising)
    assert outcome(history).state == "passed"


def test_good_from_the_first_epoch_is_not_underfitting():
    history = RunHistory.from_arrays(
        train_loss=[0.12] * 10, val_loss=[0.13] * 10, train_acc=[0.97] * 10, val_acc=[0.96] * 10
    )
    assert outcome(history).state == "passed"
