import numpy as np

from copilot.core.checks.plateau import Plateau
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import learning_curve


def outcome(history):
    return detect([history], [Plateau()])[0][0]


def test_long_plateau_is_a_mild_issue():
    loss = learning_curve(200, rate=40)
    found = outcome(RunHistory.from_arrays(train_loss=loss, val_loss=loss))
    assert (found.state, found.severity) == ("issue", "low")
    assert found.value("plateau_start") < 40
    assert found.value("idle_epochs") > 150


def test_a_falling_curve_still_improves():
    loss = np.linspace(2, 1, 50)
    found = outcome(RunHistory.from_arrays(train_loss=loss, val_loss=loss))
    assert found.state == "passed"
    assert "still improves" in found.summary
