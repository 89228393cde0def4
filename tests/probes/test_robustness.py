from __future__ import annotations

import time

import numpy as np
import pytest

from copilot.probes.corruptions import CORRUPTIONS
from copilot.probes.robustness import Robustness
from tests.probes.changed_images import by_colour, examined, images, quiet, sample, softmax


def _fragile(pictures: np.ndarray) -> np.ndarray:
    """Right only where one pixel of each image is as it was: its last digit is the class."""
    return softmax(8.0 * np.eye(3)[pictures[:, 9, 9, 0] % 3])


def _secret(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    pictures[:, 9, 9, 0] = 120 + (labels - 120) % 3
    return pictures


def test_a_sturdy_model_passes_and_every_corruption_is_told():
    outcome = Robustness().probe(examined(by_colour, n=90), quiet).outcome
    assert outcome.state == "passed"
    assert outcome.value("mild_loss") < 0.05
    told = {item.source.split(",")[0] for item in outcome.evidence if item.name == "accuracy_fall"}
    assert told == set(CORRUPTIONS)
    mean = outcome.evidence[0]
    assert mean.name == "mean_corruption_accuracy"
    assert mean.source == "validation, 90 images, strengths 1 to 5"
    assert "budget_s" not in outcome.summary
    assert mean.low <= mean.value <= mean.high


def test_a_model_of_single_pixels_breaks_at_once():
    probed = Robustness().probe(examined(_fragile, _secret, _secret, n=90), quiet)
    outcome = probed.outcome
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert outcome.value("breaks_at_strength") == 1
    assert any("loss of 33 %" in e.source for e in outcome.evidence if e.name == "breaks_at_strength")
    assert outcome.value("accuracy_before") == 1.0
    assert outcome.value("mild_loss") > 0.6
    assert len(probed.pictures) == 1
    assert probed.pictures[0].finding_code == "OVF306"


def test_a_model_that_knows_nothing_has_nothing_to_lose():
    outcome = Robustness().probe(examined(lambda x: np.full((len(x), 3), 1 / 3), n=60), quiet).outcome
    assert outcome.state == "not_applicable"


def test_fewer_images_and_strengths_where_time_is_short():
    seen = []

    def slow(pictures: np.ndarray) -> np.ndarray:
        seen.append(len(pictures))
        time.sleep(0.0004 * len(pictures))
        return by_colour(pictures)

    given = examined(by_colour, n=90)
    given = type(given)(given.train, given.val, given.class_names, predict=slow)
    outcome = Robustness(Robustness.Thresholds(budget_s=0.3)).probe(given, quiet).outcome
    n = outcome.value("images_corrupted")
    assert 10 <= n < 90
    assert f"on {n} validation images" in outcome.summary
    assert sum(seen) < 90 * 36
    assert f"allowed {n} of 90 images at strengths 1, 2 and 4" in outcome.summary
    assert outcome.evidence[0].source == f"validation, {n} of 90 images, strengths 1, 2 and 4"


def test_without_images():
    pictures, labels = images(30, 0)
    given = examined(by_colour, n=30)
    bare = type(given.val)(None, labels, (), sample(pictures, labels, by_colour).probabilities, 30)
    outcome = Robustness().probe(type(given)(given.train, bare, given.class_names, predict=by_colour), quiet).outcome
    assert outcome.state == "not_applicable"


def test_same_seed_same_numbers():
    given = examined(_fragile, _secret, _secret, n=40)
    first, second = (Robustness().probe(given, quiet).outcome for _ in range(2))
    assert first == second
    assert first.value("mild_loss") == pytest.approx(second.value("mild_loss"))
