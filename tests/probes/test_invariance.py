from __future__ import annotations

import numpy as np

from copilot.core.remedies import BY_CODE
from copilot.core.testimony import TESTIMONIES
from copilot.probes.augmentation import Augmentation
from copilot.probes.changes import MILD
from copilot.probes.invariance import Invariance
from tests.probes.changed_images import by_colour, examined, images, quiet, softmax


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


def test_training_images_known_by_heart_are_of_low_severity():
    pictures, labels = images(150, 1)
    outcome = Invariance().probe(examined(_by_heart(pictures, labels)), quiet).outcome
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

    assert Invariance().probe(examined(side, bar, bar, n=90), quiet).outcome.state == "passed"


def test_what_is_known_by_heart_is_no_fault_of_the_loader():
    """The two findings have codes of their own: only a mismatch speaks for images of another kind."""
    pictures, labels = images(150, 1)
    given = examined(_by_heart(pictures, labels))
    assert Augmentation().probe(given, quiet).outcome.state == "passed"
    assert "OVF309" not in {t.code for t in TESTIMONIES}
    assert [remedy.id for remedy in BY_CODE["OVF309"]] == ["augment"]


def test_an_honest_model_passes_and_few_images_are_asked():
    seen = []

    def predict(pictures: np.ndarray) -> np.ndarray:
        seen.append(len(pictures))
        return by_colour(pictures)

    given = examined(predict, n=90)
    seen.clear()
    outcome = Invariance().probe(given, quiet).outcome
    assert outcome.state == "passed"
    assert "leave the training images known" in outcome.summary
    assert sum(seen) <= 2 * 90 * (len(MILD) + 1) + 4 * 16


def test_a_model_that_knows_nothing_and_few_images():
    guess = examined(lambda x: np.full((len(x), 3), 1 / 3), n=60)
    assert Invariance().probe(guess, quiet).outcome.state == "not_applicable"
    assert Invariance().probe(examined(by_colour, n=6), quiet).outcome.state == "not_applicable"
