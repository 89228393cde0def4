"""What verbs return: the document with ways to keep it, show it, and put many into a table."""

from __future__ import annotations

import json

import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.errors import InputError
from copilot.results import AnalysisList, AnalysisResult
from tests.core.curves import healthy, overfitting


def results(*histories) -> AnalysisList:
    subjects = [{"kind": "run", "run_id": f"r{i}", "run_name": f"run {i}"} for i in range(len(histories))]
    settings = {"settings": {"checks": {"OVF102": {"rise": float("inf")}}}}
    return AnalysisList(map(AnalysisResult, analyse(histories, subjects, load_checks(), provenance=settings)))


@pytest.fixture(scope="module")
def result() -> AnalysisResult:
    return results(overfitting())[0]


def test_the_document_at_hand(result):
    assert result.diagnosis.verdict == "overfitting"
    assert result.summary == result.diagnosis.summary
    assert result.findings is result.analysis.findings
    assert result.evidence is result.analysis.evidence
    assert result.recommendations is result.analysis.recommendations
    assert result.warnings == ()
    assert repr(result) == f"<AnalysisResult run 0: {result.summary}>"


def test_json_and_dictionaries_are_the_same_and_strict(result):
    assert result.to_dict() == json.loads(result.to_json(), parse_constant=pytest.fail)
    assert result.to_json(indent=None).count("\n") == 0
    again = AnalysisResult.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert AnalysisResult.from_json(result.to_json().encode()).diagnosis == result.diagnosis


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": "1"}', '{"schema_version": "9"}', b"\xff"])
def test_what_is_no_analysis_is_told_in_a_line(text):
    with pytest.raises(InputError, match="no analysis"):
        AnalysisResult.from_json(text)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("r.json", b"{"), ("r.md", b"# "), ("r.xml", b"<?xml"), ("r.sarif", b"{"), ("r.html", b"<!"), ("r.HTM", b"<!"),
    ],
)  # fmt: skip
def test_the_ending_of_the_name_says_how_it_is_saved(result, tmp_path, name, start):
    path = result.save(tmp_path / "new folder" / name)
    assert path == tmp_path / "new folder" / name
    assert path.read_bytes().lstrip()[:5].lower().startswith(start)


def test_saved_json_comes_back(result, tmp_path):
    saved = result.save(tmp_path / "a.json")
    assert AnalysisResult.from_json(saved.read_bytes()).to_dict() == result.to_dict()


@pytest.mark.parametrize("name", ["r.docx", "r", "json"])
def test_an_unknown_ending_is_told_with_the_known_ones(result, tmp_path, name):
    with pytest.raises(InputError, match=r"\.pdf"):
        result.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(result, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "r.json").mkdir()
    for target in (tmp_path / "file" / "r.json", tmp_path / "r.json", tmp_path / f"{'x' * 300}.json"):
        with pytest.raises(InputError, match="cannot be written"):
            result.save(target)


def test_a_notebook_gets_the_report_in_a_closed_frame(result):
    frame = result._repr_html_()
    assert frame.startswith("<iframe sandbox srcdoc=")
    assert frame.count("<") == 2


def test_many_results_are_one_document_and_one_table():
    many = results(overfitting(), healthy())
    many.failed["r9"] = "gone"
    document = json.loads(many.to_json(), parse_constant=pytest.fail)
    assert (document["schema_version"], document["failed"]) == ("1", {"r9": "gone"})
    assert [a["subject"]["run_id"] for a in document["analyses"]] == ["r0", "r1"]
    frame = many.to_frame()
    assert frame["verdict"].tolist() == ["overfitting", "healthy"]
    assert frame["onset_epoch"].notna().tolist() == [True, False]
    assert many[0].to_frame()["run_id"].tolist() == ["r0"]


def test_no_results_still_have_columns():
    assert json.loads(AnalysisList().to_json()) == {"schema_version": "1", "analyses": [], "failed": {}}
    assert AnalysisList().to_frame().columns.tolist() == results(healthy()).to_frame().columns.tolist()
