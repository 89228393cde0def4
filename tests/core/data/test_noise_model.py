"""The model of labels seen through noise, on made predictions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from copilot.core.data.noise_model import fit_noise

CLASSES = 4


def _made(share: float, *, pair: bool = False, sure: float = 2.5, n: int = 3000) -> tuple[np.ndarray, ...]:
    """Probabilities, given labels and true labels; the less `sure`, the weaker the classifier."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, CLASSES, n)
    logits = rng.normal(size=(n, CLASSES)) + sure * np.eye(CLASSES)[true]
    given = true.copy()
    wrong = rng.random(n) < share
    given[wrong] = (given[wrong] + (1 if pair else rng.integers(1, CLASSES, wrong.sum()))) % CLASSES
    return softmax(0.4 * sure * logits, axis=1), given, true  # surer than they are taken for, as of noisy lessons


def _start(share: float) -> np.ndarray:
    return np.full((CLASSES, CLASSES), share / CLASSES) + (1 - share) * np.eye(CLASSES)


def test_a_classifier_that_learned_the_noise_is_undone():
    probabilities, given, true = _made(0.3)
    noise = np.full((CLASSES, CLASSES), 0.1) + 0.6 * np.eye(CLASSES)
    learned = softmax(2.5 * np.log(probabilities), axis=1) @ noise  # as sure as it may be
    fit = fit_noise(learned, given, _start(0.4))
    assert fit.rate == pytest.approx((given != true).mean(), abs=0.05)
    assert fit.unmixed == 1.0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("pair", [False, True])
def test_the_rate_is_that_of_the_labels_and_not_of_the_classifier(share: float, pair: bool):
    probabilities, given, true = _made(share, pair=pair)
    assert (probabilities.argmax(1) != true).mean() > 0.05  # the classifier errs by itself
    fit = fit_noise(probabilities, given, _start(0.3))
    assert fit.rate == pytest.approx((given != true).mean(), abs=0.05)
    assert fit.lowest <= fit.rate <= fit.highest


def test_wrong_labels_are_the_most_suspicious_and_the_true_class_is_suggested():
    probabilities, given, true = _made(0.2)
    fit = fit_noise(probabilities, given, _start(0.3))
    suspicion, wrong = fit.suspicion(given), given != true
    most = np.argsort(-suspicion)[:300]
    assert wrong[most].mean() > 0.9
    assert (fit.posterior.argmax(1)[most] == true[most]).mean() > 0.9


def test_the_transition_tells_which_class_is_taken_for_which():
    probabilities, given, _ = _made(0.3, pair=True)
    transition = fit_noise(probabilities, given, _start(0.4)).transition
    np.testing.assert_allclose(transition.sum(1), 1)
    for label in range(CLASSES):
        assert transition[label, (label + 1) % CLASSES] == pytest.approx(0.3, abs=0.08)


def test_redrawn_labels_have_the_rate_of_the_model():
    probabilities, given, _ = _made(0.2)
    fit = fit_noise(probabilities, given, _start(0.3))
    drawn = fit.redrawn(np.random.default_rng(1))
    assert drawn.shape == given.shape
    assert np.abs(np.bincount(drawn) - np.bincount(given)).max() < 200
    assert 0.7 < fit.sharpness <= 1
