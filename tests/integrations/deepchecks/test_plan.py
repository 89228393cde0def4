"""What a suite runs: built-in suites, own ones, checks of ours, limits, and names that do not exist."""

from __future__ import annotations

import pytest

from copilot.errors import ConfigError, InputError
from copilot.integrations.deepchecks.catalogue import CHECKS, CONDITIONS, NEED_PREDICTIONS, SUITES
from copilot.integrations.deepchecks.plan import nearest, planned, suite_names, thresholds_of
from copilot.utils.config import DeepchecksSettings, load_settings


def test_built_in_suites_name_each_check_once():
    for names in SUITES.values():
        assert len(set(names)) == len(names)
        assert set(names) <= set(CHECKS)
    assert set(CONDITIONS) | NEED_PREDICTIONS <= set(CHECKS)
    assert list(planned("data_integrity", DeepchecksSettings())) == list(SUITES["data_integrity"])


def test_checks_of_ours_come_after_the_suite_once():
    settings = DeepchecksSettings(
        suites={"mine": ["OverfittingAnalysis", {"LabelDrift": {"min_samples": 5}, "NewLabels": {}}]},
        custom_checks=["overfitting_analysis", "data_drift_detection", "LabelDrift", "unheard_of"],
    )
    assert planned("mine", settings) == {
        "OverfittingAnalysis": {},
        "LabelDrift": {"min_samples": 5},
        "NewLabels": {},
        "DataDriftDetection": {},
    }
    assert suite_names(settings) == [*SUITES, "mine"]


@pytest.mark.parametrize(
    ("suites", "suite", "kind", "told"),
    [
        ({"mine": ["labeldrift"]}, "full", ConfigError, "Did you mean LabelDrift?"),
        ({"mine": [{"overfiting_analysis": {}}]}, "mine", ConfigError, "Did you mean overfitting_analysis?"),
        ({"mine": ["LabelDrift", "LabelDrift"]}, "mine", ConfigError, "names LabelDrift twice"),
        ({"mine": []}, "mine", ConfigError, "names no check"),
        ({"full": ["LabelDrift"]}, "full", ConfigError, "full is a suite that is built in"),
        ({"nightly": ["LabelDrift"]}, "nightli", InputError, "Did you mean nightly?"),
        ({}, "x\x1b[31m", InputError, "There is no suite called 'x [31m'"),
    ],
)
def test_what_does_not_exist_is_one_line(suites, suite, kind, told):
    with pytest.raises(kind) as caught:
        planned(suite, DeepchecksSettings(suites=suites))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits_are_by_class():
    settings = DeepchecksSettings(thresholds={"overfitting_analysis": {"max_gap": 0.2}, "LabelDrift": {}})
    assert thresholds_of(settings) == {"OverfittingAnalysis": {"max_gap": 0.2}, "LabelDrift": {}}
    with pytest.raises(ConfigError, match=r"thresholds: there is no check called 'LabelsDrift'\."):
        thresholds_of(DeepchecksSettings(thresholds={"LabelsDrift": {}}))


def test_the_settings_file_holds_suites_and_limits(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "deepchecks:\n"
        "  suite: nightly\n"
        "  suites:\n"
        "    nightly: [LabelDrift, ConfusionMatrixReport: {iou_threshold: 0.7}]\n"
        "  thresholds:\n"
        "    ImagePropertyDrift: {max_allowed_drift_score: 0.3}\n"
    )
    settings = load_settings(file).deepchecks
    assert planned(settings.suite, settings) == {"LabelDrift": {}, "ConfusionMatrixReport": {"iou_threshold": 0.7}}
    assert thresholds_of(settings) == {"ImagePropertyDrift": {"max_allowed_drift_score": 0.3}}
    file.write_text("deepchecks:\n  suites: {nightly: LabelDrift}\n")
    with pytest.raises(ConfigError, match=r"deepchecks\.suites"):
        load_settings(file)


def test_the_nearest_name_minds_no_capitals():
    assert nearest("LABELDRIFT", CHECKS) == "LabelDrift"
    assert nearest("zzz", CHECKS) is None
