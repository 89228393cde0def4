"""Confidence: within its bounds, rising with the distance, and what it says on curves that nothing was fitted on."""

import numpy as np
import pytest

from benchmarks import _curves
from benchmarks._scores import calibration_error
from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.confidence import FEATURES, LEAST, MOST, coefficients, probability_of_right
from copilot.core.history import RunHistory

VERDICTS = ("healthy", "overfitting", "underfitting", "unstable")


def test_every_verdict_has_a_coefficient_for_every_feature():
    fitted = coefficients()["verdicts"]
    assert set(fitted) == set(VERDICTS)
    assert all(set(weights) == set(FEATURES) for weights in fitted.values())


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_grows_with_the_distance_from_the_threshold_and_stays_in_bounds(verdict):
    found = [probability_of_right(verdict, [1, distance, 0, 0, 0, 0]) for distance in np.linspace(0, 4, 9)]
    assert found == sorted(found)
    assert LEAST <= found[0] <= found[-1] <= MOST
    assert probability_of_right(verdict, [1, 0, 0, 0, 1e9, 1e9]) >= LEAST


def test_it_is_the_share_of_right_verdicts_on_made_curves():
    items = _curves.mixture(900, seed=77)
    histories = [RunHistory.from_arrays(**item["series"]) for item in items]
    found = [d.diagnosis for d in analyse(histories, [{"kind": "history"}] * len(items), load_checks())]
    told = [(d.confidence, d.verdict in i["accepted"]) for i, d in zip(items, found, strict=True)
            if d.verdict != "inconclusive"]  # fmt: skip
    assert len(told) > 800
    assert calibration_error(*zip(*told, strict=True)) <= 0.08
