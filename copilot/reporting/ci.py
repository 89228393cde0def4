"""The analysis in the formats that CI systems read: JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from copilot.core.findings import Analysis, Evidence, Finding
from copilot.reporting import words
from copilot.reporting.view import LINE_CHARS, NAME_CHARS, TEXT_CHARS, subject_name
from copilot.utils.validators import clean_text, without_credentials

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"none": "none", "low": "note", "medium": "warning", "high": "error"}
_NOT_XML = re.compile("[\ufffe\uffff]")
_FOLDERS = {"run": "runs", "history": "histories", "model": "models"}


def render_junit(analysis: Analysis) -> str:
    """Each check a test case: issues fail, what could not run is an error, what did not apply is skipped."""
    known = analysis.evidence_by_id()
    counts = _counts(analysis)
    suites = Xml.Element("testsuites", {"name": "MLOps Copilot", **counts})
    subject = _xml(subject_name(analysis), NAME_CHARS)
    suite = Xml.SubElement(suites, "testsuite", {"name": subject, **counts})
    suites.attrib.pop("skipped")
    if when := _utc(analysis.subject.analyzed_at):
        suite.set("timestamp", when.removesuffix("Z"))
    properties = Xml.SubElement(suite, "properties")
    for name, value in _facts(analysis).items():
        Xml.SubElement(properties, "property", {"name": name, "value": _xml(value, LINE_CHARS)})
    for finding in analysis.findings:
        name = _xml(f"{finding.code} {finding.title}", NAME_CHARS)
        case = Xml.SubElement(suite, "testcase", {"classname": f"mlops-copilot.{subject}", "name": name, "time": "0"})
        _outcome(case, finding, known)
    Xml.SubElement(suite, "system-out").text = _xml(analysis.diagnosis.summary, TEXT_CHARS)
    Xml.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(suites, encoding="unicode")}\n'


def _counts(analysis: Analysis) -> dict[str, str]:
    states = [f.state for f in analysis.findings]
    counts = {
        "tests": len(states),
        "failures": states.count("issue"),
        "errors": states.count("error"),
        "skipped": sum(s in ("not_applicable", "skipped", "ignored") for s in states),
    }
    return {**{name: str(n) for name, n in counts.items()}, "time": f"{analysis.provenance.duration_s:.3f}"}


def _outcome(case: Xml.Element, finding: Finding, known: dict[str, Evidence]) -> None:
    summary = _xml(finding.summary, TEXT_CHARS)
    if finding.state == "issue":
        kind = words.severity_label(finding.severity)
        lines = [summary, *(_xml(_said(known[i]), TEXT_CHARS) for i in finding.evidence if i in known)]
        Xml.SubElement(case, "failure", {"message": summary, "type": kind}).text = "\n".join(lines)
    elif finding.state == "error":
        Xml.SubElement(case, "error", {"message": summary, "type": words.state_label(finding.state)}).text = summary
    elif finding.state != "passed":
        Xml.SubElement(case, "skipped", {"message": f"{words.state_label(finding.state)}: {summary}"})


def _said(evidence: Evidence) -> str:
    where = [f"epoch {words.epoch_text(evidence.epoch)}"] if evidence.epoch is not None else []
    where += [without_credentials(evidence.source)] if evidence.source else []
    return f"{evidence.id} {words.citation_label(evidence)}: {words.evidence_in_full(evidence)} ({', '.join(where)})"


def _facts(analysis: Analysis) -> dict[str, str]:
    d, subject = analysis.diagnosis, analysis.subject
    facts = {
        "verdict": d.verdict,
        "confidence": str(d.confidence),
        "severity": d.severity,
        "onset_epoch": None if d.onset_epoch is None else str(d.onset_epoch),
        "best_epoch": None if d.best_epoch is None else str(d.best_epoch),
        "cause": d.causes[0].cause if d.causes else None,
        "run_id": subject.run_id,
        "experiment": subject.experiment,
    }
    return {name: value for name, value in facts.items() if value}


def _xml(text: str, limit: int) -> str:
    """Outside text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", clean_text(text, limit))


def render_sarif(analysis: Analysis) -> str:
    """Issues as results and every check as a rule; what could not run is a notification.

    Passed checks stand as rules only: code-scanning services show each result as an alert, whatever its kind.
    """
    driver = {
        "name": "MLOps Copilot",
        "semanticVersion": analysis.provenance.versions.get("mlops-copilot", "0.0.0"),
        "rules": [_rule(analysis, finding) for finding in analysis.findings],
    }
    issues = [(n, f) for n, f in enumerate(analysis.findings) if f.state == "issue"]
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"mlops-copilot/{subject_name(analysis)}"},
        "invocations": [_invocation(analysis)],
        "results": [_result(analysis, n, f) for n, f in issues],
        "properties": _facts(analysis),
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False)


def _rule(analysis: Analysis, finding: Finding) -> dict[str, Any]:
    title = clean_text(finding.title, NAME_CHARS)
    rule: dict[str, Any] = {
        "id": clean_text(finding.code, 40),
        "name": title,
        "shortDescription": {"text": title},
        "properties": {"state": finding.state, "reason": clean_text(finding.summary, TEXT_CHARS)},
    }
    advice = [r.action for r in analysis.recommendations if finding.code in r.finding_codes]
    if advice:
        rule["help"] = {"text": clean_text(" ".join(advice), TEXT_CHARS)}
    return rule


def _result(analysis: Analysis, index: int, finding: Finding) -> dict[str, Any]:
    known, subject = analysis.evidence_by_id(), analysis.subject
    name = subject_name(analysis)
    key = f"{subject.run_id or name}:{finding.code}"
    place = f"{_FOLDERS.get(subject.kind, 'subjects')}/{quote(clean_text(subject.run_id or name), safe='')}"
    return {
        "ruleId": clean_text(finding.code, 40),
        "ruleIndex": index,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": clean_text(finding.summary, TEXT_CHARS)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": place}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": name, "kind": "object"}],
            }
        ],
        "partialFingerprints": {"mlopsCopilotFinding/v1": hashlib.sha256(key.encode()).hexdigest()},
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            "evidence": list(_cited(known[i] for i in finding.evidence if i in known)),
        },
    }


def _cited(evidence: Iterable[Evidence]) -> Iterable[dict[str, Any]]:
    for e in evidence:
        entry = {name: getattr(e, name) for name in ("id", "name", "value", "unit", "epoch", "source", "quantity")}
        said = {k: v for k, v in entry.items() if v not in (None, "")}
        yield {k: clean_text(without_credentials(v), LINE_CHARS) if isinstance(v, str) else v for k, v in said.items()}


def _invocation(analysis: Analysis) -> dict[str, Any]:
    failed = [f for f in analysis.findings if f.state == "error"]
    invocation: dict[str, Any] = {"executionSuccessful": not failed}
    if when := _utc(analysis.subject.analyzed_at):
        invocation["endTimeUtc"] = when
    if failed:
        invocation["toolExecutionNotifications"] = [
            {
                "level": "error",
                "message": {"text": clean_text(f.summary, TEXT_CHARS)},
                "associatedRule": {"id": clean_text(f.code, 40)},
            }
            for f in failed
        ]
    return invocation


def _utc(iso: str) -> str:
    """An ISO moment as SARIF and JUnit write it; empty if it cannot be read."""
    try:
        return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
