from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from copilot.probes.augmentation import Augmentation, _whose
from copilot.probes.changes import MILD, changes_for
from copilot.probes.paired import Tried
from tests.probes.changed_images import by_colour, examined, quiet


def _swapped(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pictures[..., ::-1])


def test_swapped_channels_of_validation_alone_are_told():
    outcome = Augmentation().probe(examined(by_colour, None, _swapped, n=90), quiet).outcome
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "swapping red and blue" in outcome.summary
    assert "it is the validation images" in outcome.summary
    first = outcome.evidence[0]
    assert first.source == "swapping red and blue, validation"
    assert first.value == pytest.approx(2 / 3, abs=0.05)
    assert first.low > 0.5


def test_swapped_channels_of_both_splits_are_the_way_images_are_given():
    outcome = Augmentation().probe(examined(by_colour, _swapped, _swapped, n=90), quiet).outcome
    assert outcome.state == "issue"
    assert "how images are given to the model here" in outcome.summary


def test_an_honest_model_passes():
    probed = Augmentation().probe(examined(by_colour, n=90), quiet)
    assert (probed.outcome.state, probed.pictures) == ("passed", ())


@pytest.mark.parametrize("shape", [(2, 28, 28, 1), (2, 20, 32, 3), (2, 16, 16, 4)], ids=str)
def test_changes_keep_shape_type_and_the_images(shape):
    given = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    kept = given.copy()
    changes = changes_for(shape)
    for change in changes.values():
        made = np.ascontiguousarray(change(given))
        assert (made.shape, made.dtype) == (shape, np.uint8)
        assert (made != given).any()
    assert (given == kept).all()
    assert ("swapping red and blue" in changes) == (shape[3] >= 3)
    assert ("transposing" in changes) == (shape[1] == shape[2])
    assert set(MILD) <= set(changes)


def test_alpha_is_left_alone():
    given = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 4), dtype=np.uint8)
    for name in ("swapping red and blue", "inverting intensities", "taking colours away"):
        assert (changes_for(given.shape)[name](given)[..., 3] == given[..., 3]).all()


def test_few_images():
    assert Augmentation().probe(examined(by_colour, n=6), quiet).outcome.state == "not_applicable"


def test_a_gain_of_few_training_images_is_neither_theirs_nor_not():
    """One of ten training images gains: that is no test."""
    rng = np.random.default_rng(0)
    before, after = {"validation": np.zeros(90, bool)}, {"validation": rng.random(90) < 0.3}
    before["training"], after["training"] = np.arange(10) > 3, np.arange(10) > 1
    said = _whose(Tried("zooming in by 10 %", before, after), Augmentation().thresholds)
    assert "cannot be told on 10 of them" in said


def test_what_time_cut_is_said_and_stands_in_the_source():
    def slow(pictures: np.ndarray) -> np.ndarray:
        time.sleep(0.001 * len(pictures))
        return by_colour(pictures)

    given = dataclasses.replace(examined(by_colour, n=60), predict=slow)
    outcome = Augmentation(Augmentation.Thresholds(budget_s=0.5)).probe(given, quiet).outcome
    n = outcome.value("images_changed")
    assert n < 60
    assert f"allowed {n} of 60 images of each split" in outcome.summary
    assert outcome.evidence[0].source.endswith(f"validation, {n} of 60 images")
