"""The scores of the detection benchmark, and its rules for broken and trained runs."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from benchmarks._datasets import Case, is_broken
from benchmarks._scores import calibration_error, f1_interval, macro_f1


def test_macro_f1():
    assert macro_f1([1, 1, 0, 0], [1, 1, 0, 0]) == 1.0
    assert macro_f1([1, 1, 1, 0], [1, 1, 0, 0]) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert macro_f1([0, 0], [0, 0]) == 1.0


def test_interval_holds_the_score():
    truth, called = np.arange(40) < 29, np.arange(40) < 27
    low, high = f1_interval(truth, called)
    assert 0.7 < low < macro_f1(truth, called) < high <= 1.0


def test_calibration_error():
    confidence = np.repeat([0.6, 0.9], 100)
    right = np.concatenate([np.arange(100) < 60, np.arange(100) < 90])
    assert calibration_error(confidence, right, bins=2) == pytest.approx(0.0)
    assert calibration_error(confidence, np.ones(200), bins=2) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("loss", "accuracy", "expected"),
    [
        ([2.3, 1.0, 0.5], [0.1, 0.5, 0.8], False),
        ([2.3, 1.0, nan], [0.1, 0.5, 0.1], True),
        ([2.3, 1.0, 3.5], [0.1, 0.5, 0.6], True),
        ([2.3, 2.3, 2.25], [0.1, 0.1, 0.12], True),
        ([2.3, 2.3, 2.25], [0.1, 0.1, 0.3], False),
    ],
)
def test_broken(loss, accuracy, expected):
    series = {"train_loss": np.array(loss), "train_accuracy": np.array(accuracy)}
    assert is_broken(Case("made", "cifar10_3c3d", series)) is expected
