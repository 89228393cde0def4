"""scan, compare and crossval on the command line: what runs say together, exit codes, bad input."""

from __future__ import annotations

import json
import re

import pytest

from copilot.cli.session import Session


def test_crossval_prints_the_folds_and_what_they_say_together(run, cross_validation):
    ended = run("crossval", "--parent-run", cross_validation.runs["parent"], "--tracking-uri", cross_validation.uri)
    table, together = ended.out.split("Together")
    assert (ended.code, ended.err) == (0, "")
    assert table.count("resnet-fold-") == 5
    assert "OVF201 Fold stability" in together
    assert "medium severity" in together
    assert "Fold 3 stands apart" in " ".join(together.split())
    assert "Do " in together
    assert "Not judged: " in together
    assert "OVF205" in together.split("Not judged: ")[1]


@pytest.mark.parametrize(("fail_on", "code"), [("low", 1), ("medium", 1), ("high", 0), (None, 0)])
def test_what_runs_say_together_counts_for_the_exit_code(run, cross_validation, fail_on, code):
    option = ["--fail-on", fail_on] if fail_on else []
    ended = run(
        *("crossval", "--parent-run", cross_validation.runs["parent"], "--tracking-uri", cross_validation.uri),
        *("--format", "json", *option),
    )
    document = json.loads(ended.out)
    assert {a["diagnosis"]["verdict"] for a in document["analyses"]} == {"healthy"}
    assert ended.code == code
    assert document["comparison"]["subject"]["kind"] == "comparison"


def test_markdown_keeps_its_tables_whole(run, cross_validation):
    better, worse = cross_validation.runs["better"], cross_validation.runs["worse"]
    ended = run("compare", "--baseline", better, worse, "--tracking-uri", cross_validation.uri, "--format", "markdown")
    lines = ended.out.splitlines()
    start = lines.index("| Together | State | What was found |")
    assert ended.code == 0
    assert lines[start - 1] == ""
    assert lines[start + 2].startswith("| OVF205 Regression against the baseline | high severity | worse")
    assert "<b>" not in ended.out
    assert [line for line in lines[start:] if line.startswith("- ")]
    assert lines[-1].startswith("Not judged: OVF201")


def test_scan_tells_the_group_too(run, cross_validation):
    ended = run(
        "scan",
        "--experiment",
        "cross-validation",
        "--tracking-uri",
        cross_validation.uri,
        "--quiet",
        "--fail-on",
        "low",
    )
    assert ended.code == 1
    assert "Fold 3 stands apart" in " ".join(ended.out.split())


def test_wrong_input_is_one_line(run, cross_validation):
    at = ("--tracking-uri", cross_validation.uri)
    run("crossval", "--parent-run", "d" * 32, *at).fails(2, "dddd")
    run("crossval", "--parent-run", cross_validation.runs["childless"], *at).fails(2, "no child runs", "compare")
    run("crossval", "--parent-run", " ", *at).fails(2, "--parent-run is empty")
    run("crossval", *at).fails(2, "--parent-run")
    run("crossval", "--parent-run", "x").fails(2, "tracking URI")
    run("compare", "--baseline", cross_validation.runs["better"], *at).fails(2, "two runs")
    run("compare", "--baseline", "", "a", "b", *at).fails(2, "--baseline is empty")


def test_the_checks_of_groups_are_listed_and_explained(run):
    listed = run("checks", "list", "--format", "json").out
    assert [c["code"] for c in json.loads(listed) if c["code"].startswith("OVF2")] == [f"OVF20{i}" for i in range(1, 6)]
    page = run("checks", "explain", "ovf201").out
    assert page.startswith("OVF201  Fold stability\n")
    assert "When it is wrong\n" in page
    assert re.search(r"outlier_z +3\.5 +3\.5 ", page)


@pytest.mark.parametrize("name", ["[/x]", "net [bold] [link=http://evil]"])
def test_names_are_not_read_as_markup(name):
    from io import StringIO

    from rich.console import Console

    from copilot.cli.tables import analysis_table
    from copilot.core.analysis import analyse
    from copilot.core.checks import load_checks
    from tests.core.curves import overfitting

    (analysis,) = analyse([overfitting()], [{"kind": "run", "run_name": name}], load_checks())
    findings = [f.model_copy(update={"summary": f"{name} is worse", "title": name}) for f in analysis.findings]
    shown = Console(file=StringIO(), width=300)
    shown.print(analysis_table(analysis.model_copy(update={"findings": tuple(findings)})))
    assert f"{name} is worse" in shown.file.getvalue()


def test_an_experiment_without_runs_is_told(run, tmp_path):
    (tmp_path / "mlruns" / "1").mkdir(parents=True)
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("experiment_id: '1'\nlifecycle_stage: active\nname: zoo\n")
    ended = run("scan", "--experiment", "zoo", "--tracking-uri", tmp_path / "mlruns")
    assert (ended.code, ended.err.strip()) == (0, "There are no runs in it.")


def test_a_complaint_of_several_caches_is_told_once(capsys):
    session = Session(config=None, tracking_uri=None, format="table", output=None, quiet=False, debug=False)
    note = session.analyzer().note
    for line in ("no room", "no room", "no right"):
        note(line)
    assert capsys.readouterr().err.split("\n")[:2] == ["no room", "no right"]
