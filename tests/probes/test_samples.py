import numpy as np
import pytest

from copilot.core.checks.describe import describe
from copilot.probes import BUILT_IN
from copilot.probes.calibration import Calibration
from copilot.probes.class_gap import ClassGap
from copilot.probes.memorisation import Memorisation
from copilot.probes.prober import run_probes
from copilot.probes.samples import unknown_classes
from copilot.probes.weights import WeightSpectra
from tests.probes.made import examined, sample, split

OF_PREDICTIONS = (ClassGap, Calibration, Memorisation)


def states(of):
    return {found.outcome.code: found.outcome for found in run_probes(of, [probe() for probe in OF_PREDICTIONS])}


def broken(change):
    given = split(50, 3, 0.9, 0.9)
    probabilities = given.probabilities.copy()
    change(probabilities)
    return states(examined(given, sample(given.labels, probabilities)))


def test_values_that_are_not_numbers_are_an_error_with_what_to_do():
    def change(p):
        p[3, 1] = np.nan

    for outcome in broken(change).values():
        assert outcome.state == "error"
        assert "1 of 50 validation images" in outcome.summary
        assert "NaN" in outcome.summary


def test_logits_are_an_error():
    def change(p):
        p *= 5

    assert {outcome.state for outcome in broken(change).values()} == {"error"}


def test_too_few_images_are_not_applicable():
    for n in (0, 1, 29):
        few = sample(np.zeros(n, dtype=int), np.full((n, 2), 0.5))
        found = states(examined(split(50, 2, 0.9, 0.9), few))
        assert {outcome.state for outcome in found.values()} == {"not_applicable"}
        assert all(f"{n} validation images" in outcome.summary for outcome in found.values())


def test_other_numbers_of_classes_and_negative_labels_are_errors():
    found = states(examined(split(50, 3, 0.9, 0.9), split(50, 2, 0.9, 0.9)))
    assert {outcome.state for outcome in found.values()} == {"error"}
    good = split(50, 2, 0.9, 0.9)
    found = states(examined(good, sample(good.labels - 1, good.probabilities)))
    assert {outcome.state for outcome in found.values()} == {"error"}


def test_labels_the_model_does_not_know_are_counted_with_and_without_empty_columns():
    val = split(50, 2, 0.9, 0.9)
    labels = np.where(np.arange(50) < 4, 2, val.labels)
    padded = np.hstack([val.probabilities, np.zeros((50, 1))])
    for of in (
        examined(val, sample(labels, val.probabilities)),
        examined(sample(val.labels, padded), sample(labels, padded)),
    ):
        unknown, words = unknown_classes(of)
        assert list(unknown) == [2]
        assert words.startswith("4 images have labels")
        assert all("does not know" in outcome.summary for outcome in states(of).values())


@pytest.mark.parametrize("probe", [*OF_PREDICTIONS, WeightSpectra])
def test_every_probe_has_its_page(probe):
    page = describe(probe())
    assert probe in BUILT_IN
    assert page.claim.endswith(".")
    assert page.measures
    assert page.why_it_matters
    assert "arXiv" in page.source or "JASA" in page.source
    assert page.when_it_is_wrong
    assert all(threshold.description for threshold in page.thresholds)
