"""OVF403 from features or held-out predictions to the outcome and its picture."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cleanlab")
from copilot.core.data.label_noise import LabelNoise
from copilot.core.findings import Outcome, Picture
from copilot.errors import InputError
from copilot.integrations.images.arrays import ImageArrays
from copilot.integrations.inspection import noise_estimate
from copilot.integrations.inspection.label_noise import judge_label_noise
from copilot.integrations.inspection.noise_estimate import estimate_noise, out_of_fold
from copilot.integrations.predictions import Predictions

NAMES = ("cat", "dog", "owl")
Data = tuple[ImageArrays, tuple[np.ndarray, np.ndarray], np.ndarray]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_estimate, "_LANDMARKS", 60)


def _data(n: int, share: float, seed: int, name: str) -> Data:
    """Images, features with readability, and which labels are wrong; a class is told by where features lie."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, n)
    features = rng.normal(size=(n, 6))
    features[np.arange(n), true] += 4
    given = true.copy()
    wrong = rng.random(n) < share
    given[wrong] = (given[wrong] + 1) % 3
    images = np.full((n, 8, 8), 50, np.uint8) + (60 * true)[:, None, None].astype(np.uint8)
    found = ImageArrays(name, images, given, NAMES, [f"{name}/{i}" for i in range(n)])
    return found, (features, np.ones(n, bool)), wrong


def _judged(train: Data, val: Data, **more: object) -> tuple[Outcome, tuple[Picture, ...]]:
    return judge_label_noise(train[0], val[0], {"train": train[1], "val": val[1]}, LabelNoise(), **more)


def test_wrong_labels_are_counted_in_each_set_and_shown():
    train, val = _data(900, 0.2, 0, "train"), _data(300, 0.0, 1, "val")
    outcome, pictures = _judged(train, val)
    assert outcome.state == "issue"
    assert outcome.value("noise_rate_train") == pytest.approx(train[2].mean(), abs=0.05)
    assert outcome.value("noise_rate_val") < 0.05
    assert outcome.value("labels_judged_train") == 900
    assert [picture.finding_code for picture in pictures] == ["OVF403"]
    assert "training labels are wrong" in outcome.summary


def test_right_labels_pass():
    outcome, pictures = _judged(_data(600, 0.0, 0, "train"), _data(300, 0.0, 1, "val"))
    assert outcome.state == "passed"
    assert pictures == ()


def test_unreadable_images_and_rare_classes_are_left_out():
    train, val = _data(600, 0.1, 0, "train"), _data(300, 0.1, 1, "val")
    train[1][1][:50] = False
    few = np.flatnonzero(train[0].labels == 2)[:-4]
    train[0].labels[few], val[0].labels[val[0].labels == 2] = 0, 0
    outcome, _ = _judged(train, val)
    assert outcome.value("labels_judged_train") <= 550
    assert "Classes left out for fewer than 10 images: 1." in outcome.summary


def test_too_few_images_do_not_apply():
    outcome, _ = _judged(_data(60, 0.1, 0, "train"), _data(60, 0.1, 1, "val"))
    assert outcome.state == "not_applicable"
    assert "Too few" in outcome.summary


def _predictions(data: Data, features: np.ndarray, noise: float) -> Predictions:
    logits = 2 * features[:, :3] + np.random.default_rng(5).normal(size=(len(features), 3)) * noise
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Predictions("classification", NAMES, np.arange(len(features)), data[0].labels, probabilities)


def test_held_out_predictions_stand_in_for_the_features():
    train, val = _data(600, 0.0, 0, "train"), _data(500, 0.2, 1, "val")
    outcome, _ = _judged(train, val, predictions=_predictions(val, val[1][0], 0.5))
    source = next(e.source for e in outcome.evidence if e.name == "noise_rate_val")
    assert source == "model's held-out predictions"
    assert outcome.value("noise_rate_val") == pytest.approx(val[2].mean(), abs=0.06)


def test_predictions_that_repeat_the_labels_are_not_used():
    train, val = _data(600, 0.0, 0, "train"), _data(500, 0.2, 1, "val")
    heart = np.full((500, 3), 0.01)
    heart[np.arange(500), val[0].labels] = 0.98
    said = Predictions("classification", NAMES, np.arange(500), val[0].labels, heart)
    outcome, _ = _judged(train, val, predictions=said)
    assert "they were not used" in outcome.summary
    assert next(e.source for e in outcome.evidence if e.name == "noise_rate_val") == "classical features"


def test_predictions_on_training_images_are_refused():
    train, val = _data(300, 0.0, 0, "train"), _data(300, 0.0, 1, "val")
    with pytest.raises(InputError, match="was trained on"):
        _judged(train, val, predictions=_predictions(train, train[1][0], 1.0), of="train")


def test_predictions_of_other_images_are_refused():
    train, val = _data(300, 0.0, 0, "train"), _data(300, 0.0, 1, "val")
    longer = _data(400, 0.0, 2, "other")
    with pytest.raises(InputError, match="other images"):
        _judged(train, val, predictions=_predictions(longer, longer[1][0], 1.0))


def test_no_image_is_judged_by_a_classifier_that_saw_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    found = out_of_fold(rng.normal(size=(300, 5)), labels, 3)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found.argmax(1) == labels).mean() < 0.45  # chance


def test_shapes_have_to_fit():
    with pytest.raises(InputError, match="2 rows of probabilities for 3 labels"):
        estimate_noise(np.full((2, 2), 0.5), np.zeros(3, np.int64))
