import numpy as np
import pytest

from copilot.core.checks.generalisation_gap import GapThresholds, GeneralisationGap
from copilot.core.detector import detect
from copilot.core.history import RunHistory
from tests.core.curves import healthy, with_accuracy


def outcome(history, **thresholds):
    return detect([history], [GeneralisationGap(GapThresholds(**thresholds))])[0][0]


def test_gap_of_scores_is_measured_in_points():
    found = outcome(with_accuracy(0.99, 0.79))
    assert found.state == "issue"
    assert found.value("gap_final", "accuracy") == pytest.approx(0.2, abs=0.01)
    assert found.value("train_final", "accuracy") == pytest.approx(0.98, abs=0.02)
    assert "points" in found.summary


def test_threshold_is_the_users():
    assert outcome(with_accuracy(0.95, 0.80)).state == "issue"
    assert outcome(with_accuracy(0.95, 0.80), train_val_gap=0.3).state == "passed"


def test_memorising_needs_a_training_error_far_below_the_validation_error():
    assert outcome(with_accuracy(0.999, 0.75)).value("error_ratio") is not None
    assert outcome(with_accuracy(0.80, 0.60)).value("error_ratio") is None


def test_small_gap_passes_with_evidence():
    found = outcome(healthy())
    assert found.state == "passed"
    assert found.evidence


def test_training_only_is_not_applicable():
    assert outcome(RunHistory.from_arrays(train_loss=[1.0, 0.5, 0.3])).state == "not_applicable"


def test_loss_gaps_are_a_share_of_what_was_there_to_lose():
    n = 20
    below_zero = RunHistory.from_arrays(train_loss=0.01 - 0.3 * np.arange(n), val_loss=0.02 - 0.29 * np.arange(n))
    assert outcome(below_zero).value("gap_share") < 10
    from_zero = RunHistory.from_arrays(train_loss=[0.0] * n, val_loss=1e-3 * np.arange(n))
    assert 80 < outcome(from_zero).value("gap_share") <= 100
    assert outcome(RunHistory.from_arrays(train_loss=[0.0] * n, val_loss=[0.0] * n)).value("gap_share") == 0


def test_the_worst_pair_leads_the_evidence():
    small, wide = np.linspace(2, 1, 20), np.linspace(2, 0.1, 20)
    found = outcome(RunHistory.from_arrays(train_loss=small, val_loss=small, train_z_loss=wide, val_z_loss=small))
    assert found.evidence[0].quantity == "z_loss"
    assert "z_loss" in found.summary


def test_the_gap_has_an_interval_over_images_where_their_number_is_known():
    few, many, unknown = (
        outcome(with_accuracy(0.9, 0.7, params=params)) for params in ({"n_val": 50}, {"n_val": 50000}, {})
    )
    widths = []
    for found in (few, many, unknown):
        gap = next(e for e in found.evidence if e.name == "gap_final" and e.quantity == "accuracy")
        assert gap.low <= gap.value <= gap.high
        widths.append(gap.high - gap.low)
    assert widths[0] > 0.2 > 0.02 > widths[1]
    assert widths[2] < 0.01, "without the number of images it speaks of the epochs' spread only"


def test_a_gap_that_few_images_explain_is_not_told_as_one():
    found = outcome(with_accuracy(0.95, 0.83, params={"n_val": 12}))
    assert found.state == "passed"
    assert "12 validation images are too few" in found.summary
    assert found.value("validation_images") == 12
    assert outcome(with_accuracy(0.95, 0.83, params={"n_val": 500})).state == "issue"
