"""The classifier of sets: what it finds, what it is not misled by, and p-values that hold."""

from __future__ import annotations

import numpy as np

from copilot.core.data.set_classifier import classify_sets, group_shares
from copilot.core.data.two_samples import strata

RNG = np.random.default_rng


def _classified(a: np.ndarray, b: np.ndarray, labels_a=None, labels_b=None, seed: int = 0):
    labels_a = np.full(len(a), -1) if labels_a is None else labels_a
    labels_b = np.full(len(b), -1) if labels_b is None else labels_b
    return classify_sets(a, b, strata(labels_a, labels_b), ridge=0.3, permutations=99, seed=seed)


def test_a_moved_feature_is_found_and_named():
    rng = RNG(5)
    a, b = rng.normal(size=(200, 6)), rng.normal(size=(200, 6))
    b[:, 4] += 1.0
    found = _classified(a, b)
    assert found.p_value == 0.01
    assert found.low < 0.76 < found.high  # Phi(1 / sqrt(2))
    assert found.parts.argmax() == 4
    assert group_shares(found.parts, [4, 2])[1] > 0.9
    assert found.scores[200:].mean() > found.scores[:200].mean()


def test_p_values_of_alike_sets_are_even_with_classes_and_more_features_than_images():
    values = []
    for seed in range(100):
        rng = RNG(seed)
        labels_a, labels_b = rng.integers(0, 3, 40), rng.integers(0, 3, 30)
        a, b = (rng.normal(size=(len(y), 90)) + y[:, None] for y in (labels_a, labels_b))
        values.append(_classified(a, b, labels_a, labels_b, seed).p_value)
    assert 0.4 < np.mean(values) < 0.6
    assert np.mean(np.array(values) <= 0.1) < 0.2


def test_a_classifier_is_not_misled_by_other_shares_of_the_classes():
    rng = RNG(3)
    labels_a, labels_b = np.repeat([0, 1], [160, 40]), np.repeat([0, 1], [40, 160])
    a, b = (rng.normal(size=(200, 5)) + 4 * labels[:, None] for labels in (labels_a, labels_b))
    assert _classified(a, b).auc > 0.7
    matched = _classified(a, b, labels_a, labels_b)
    assert matched.auc < 0.6
    assert matched.p_value > 0.01


def test_constant_features_and_lone_classes_do_no_harm():
    rng = RNG(4)
    a, b = np.ones((60, 3)), np.ones((60, 3))
    a[:, 1], b[:, 1] = rng.normal(size=60), rng.normal(size=60)
    labels_a = np.array([0] * 58 + [1, 2])
    found = _classified(a, b, labels_a, np.zeros(60, int))
    assert np.isnan(found.scores[58:60]).all()
    assert np.isfinite(found.scores[:58]).all()
    assert 0 <= found.auc <= 1
    assert _classified(np.ones((60, 2)), np.ones((60, 2))).p_value == 1.0
