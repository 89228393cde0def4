"""How results of Deepchecks become outcomes, and the codes that they get. Nothing of Deepchecks is imported."""

from __future__ import annotations

import numpy as np
import pandas as pd

from copilot.integrations.deepchecks.catalogue import CHECKS, CUSTOM_CHECKS, SUITE_CODE, codes_of
from copilot.integrations.deepchecks.evidence import MAX_EVIDENCE, evidence_of
from copilot.integrations.deepchecks.outcomes import outcomes_of
from copilot.integrations.deepchecks.records import CheckRun


def test_codes_never_change_and_never_clash():
    codes = [code for code, _ in CHECKS.values()]
    assert len({*codes, SUITE_CODE}) == len(CHECKS) + 1
    assert all("OVF501" <= code <= "OVF549" for code in codes)
    assert [CHECKS[name][0] for name in CUSTOM_CHECKS.values()] == ["OVF541", "OVF542"]
    assert CHECKS["ClassPerformance"][0] == "OVF501"
    assert CHECKS["NewLabels"][0] == "OVF511"
    names = [f"Check{i}" for i in range(50)]
    first, again = codes_of(names), codes_of(reversed(names))
    assert first == again
    assert {code for code, _ in first.values()} == {f"OVF{n}" for n in range(550, 600)}


def test_conditions_become_states():
    def outcome(*runs):
        (found,) = outcomes_of(runs)
        return found

    value = {"Samples Per Class": {"Drift score": 0.5, "Method": "PSI"}}

    def ran(split, *categories):
        return CheckRun("LabelDrift", split, value, tuple((c, "limit.", f"<b>{c}</b> on {split}") for c in categories))

    assert outcome(ran("train", "PASS")).state == "passed"
    warned = outcome(ran("train", "PASS"), ran("test", "WARN"))
    assert (warned.state, warned.severity) == ("issue", "low")
    assert warned.summary == "test: WARN on test (condition: limit)."
    failed = outcome(ran("train", "WARN"), ran("test", "FAIL"))
    assert (failed.state, failed.severity) == ("issue", "medium")
    assert outcome(ran("", "ERROR")).state == "error"
    assert outcome(ran("")).summary == "Measured; Deepchecks sets no condition."


def test_failures_become_states():
    unfit = [
        CheckRun("NewLabels", split, failure="irrelevant for TaskType.OTHER", expected=True) for split in ("a", "b")
    ]
    (found,) = outcomes_of(unfit)
    assert (found.state, found.summary) == ("not_applicable", "irrelevant for other")
    (found,) = outcomes_of([CheckRun("NewLabels", "", failure="KeyError")])
    assert (found.state, found.evidence) == ("error", ())
    labels = {"new_labels": {}, "all_labels_count": 5}
    (found,) = outcomes_of([CheckRun("NewLabels", "train", labels), CheckRun("NewLabels", "test", failure="boom")])
    assert found.state == "passed"
    assert "test: boom" in found.summary
    (found,) = outcomes_of([CheckRun("NewLabels", "", value="of no known form", conditions=(("FAIL", "c", "d"),))])
    assert found.state == "issue"
    assert "cannot be read" in found.summary


def test_results_of_unknown_checks_are_read_as_they_come():
    table = pd.DataFrame({"Metric": ["AUC\x1b[31m"], "Class Name": ["cat"], "Value": [0.25]})
    value = {"score": np.float32(0.5), "deep": {"a": 1, "b": float("nan")}, "table": table, "text": "x"}
    found = {item.name: item.value for item in evidence_of("NewCheck", {"": value})}
    assert found == {"score": 0.5, "deep, a": 1, "deep, b": None, "AUC [31m, cat": 0.25}
    many = {f"property {i}": {"Drift score": 0.1, "Method": "KS"} for i in range(40)}
    assert len(evidence_of("LabelDrift", {"train": many, "test": many})) == MAX_EVIDENCE


def test_limits_in_a_message_are_no_tags():
    told = "<p>Drift score &lt; 0.2</p> Drift score < 0.2 for <b class='x'>Area</b>.<br/> Scores > 0.5 fail."
    (found,) = outcomes_of([CheckRun("LabelDrift", "", None, (("FAIL", "limit", told),))])
    assert "Drift score < 0.2 for Area . Scores > 0.5 fail" in found.summary
    assert "<b" not in found.summary
    assert "<p>" not in found.summary
