"""The analysis document: frozen, JSON in and out, and the ids of its evidence."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from pydantic import ValidationError

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.findings import (
    SEVERITIES,
    VERDICTS,
    Analysis,
    Cause,
    Diagnosis,
    Evidence,
    Outcome,
    number_evidence,
    numbered,
)
from tests.core.curves import overfitting

NAN, INF = float("nan"), float("inf")
HEAD = {"code": "OVF101", "title": "t", "state": "passed", "summary": "s"}


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    provenance = {"versions": {"numpy": "2"}, "settings": {"limit": INF, "names": ["a"]}}
    subject = {"kind": "run", "run_id": "r1", "run_name": "Grün 猫 \u202e{0.__class__}"}
    return analyse([overfitting()], [subject], load_checks(), provenance=provenance)[0]


def test_json_comes_back_as_the_same_document(analysis):
    again = Analysis.model_validate_json(analysis.model_dump_json())
    assert again == analysis.model_copy(update={"provenance": again.provenance})
    assert again.model_dump_json() == analysis.model_dump_json()
    assert again.provenance.settings == {"limit": None, "names": ["a"]}


def test_json_is_strict_json(analysis):
    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(analysis.model_dump_json(), parse_constant=refuse)["subject"]["run_id"] == "r1"


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_number_that_is_not_finite_is_none(bad):
    item = Evidence(name="x", value=bad, epoch=bad, low=bad, high=bad)
    assert (item.value, item.epoch, item.low, item.high) == (None,) * 4
    assert Outcome(**HEAD, evidence=(item,)).model_dump()["evidence"][0]["value"] is None


@pytest.mark.parametrize("value", [0, 3, -1.5, True, False, "word", None])
def test_values_keep_their_type(value):
    text = Outcome(**HEAD, evidence=(Evidence(name="x", value=value),)).model_dump_json()
    (item,) = Outcome.model_validate_json(text).evidence
    assert (item.value, type(item.value)) == (value, type(value))


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(3), np.bool_(True), np.float64("nan")])
def test_numbers_of_numpy_become_plain(value):
    item = Evidence(name="x", value=value)
    assert type(item.value) in (int, float, bool, type(None))
    assert item.value is None or item.value == value


@pytest.mark.parametrize("value", [[1], {"a": 1}, object(), np.zeros(2)])
def test_what_is_no_number_is_no_evidence(value):
    with pytest.raises((TypeError, ValueError)):
        Evidence(name="x", value=value)


def test_documents_are_frozen(analysis):
    for document, name in ((analysis, "findings"), (analysis.diagnosis, "verdict"), (analysis.evidence[0], "value")):
        with pytest.raises((ValidationError, FrozenInstanceError)):
            setattr(document, name, None)


def test_unknown_keys_and_values_are_refused():
    with pytest.raises(TypeError):
        Evidence(name="x", value=1, colour="red")
    with pytest.raises(ValidationError):
        Outcome(**HEAD, evidence=[{"name": "x", "value": 1, "colour": "red"}])
    with pytest.raises(ValidationError):
        Cause(cause="bad_luck", probability=0.5)
    for probability in (-0.1, 1.1, NAN):
        with pytest.raises(ValidationError):
            Cause(cause="none", probability=probability)
    with pytest.raises(ValidationError):
        Diagnosis(verdict="healthy", confidence=0.9, severity="none", summary="", causes=())


def test_evidence_is_numbered_through_all_findings():
    def outcome(code, n):
        evidence = [Evidence(name=f"n{i}", value=i) for i in range(n)]
        return Outcome(code=code, title="t", state="passed", summary="s", evidence=evidence)

    findings, evidence = number_evidence([outcome("A1", 2), outcome("A2", 0), outcome("A3", 3)], start=5)
    assert [f.evidence for f in findings] == [("E5", "E6"), (), ("E7", "E8", "E9")]
    assert [e.id for e in evidence] == ["E5", "E6", "E7", "E8", "E9"]
    assert [e.id for e in numbered(evidence, 1)] == ["E1", "E2", "E3", "E4", "E5"]


def test_look_ups(analysis):
    assert analysis.finding("OVF102").code == "OVF102"
    assert analysis.finding("OVF999") is None
    assert analysis.evidence_by_id()["E1"] is analysis.evidence[0]
    outcome = Outcome(
        code="A1",
        title="t",
        state="passed",
        summary="s",
        evidence=[Evidence(name="gap", value=1, quantity="loss"), Evidence(name="gap", value=2, quantity="f1")],
    )
    assert (outcome.value("gap"), outcome.value("gap", "f1"), outcome.value("rise")) == (1, 2, None)


def test_vocabularies_are_those_of_the_contract():
    assert SEVERITIES == ("none", "low", "medium", "high")
    assert set(VERDICTS) == {"healthy", "overfitting", "underfitting", "unstable", "inconclusive"}
