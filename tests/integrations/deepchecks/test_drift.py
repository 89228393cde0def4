"""Drift of image properties and labels: distances of known samples, and what chance alone gives."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.integrations.deepchecks.drift import (
    PROPERTIES,
    corrected,
    cramers_v,
    population_stability,
    properties_of,
)


def test_properties_of_a_plain_image():
    image = np.zeros((4, 8, 3), np.uint8)
    image[...] = (200, 100, 100)
    found = properties_of(image)
    assert list(found) == list(PROPERTIES)
    assert found["Red share"] == pytest.approx(0.5)
    assert (found["Contrast"], found["Sharpness"], found["Area"], found["Aspect ratio"]) == (0, 0, 32, 0.5)
    grey = properties_of(np.full((5, 5, 1), 7, np.uint8))
    assert grey["Brightness"] == 7
    assert grey["Red share"] == grey["Blue share"] == pytest.approx(1 / 3)
    assert properties_of(np.zeros((3, 3, 3), np.uint8))["Green share"] == pytest.approx(1 / 3)


def test_a_shift_is_seen_and_chance_is_not():
    rng = np.random.default_rng(0)
    train, same, moved = rng.normal(0, 1, 800), rng.normal(0, 1, 400), rng.normal(1, 1, 400)
    assert population_stability(train, same) < 0.1 < 0.5 < population_stability(train, moved)


def test_constant_properties_do_not_drift():
    assert population_stability(np.ones(50), np.ones(30)) == pytest.approx(0, abs=0.01)


def test_labels_drift_by_their_shares():
    assert cramers_v({0: 100, 1: 100}, {0: 50, 1: 50})[0] == 0
    effect, p = cramers_v({0: 100}, {1: 100})
    assert effect == pytest.approx(1.0)
    assert p < 1e-9
    assert cramers_v({0: 5}, {0: 9}) == (0.0, 1.0)
    assert cramers_v({0: 5, 1: 5}, {}) == (0.0, 1.0)


def test_p_values_grow_with_their_number():
    p = np.array([0.001, 0.5, 0.9])
    assert (corrected(p) >= p).all()
    assert corrected(p)[0] == pytest.approx(0.001 * 3 * (1 + 1 / 2 + 1 / 3))
    assert corrected(np.zeros(0)).size == 0
