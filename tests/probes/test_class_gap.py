import dataclasses

import numpy as np
import pytest

from copilot.probes.class_gap import ClassGap, ClassGapThresholds, _more_errors_p, holm
from copilot.probes.samples import only_guesses
from tests.probes.made import answers, examined, probed, sample, split


def outcome(of, **thresholds):
    return probed(ClassGap(ClassGapThresholds(**thresholds)), of).outcome


def test_a_wide_gap_is_an_issue_with_its_interval():
    found = outcome(examined(split(1000, 10, 0.99, 0.9), split(500, 10, 0.70, 0.9)))
    gap = found.evidence[0]
    assert (found.state, found.severity) == ("issue", "high")
    assert gap.value == pytest.approx(0.29)
    assert 0.2 < gap.low < 0.29 < gap.high < 0.36
    assert gap.source == "probe:class_gap"
    assert "99.0 %" in found.summary
    assert "70.0 %" in found.summary


def test_alike_splits_pass():
    found = outcome(examined(split(1000, 10, 0.9, 0.9), split(500, 10, 0.9, 0.9, seed=1)))
    assert (found.state, found.severity) == ("passed", "none")


def test_a_gap_on_few_images_is_not_told_from_none():
    found = outcome(examined(split(40, 2, 1.0, 0.9), split(40, 2, 0.875, 0.9)))
    assert found.state == "passed"
    assert "cannot tell" in found.summary
    assert found.confidence == 0.5


def test_the_one_bad_class_is_named():
    labels = np.arange(2000) % 10
    val = sample(labels, answers(labels, (labels != 3) | (np.arange(2000) % 3 == 0), 0.9, 10))
    found = outcome(examined(split(2000, 10, 0.98, 0.9), val))
    assert found.state == "issue"
    assert found.severity == "low"  # the gap over all images is below its limit
    assert "Worst in c3 (" in found.summary
    assert found.value("class_gap", "c3") > 0.5
    assert [e.quantity for e in found.evidence if e.name == "class_gap"] == ["c3"]


def test_a_class_whose_name_is_a_number_is_called_a_class():
    labels = np.arange(2000) % 10
    val = sample(labels, answers(labels, (labels != 3) | (np.arange(2000) % 3 == 0), 0.9, 10))
    of = dataclasses.replace(examined(split(2000, 10, 0.98, 0.9), val), class_names=tuple("0123456789"))
    found = outcome(of)
    assert "Worst in class 3 (" in found.summary
    assert found.value("class_gap", "3") > 0.5


def test_small_classes_do_not_cry_wolf():
    """A thousand classes of a dozen images at one true accuracy: some have wide gaps by chance, none is told."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 12)
    train, val = (sample(labels, answers(labels, rng.random(12000) < 0.8, 0.9, 1000)) for _ in range(2))
    found = outcome(examined(train, val))
    assert found.state == "passed"
    gaps = [train.correct[labels == k].mean() - val.correct[labels == k].mean() for k in range(1000)]
    assert max(gaps) > 0.4  # beyond its limit, by chance
    assert "class_gap" not in [e.name for e in found.evidence]
    assert "on 12,000 training images" in found.summary
    assert "Worst" not in found.summary


def test_classes_without_validation_images_are_said():
    train, val = split(300, 6, 0.9, 0.9), split(300, 3, 0.9, 0.9)
    val = sample(val.labels, answers(val.labels, val.correct, 0.9, 6))
    found = outcome(examined(train, val))
    assert "No images in validation of c3, c4, c5" in found.summary
    assert found.value("classes_missing") == 3
    sampled = dataclasses.replace(val, total=9000)
    assert "the sample of validation" in outcome(examined(train, sampled)).summary


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
@pytest.mark.parametrize("classes", [1, 2])
def test_all_right_and_all_wrong(accuracy, classes):
    found = outcome(examined(split(60, classes, accuracy, 0.9), split(60, classes, accuracy, 0.9)))
    assert found.state == ("passed" if accuracy or classes == 1 else "issue")
    assert found.evidence[0].value == 0


def test_a_model_that_only_guesses_on_training_images_is_told_first():
    found = outcome(examined(split(300, 10, 0.08, 0.9), split(300, 10, 0.1, 0.9)))
    assert (found.state, found.severity) == ("issue", "high")
    assert "another order" in found.summary


def test_hostile_class_names_are_cleaned():
    of = examined(split(1000, 2, 0.99, 0.9), split(500, 2, 0.5, 0.9))
    of = dataclasses.replace(of, class_names=("a\x1b[31m\nred\u202e" + "x" * 500, "b"))
    found = outcome(of)
    assert "\x1b" not in found.summary
    assert "\u202e" not in found.summary
    assert len(found.summary) < 600


def test_holm_and_fisher():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.zeros(0)).shape == (0,)
    p = _more_errors_p(np.array([1]), np.array([10]), np.array([7]), np.array([10]))
    assert p[0] == pytest.approx(0.00988, abs=1e-4)  # of the table 1 9 / 7 3, one-sided


def test_a_handful_of_images_is_no_guessing():
    found = outcome(examined(split(6, 3, 0.0, 0.9), split(6, 3, 0.0, 0.9)))
    assert found.state == "not_applicable"
    assert only_guesses(examined(split(6, 3, 0.0, 0.9), split(6, 3, 0.0, 0.9))) == ""
