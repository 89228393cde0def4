"""The labels of trained histories: what the test curve decides, and what it leaves open."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from benchmarks.train_histories import CONDITIONS, Setup, _label, _run

DOWN = np.linspace(2.0, 0.1, 20)
VALLEY = np.concatenate([np.linspace(2.0, 1.0, 10), np.linspace(1.0, 1.5, 10)])


def label(condition="over-long", train_loss=DOWN, test_loss=DOWN, train_accuracy=0.9, test_accuracy=0.85):
    curves = {"train_loss": train_loss, "test_loss": test_loss}
    curves |= {"train_accuracy": [train_accuracy] * 20, "test_accuracy": [test_accuracy] * 20}
    return _label(Setup(condition), curves)


def test_a_rise_on_the_test_set_is_overfitting():
    verdicts, onset = label(test_loss=VALLEY)
    assert verdicts == ["overfitting"]
    assert onset in (9, 10)


def test_a_rise_without_progress_in_training_is_left_open():
    assert label(test_loss=VALLEY, train_loss=np.ones(20)) == ([], None)


def test_no_rise_is_healthy_unless_memorised():
    assert label() == (["healthy"], None)
    assert label(train_accuracy=1.0, test_accuracy=0.8) == ([], None)
    assert label(test_accuracy=0.5) == ([], None)


def test_conditions_that_were_made_on_purpose():
    wild = np.where(np.arange(20) % 2, 1.0, 2.0)
    assert label("too high learning rate", train_loss=wild)[0] == ["unstable"]
    assert label("too high learning rate")[0] == ["healthy"]  # it was not too high after all
    assert label("too high learning rate", test_accuracy=0.1)[0] == ["unstable", "underfitting"]
    assert label("too small a model", train_accuracy=0.4)[0] == ["underfitting"]
    assert label("too small a model", train_accuracy=0.9)[0] == []


def test_a_run_is_the_same_for_the_same_seed():
    index = list(CONDITIONS).index("brief")
    assert _run(index, 5) == _run(index, 5)
