import dataclasses
import math

import numpy as np
import pytest

from copilot.probes.calibration import Calibration, best_temperature, calibration_errors
from tests.probes.made import answers, examined, probed, sample, split

NONE = np.zeros(0, dtype=int)


def calibrated(n, seed, temperature=1.0):
    """Labels drawn from a model's own probabilities, which are then sharpened by `temperature`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = np.exp(logits / temperature)
    return sample(labels, said / said.sum(axis=1, keepdims=True))


def test_sure_of_what_it_gets_wrong_on_validation_alone():
    found = probed(Calibration(), examined(split(500, 10, 0.99, 0.99), split(500, 10, 0.6, 0.95))).outcome
    assert (found.state, found.severity) == ("issue", "high")
    over = found.evidence[0]
    assert over.value == pytest.approx(0.35, abs=0.01)
    assert over.low < 0.35 < over.high
    assert found.value("temperature") > 1.5
    assert found.value("val_nll_at_temperature") < found.value("val_nll")
    assert found.value("calibration_error") > found.value("calibration_error_by_chance")


def test_over_confidence_on_both_splits_alike_is_no_overfitting():
    found = probed(Calibration(), examined(split(500, 10, 0.7, 0.95), split(500, 10, 0.7, 0.95, seed=1))).outcome
    assert found.state == "passed"
    assert "This is no overfitting" in found.summary


def test_a_model_that_is_too_unsure_passes_and_says_so():
    found = probed(Calibration(), examined(split(200, 4, 0.95, 0.7), split(200, 4, 0.95, 0.7, seed=1))).outcome
    assert found.state == "passed"
    assert "points too unsure" in found.summary


def test_a_calibrated_model_passes_and_its_error_is_that_of_chance():
    found = probed(Calibration(), examined(calibrated(3000, 0), calibrated(3000, 1))).outcome
    assert found.state == "passed"
    assert abs(found.value("val_overconfidence")) < 0.02
    assert found.value("calibration_error") <= 1.2 * found.value("calibration_error_by_chance")
    assert found.value("temperature") == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_temperature_that_was_taken_out_is_found(temperature):
    found, loss = best_temperature(calibrated(4000, 2, temperature), NONE)
    assert found == pytest.approx(1 / temperature, rel=0.1)
    assert loss == pytest.approx(best_temperature(calibrated(4000, 2), NONE)[1], abs=1e-3)


def test_the_interval_holds_its_truth():
    inside = 0
    for seed in range(100):
        over = probed(Calibration(), examined(calibrated(150, seed), calibrated(150, 1000 + seed))).outcome.evidence[0]
        inside += over.low <= 0 <= over.high
    assert inside >= 92


def test_chance_level_covers_calibrated_models():
    errors = [calibration_errors(calibrated(300, seed)) for seed in range(100)]
    assert sum(error <= chance for error, chance, _ in errors) >= 88
    assert np.median([unbiased for _, _, unbiased in errors]) < np.median([error for error, _, _ in errors])


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_all_right_and_all_wrong_have_no_best_temperature(accuracy):
    found = probed(Calibration(), examined(split(60, 2, accuracy, 0.9), split(60, 2, accuracy, 0.9))).outcome
    assert found.value("temperature") is None
    assert all(math.isfinite(e.value) for e in found.evidence)


def test_one_class_and_few_images_are_not_applicable():
    assert probed(Calibration(), examined(split(60, 1, 1.0, 1.0), split(60, 1, 1.0, 1.0))).outcome.state == (
        "not_applicable"
    )
    few = probed(Calibration(), examined(split(60, 2, 0.9, 0.9), split(29, 2, 0.9, 0.9))).outcome
    assert few.state == "not_applicable"
    assert "29 validation images" in few.summary


def test_a_thousand_classes():
    found = probed(Calibration(), examined(split(2000, 1000, 0.99, 0.98), split(1000, 1000, 0.5, 0.9))).outcome
    assert found.state == "issue"


def test_labels_beyond_the_model_keep_their_capped_loss_out_of_the_temperature():
    train, val = split(200, 4, 0.9, 0.8), split(200, 4, 0.9, 0.8, seed=1)
    foreign = sample(np.where(np.arange(200) < 5, 4, val.labels), val.probabilities)
    found = probed(Calibration(), examined(train, foreign)).outcome
    assert "5 images have labels that the model does not know" in found.summary
    assert foreign.losses[:5] == pytest.approx(-math.log(1e-12))
    kept = sample(val.labels[5:], val.probabilities[5:])
    assert found.value("temperature") == pytest.approx(best_temperature(kept, NONE)[0], rel=1e-4)


def test_the_surest_mistakes_are_shown_first():
    n = 60
    labels, sure = np.arange(n) % 3, np.linspace(0.6, 0.99, n)
    images = np.zeros((n, 8, 8, 1), dtype=np.uint8)
    val = sample(labels, answers(labels, np.arange(n) < 30, sure, 3), images)
    picture = probed(Calibration(), examined(split(60, 3, 1.0, 0.99), val)).pictures[0]
    assert picture.finding_code == "OVF302"
    assert probed(Calibration(), examined(val, split(60, 3, 1.0, 0.9, pictures=True))).pictures == ()  # no mistakes


def test_classes_alone_are_not_judged_and_a_confidence_is_without_losses():
    train, val = split(500, 10, 0.99, 0.99), split(500, 10, 0.6, 0.95)
    found = {
        certainty: probed(Calibration(), examined(train, dataclasses.replace(val, certainty=certainty))).outcome
        for certainty in ("classes", "confidence")
    }
    assert found["classes"].state == "not_applicable"
    assert "how sure the model is" in found["classes"].summary
    assert found["confidence"].state == "issue"
    assert {"val_nll", "temperature"}.isdisjoint(e.name for e in found["confidence"].evidence)
    assert "temperature" not in found["confidence"].summary
