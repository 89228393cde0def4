"""What other witnesses say moves the causes of overfitting, and is named."""

from __future__ import annotations

import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.findings import Outcome
from copilot.core.testimony import TESTIMONIES
from copilot.core.testimony import testimony as heard
from tests.core.curves import healthy, overfitting, with_accuracy


def outcome(code, state="issue", severity="medium"):
    return Outcome(code=code, title=code, state=state, severity=severity, summary=f"{code} was found.")


def causes(history, *extra):
    (analysis,) = analyse([history], [{"kind": "model"}], load_checks(), extra=extra)
    return {cause.cause: cause for cause in analysis.diagnosis.causes}


def test_a_shortcut_makes_another_kind_of_images_likely():
    before, after = causes(overfitting()), causes(overfitting(), outcome("OVF305"))
    assert "distribution_shift" not in list(before)[:2]
    assert list(after)[:2] == ["trained_too_long", "distribution_shift"]
    assert "OVF305" in after["distribution_shift"].finding_codes


def test_what_passed_speaks_against():
    before, after = (causes(with_accuracy(0.8, 0.5), *extra) for extra in ([], [outcome("OVF514", "passed")]))
    assert after["distribution_shift"].probability < before["distribution_shift"].probability
    assert after["distribution_shift"].against == ("OVF514",)


def test_a_healthy_run_still_has_no_cause():
    assert set(causes(healthy(), outcome("OVF305"))) == {"none"}


@pytest.mark.parametrize("state", ["not_applicable", "skipped", "ignored", "error"])
def test_only_judged_findings_are_heard(state):
    assert heard({t.code: outcome(t.code, state) for t in TESTIMONIES}) == {}


def test_the_gravest_finding_of_the_model_is_told_where_curves_say_nothing():
    from copilot.core.history import RunHistory

    extra = [outcome("OVF306"), outcome("OVF303", severity="high"), outcome("OVF514", severity="low")]
    (analysis,) = analyse([RunHistory.empty()], [{"kind": "model"}], load_checks(), extra=extra)
    assert analysis.diagnosis.verdict == "inconclusive"
    assert analysis.diagnosis.summary.endswith("The model itself: OVF303 was found.")
    assert analysis.recommendations[0].finding_codes[0] == "OVF303"


def test_findings_that_see_the_same_drift_count_once_and_are_all_named():
    drift = [t for t in TESTIMONIES if t.group == "drift"]
    assert len(drift) > 3
    said = heard({t.code: outcome(t.code) for t in drift})["distribution_shift"]
    assert said.score == max(t.issue for t in drift)
    assert said.found == tuple(t.code for t in drift)
    with_mark = heard({t.code: outcome(t.code) for t in drift} | {"OVF305": outcome("OVF305")})
    assert with_mark["distribution_shift"].score == pytest.approx(said.score + 2.5)
    both = heard(
        {"OVF511": outcome("OVF511"), "OVF513": outcome("OVF513", "passed"), "OVF514": outcome("OVF514", "passed")}
    )
    assert both["distribution_shift"] == (pytest.approx(1.0 - 0.6), ("OVF511",), ("OVF513", "OVF514"))
