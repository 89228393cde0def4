import numpy as np

from copilot.core.checks.instability import Instability
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import healthy, learning_curve, overfitting


def outcome(history):
    return detect([history], [Instability()])[0][0]


def test_nan_from_an_epoch_on_names_the_epoch():
    loss = [2.0, 1.5, 1.2, float("nan"), float("nan"), float("nan")]
    found = outcome(RunHistory.from_arrays(train_loss=loss, val_loss=[2, 1.6, 1.3, 1.4, 1.5, 1.6], epochs=range(1, 7)))
    assert (found.state, found.severity) == ("issue", "high")
    assert found.evidence[0].epoch == 4


def test_divergence_of_training():
    loss = np.concatenate([learning_curve(20), np.linspace(0.3, 5, 20)])
    found = outcome(RunHistory.from_arrays(train_loss=loss, val_loss=loss + 0.1))
    assert (found.state, found.severity) == ("issue", "high")
    assert "diverged" in found.summary


def test_swinging_training():
    rng = np.random.default_rng(3)
    loss = 1.5 + rng.normal(0, 0.5, 40)
    assert outcome(RunHistory.from_arrays(train_loss=loss, val_loss=loss + 0.1)).severity == "high"


def test_steady_runs_pass():
    assert outcome(healthy()).state == "passed"
    assert outcome(overfitting()).state == "passed"


def test_a_single_hole_is_not_a_breakdown():
    loss = learning_curve(30)
    loss[7] = np.nan
    assert outcome(RunHistory.from_arrays(train_loss=loss, val_loss=learning_curve(30))).state == "passed"


def test_a_swing_in_too_few_epochs_is_not_called_steady():
    swing = [1.0, 0.2, 1.0, 0.1, 1.2, 0.15, 0.9]
    found = outcome(RunHistory.from_arrays(train_loss=swing, val_loss=swing))
    assert (found.state, found.confidence) == ("passed", 0.5)
    assert "too few epochs" in found.summary
