"""The list of comparison checks and their thresholds from the settings, each with its page."""

import re

import pytest

from copilot.core.checks import BUILT_IN as CURVE_CHECKS
from copilot.core.checks.describe import describe
from copilot.core.comparisons import BUILT_IN, load_all_checks
from copilot.errors import ConfigError


def test_codes_are_one_family_in_order_and_titles_differ():
    assert [c.code for c in BUILT_IN] == ["OVF201", "OVF202", "OVF203", "OVF204", "OVF205"]
    assert len({c.title for c in (*BUILT_IN, *CURVE_CHECKS)}) == len(BUILT_IN) + len(CURVE_CHECKS)


def test_checks_of_one_run_and_of_a_group_are_made_together():
    curve, group = load_all_checks({"OVF205": {"drop_score": 0.03}, "OVF101": {"train_val_gap": 0.2}})
    assert [c.code for c in curve] == [c.code for c in CURVE_CHECKS]
    assert [c.code for c in group] == [c.code for c in BUILT_IN]
    assert group[4].thresholds.drop_score == 0.03
    assert curve[0].thresholds.train_val_gap == 0.2


@pytest.mark.parametrize(
    ("overrides", "ignore", "named"),
    [
        ({"OVF209": {}}, (), "did you mean 'detection.checks.OVF20"),
        ({"OVF201": {"min_fold": 4}}, (), "did you mean 'detection.checks.OVF201.min_folds'"),
        ({"OVF201": {"min_folds": 1}}, (), "detection.checks.OVF201.min_folds"),
        ({"OVF203": {"alpha": "much"}}, (), "detection.checks.OVF203.alpha"),
        ({}, ("OVF299",), "detection.ignore.OVF299"),
    ],
)
def test_wrong_settings_are_told(overrides, ignore, named):
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_all_checks(overrides, ignore=ignore)


def test_known_codes_and_those_of_other_tools_can_be_muted():
    assert load_all_checks(ignore=("OVF201", "OVF513"))


@pytest.mark.parametrize("check", BUILT_IN, ids=lambda c: c.code)
def test_each_has_a_page_with_its_reason_source_and_limits(check):
    page = describe(check(), {check.code: "known"})
    assert page.muted == "known"
    assert all(t.description.endswith(".") for t in page.thresholds)
    starts = [part.split(":")[0] for part in page.explanation.split("\n\n")]
    assert starts[-3:] == ["Why it matters", "Source", "When it is wrong"]
    assert len(starts) >= 4
