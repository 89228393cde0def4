from __future__ import annotations

import numpy as np
import pytest

from copilot.probes.augmentation import Augmentation
from copilot.probes.changes import MILD, changes_for
from tests.probes.changed_images import by_colour, examined, images, quiet, softmax


def _swapped(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pictures[..., ::-1])


def _by_heart(known: np.ndarray, labels: np.ndarray):
    """A model that knows its training images pixel by pixel, and else guesses by colour, right half of the time."""
    table = {image.tobytes(): int(label) for image, label in zip(known, labels, strict=True)}

    def predict(pictures: np.ndarray) -> np.ndarray:
        found = by_colour(pictures)
        odd = pictures[:, ::3, ::3].sum(axis=(1, 2, 3)) % 2 == 0
        found[odd] = found[odd][:, [1, 2, 0]]
        for row, image in zip(found, pictures, strict=True):
            if (label := table.get(image.tobytes())) is not None:
                row[:] = np.eye(3)[label]
        return found

    return predict


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


def test_training_images_known_by_heart_are_of_low_severity():
    pictures, labels = images(150, 1)
    outcome = Augmentation().probe(examined(_by_heart(pictures, labels)), quiet).outcome
    assert (outcome.state, outcome.severity) == ("issue", "low")
    assert "Training images are known as they are" in outcome.summary
    assert outcome.evidence[0].source.rpartition(",")[0] in MILD


def test_a_change_that_breaks_labels_everywhere_is_no_issue():
    """As mirroring is for digits: here the class is the side of a bar."""

    def bar(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
        pictures[:] = 60
        for picture, label in zip(pictures, labels, strict=True):
            picture[8:24, (4, 14, 24)[label] : (4, 14, 24)[label] + 5] = 220
        return pictures

    def side(pictures: np.ndarray) -> np.ndarray:
        third = pictures.shape[2] // 3
        return softmax(
            np.stack([pictures[:, 8:24, k * third : (k + 1) * third].mean(axis=(1, 2, 3)) for k in range(3)], 1)
        )

    assert Augmentation().probe(examined(side, bar, bar, n=90), quiet).outcome.state == "passed"


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
