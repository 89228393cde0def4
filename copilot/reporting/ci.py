"""The analysis in the formats that CI systems read: JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import json
from xml.etree import ElementTree as Xml

from copilot.core.findings import Analysis, Finding
from copilot.utils.validators import clean_text

_LEVELS = {"low": "note", "medium": "warning", "high": "error", "none": "none"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_junit(analysis: Analysis) -> str:
    """Each check a test case: issues are failures, checks that could not run are errors, the rest that did not run skipped."""
    name = clean_text(analysis.subject.run_name or "history", 120)
    states = [f.state for f in analysis.findings]
    counts = {
        "tests": len(states),
        "failures": states.count("issue"),
        "errors": states.count("error"),
        "skipped": sum(s in ("not_applicable", "skipped", "ignored") for s in states),
    }
    attributes = {
        "name": f"mlops-copilot {name}",
        **{k: str(v) for k, v in counts.items()},
        "time": f"{analysis.provenance.duration_s:.3f}",
    }
    root = Xml.Element("testsuites", {k: v for k, v in attributes.items() if k != "skipped"})
    suite = Xml.SubElement(root, "testsuite", attributes)
    for finding in analysis.findings:
        case = Xml.SubElement(
            suite,
            "testcase",
            {"classname": name, "name": f"{finding.code} {clean_text(finding.title, 120)}", "time": "0"},
        )
        _junit_state(case, finding)
    Xml.SubElement(suite, "system-out").text = clean_text(analysis.diagnosis.summary, 700)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _junit_state(case: Xml.Element, finding: Finding) -> None:
    text = clean_text(finding.summary, 700)
    if finding.state == "issue":
        Xml.SubElement(case, "failure", {"message": text, "type": finding.severity}).text = text
    elif finding.state == "error":
        Xml.SubElement(case, "error", {"message": text, "type": "error"}).text = text
    elif finding.state != "passed":
        Xml.SubElement(case, "skipped", {"message": text})


def render_sarif(analysis: Analysis) -> str:
    """Issues and errors as SARIF results, every check as a rule; the evidence rides along as properties."""
    known = analysis.evidence_by_id()
    rules = [
        {"id": f.code, "name": clean_text(f.title, 120), "shortDescription": {"text": clean_text(f.title, 120)}}
        for f in analysis.findings
    ]
    name = clean_text(analysis.subject.run_name or analysis.subject.run_id or "history", 200)
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": index,
            "level": _LEVELS[finding.severity] if finding.state == "issue" else "error",
            "message": {"text": clean_text(finding.summary, 700)},
            "locations": [{"logicalLocations": [{"name": name, "kind": "object"}]}],
            "properties": {
                "confidence": finding.confidence,
                "evidence": {i: known[i].value for i in finding.evidence if i in known and _finite(known[i].value)},
            },
        }
        for index, finding in enumerate(analysis.findings)
        if finding.state in ("issue", "error")
    ]
    driver = {
        "name": "MLOps Copilot",
        "version": analysis.provenance.versions.get("mlops-copilot", "0"),
        "rules": rules,
    }
    run = {"tool": {"driver": driver}, "results": results, "properties": {"verdict": analysis.diagnosis.verdict}}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False)


def _finite(value: object) -> bool:
    return not isinstance(value, float) or value == value and abs(value) != float("inf")
