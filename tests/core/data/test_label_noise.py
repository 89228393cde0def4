"""OVF403's sentences and states, from estimates written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.checks.describe import describe
from copilot.core.data.label_noise import LabelNoise, SplitNoise
from copilot.core.data.noise_model import NoiseFit

NAMES = ("cat", "dog")


def _split(rate: float, *, sharpness: float = 1.0, highest: float | None = None, split: str = "train") -> SplitNoise:
    n = 1000
    suspicion = np.zeros(n)
    suspicion[: round(rate * n)] = 1.0
    true = np.tile([sharpness, 1 - sharpness], (n, 1))
    fit = NoiseFit(rate, rate, highest or rate, np.array([[1 - rate, rate], [0.0, 1.0]]), true, true)
    labels = np.ones(n, np.int64)
    return SplitNoise(split, np.arange(n), labels, labels - 1, suspicion, 0.0, 0.0, fit, "classical features", 0.5)


@pytest.mark.parametrize(("rate", "severity"), [(0.05, "low"), (0.12, "medium"), (0.3, "high")])
def test_wrong_labels_are_told_with_their_rate_and_the_mistake(rate: float, severity: str):
    outcome = LabelNoise().judge([_split(rate)], NAMES)
    assert (outcome.state, outcome.severity) == ("issue", severity)
    assert outcome.value("noise_rate_train") == rate
    assert outcome.value("suspicious_labels_train") == rate * 1000
    assert f"About {rate * 100:.0f} % of the training labels are wrong" in outcome.summary
    assert f"{rate * 100:.0f} % of cat are labelled dog" in outcome.summary
    low, high = next((e.low, e.high) for e in outcome.evidence if e.name == "noise_rate_train")
    assert low < rate < high


def test_what_a_weak_classifier_cannot_tell_is_no_issue():
    outcome = LabelNoise().judge([_split(0.05, sharpness=0.6)], NAMES)
    assert outcome.state == "passed"
    assert "cannot be told from hard images" in outcome.summary


def test_a_wide_interval_gives_no_number():
    outcome = LabelNoise().judge([_split(0.3, highest=0.6)], NAMES)
    assert outcome.summary.startswith("Between ")
    assert "cannot tell closer" in outcome.summary


def test_the_bias_is_taken_off():
    from dataclasses import replace

    split = replace(_split(0.1), bias=0.04)
    assert LabelNoise().judge([split], NAMES).value("noise_rate_train") == pytest.approx(0.06)


def test_without_an_estimate_it_does_not_apply():
    outcome = LabelNoise().judge([], NAMES, why_not="Too few.")
    assert (outcome.state, outcome.summary) == ("not_applicable", "Too few.")


def test_its_page_has_all_parts():
    page = describe(LabelNoise())
    assert page.claim
    assert page.why_it_matters
    assert page.source
    assert page.when_it_is_wrong
    assert {t.name for t in page.thresholds} >= {"rate", "doubt", "widest"}
