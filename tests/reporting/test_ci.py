from __future__ import annotations

import json
import re
from xml.etree import ElementTree as Xml

import jsonschema
import pytest

from copilot.core.findings import Analysis
from copilot.reporting import render
from tests.reporting import documents

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
BAG = {"type": "object"}


def _closed(required: tuple[str, ...] = (), **properties) -> dict:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = _closed(
    ("id",), id={"type": "string"}, name={"type": "string"}, shortDescription=TEXT, help=TEXT, properties=BAG
)
PLACE = _closed(
    physicalLocation=_closed(
        ("artifactLocation",),
        artifactLocation=_closed(uri={"type": "string", "pattern": r"^[A-Za-z0-9._~%/-]+$"}),
        region=_closed(startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={"type": "array", "items": _closed(name={"type": "string"}, kind={"type": "string"})},
)
RESULT = _closed(
    ("message",),
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    kind={"enum": ["fail"]},
    level=LEVEL,
    message=TEXT,
    locations={"type": "array", "minItems": 1, "items": PLACE},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties=BAG,
)
NOTIFICATION = _closed(("message",), message=TEXT, level=LEVEL, associatedRule=_closed(id={"type": "string"}))
INVOCATION = _closed(
    ("executionSuccessful",),
    executionSuccessful={"type": "boolean"},
    endTimeUtc={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    toolExecutionNotifications={"type": "array", "items": NOTIFICATION},
)
DRIVER = _closed(
    ("name",),
    name={"type": "string"},
    semanticVersion={"type": "string"},
    rules={"type": "array", "uniqueItems": True, "items": RULE},
)
# The part of the SARIF 2.1.0 schema that our log uses.
SARIF = _closed(
    ("version", "runs"),
    **{"$schema": {"type": "string"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": _closed(
            ("tool",),
            tool=_closed(("driver",), driver=DRIVER),
            automationDetails=_closed(id={"type": "string"}),
            invocations={"type": "array", "items": INVOCATION},
            results={"type": "array", "items": RESULT},
            properties=BAG,
        ),
    },
)


def _suite(analysis: Analysis) -> Xml.Element:
    return Xml.fromstring(render(analysis, "junit").encode("utf-8")).find("testsuite")


def test_junit_has_a_case_a_check():
    analysis = documents.overfitting()
    suite = _suite(analysis)
    cases = suite.findall("testcase")
    assert [c.get("name").split()[0] for c in cases] == [f.code for f in analysis.findings]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "2", "errors": "1", "skipped": "3",
    }  # fmt: skip
    kinds = [next((child.tag for child in case), "passed") for case in cases]
    assert kinds == ["passed", "failure", "failure", "error", "skipped", "skipped", "skipped"]
    assert suite.get("timestamp") == "2026-11-24T03:46:00"


def test_junit_failures_carry_their_evidence():
    failure = _suite(documents.overfitting()).findall("testcase")[2].find("failure")
    assert failure.get("type") == "High severity"
    assert failure.get("message") == "Validation loss rises from epoch 14 on."
    assert "E1 best validation loss: 0.612 (epoch 13, val_loss)" in failure.text
    facts = {p.get("name"): p.get("value") for p in _suite(documents.overfitting()).iter("property")}
    assert facts["verdict"] == "overfitting"
    assert facts["onset_epoch"] == "14"


def test_junit_of_hostile_text_is_well_formed():
    analysis = documents.hostile()
    odd = analysis.findings[1].model_copy(update={"summary": "\ufffe\uffff ]]> <b> &amp; \x00"})
    analysis = analysis.model_copy(update={"findings": (*analysis.findings[:1], odd, *analysis.findings[2:])})
    suite = _suite(analysis)
    assert suite.findall("testcase")[1].find("failure").get("message") == "\ufffd\ufffd ]]> <b> &amp;"
    assert suite.get("name").startswith("<script>alert(1)</script>")
    assert all(len(v) < 1000 for e in suite.iter() for v in e.attrib.values())
    assert "secret" not in render(analysis, "junit")


@pytest.mark.parametrize("name", documents.ALL)
def test_sarif_keeps_to_its_schema(name: str):
    text = render(documents.ALL[name](), "sarif")
    jsonschema.validate(json.loads(text), SARIF)
    assert "secret" not in text
    assert not re.search(r"NaN|Infinity", text)


def test_sarif_has_a_rule_a_check_and_a_result_an_issue():
    run = json.loads(render(documents.overfitting(), "sarif"))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == [f.code for f in documents.overfitting().findings]
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [("OVF101", "warning"), ("OVF102", "error")]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert rules[2]["help"]["text"] == "Stop when validation has stopped improving."
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "runs/3f0c6a1be2d94f67"
    assert run["results"][0]["properties"]["evidence"][0] == {
        "id": "E4", "name": "gap_final", "value": 0.124, "unit": "fraction", "epoch": 40,
        "source": "val_accuracy", "quantity": "accuracy",
    }  # fmt: skip


def test_sarif_tells_what_could_not_run():
    run = json.loads(render(documents.overfitting(), "sarif"))["runs"][0]
    invocation = run["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["associatedRule"] == {"id": "OVF501"}
    calm = json.loads(render(documents.inconclusive(), "sarif"))["runs"][0]
    assert calm["invocations"] == [{"executionSuccessful": True, "endTimeUtc": "2026-11-24T03:46:00Z"}]
    assert calm["results"] == []


def test_sarif_fingerprints_follow_run_and_check():
    def fingerprints(analysis: Analysis) -> list[str]:
        results = json.loads(render(analysis, "sarif"))["runs"][0]["results"]
        return [r["partialFingerprints"]["mlopsCopilotFinding/v1"] for r in results]

    analysis = documents.overfitting()
    other = analysis.model_copy(update={"subject": analysis.subject.model_copy(update={"run_id": "b"})})
    assert fingerprints(analysis) == fingerprints(analysis)
    assert len({*fingerprints(analysis), *fingerprints(other)}) == 4
