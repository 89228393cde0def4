"""The shapes of learning curves, each made on purpose."""

import numpy as np
import pytest

from copilot.core.checks.learning_pattern import PATTERNS, LearningPattern
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import healthy, learning_curve, overfitting

N = 80
X = np.arange(N)


def losses(train, val, seed=0, noise=0.005):
    rng = np.random.default_rng(seed)
    return RunHistory.from_arrays(train_loss=train + rng.normal(0, noise, N), val_loss=val + rng.normal(0, noise, N))


DOWN = learning_curve(N, floor=0.3)
SHAPES = {
    "nan": RunHistory.from_arrays(train_loss=[2, 1, *[np.nan] * 8], val_loss=[2, 1.5, *[np.nan] * 8]),
    "diverged": losses(DOWN + np.where(X > 50, 4.0, 0), DOWN + np.where(X > 50, 4.0, 0)),
    "never_learned": losses(np.full(N, 2.3), np.full(N, 2.3)),
    "oscillation": losses(DOWN, 1.0 + np.where(X % 2 == 0, 0.5, -0.5)),
    "u_shape": overfitting(n=N, onset=25),
    "double_descent": losses(DOWN, DOWN + np.exp(-(((X - 35) / 8) ** 2)) - 0.2 * (X > 60)),
    "underfit": losses(learning_curve(N, floor=2.05, rate=20), learning_curve(N, floor=2.06, rate=20)),
    "still_improving": losses(2.3 - 0.02 * X, 2.4 - 0.02 * X),
    "sudden_jump": losses(DOWN, np.where(X < 40, 2.0, 0.5) - 0.0001 * X),
    "plateau": losses(learning_curve(N, floor=0.3, rate=20), learning_curve(N, floor=0.35, rate=20)),
    "converged": losses(learning_curve(N, floor=0.2, rate=5), learning_curve(N, floor=0.25, rate=5)),
}


def outcome(history):
    return detect([history], [LearningPattern()])[0][0]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gets_its_name(shape):
    found = outcome(SHAPES[shape])
    assert found.value("pattern") == shape
    assert found.state == ("passed" if PATTERNS[shape].severity == "none" else "issue")
    assert PATTERNS[shape].words in found.summary


def test_every_shape_is_tested():
    assert set(SHAPES) == set(PATTERNS)


def test_places_are_logged_epochs():
    history = overfitting(n=N, onset=25, epochs=10 * X)
    assert abs(outcome(history).value("pattern_turn") - 250) <= 60
    assert abs(outcome(SHAPES["double_descent"]).value("pattern_bump") - 35) <= 3
    assert outcome(SHAPES["sudden_jump"]).value("pattern_jump") == 40


def test_healthy_curves_are_called_nothing_bad():
    cases = [healthy(n=n, noise=noise, seed=s) for n in (12, 40, 120) for noise in (0.005, 0.02) for s in range(40)]
    states = [outcomes[0].state for outcomes in detect(cases, [LearningPattern()])]
    assert states.count("issue") <= 0.02 * len(states)


def test_a_metric_that_behaves_otherwise_is_named():
    rising = RunHistory.from_arrays(
        train_loss=learning_curve(N, floor=0.01), val_loss=DOWN + 0.02 * np.maximum(X - 30, 0), train_acc=X / N,
        val_acc=0.9 * X / N,
    )  # fmt: skip
    assert "Validation accuracy still improves." in outcome(rising).summary


def test_too_few_epochs():
    assert outcome(RunHistory.from_arrays(val_loss=[3, 2, 1])).state == "not_applicable"
