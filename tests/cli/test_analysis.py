"""analyze, scan, compare, report and ask: what they print, where to, and how they refuse bad input."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from copilot.core.findings import VERDICTS
from tests.runs_folder import EXPERIMENT, RUNS, curves_of, write_csv

SECRET = "s3cr3t"


def test_analyze_prints_the_contracts_json(run, curves):
    ended = run("analyze", "--history", curves, "--format", "json")
    document = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert document["schema_version"] == "1"
    assert document["diagnosis"]["verdict"] == "overfitting"
    assert document["subject"] | {"kind": "history", "run_name": "climbing.csv", "run_id": None} == document["subject"]


def test_analyze_reads_a_run_of_mlflow(run, store):
    ended = run("analyze", "--run-id", RUNS["climbing"], "--tracking-uri", store, "--format", "json")
    subject = json.loads(ended.out)["subject"]
    assert (subject["kind"], subject["run_id"], subject["experiment"]) == ("run", RUNS["climbing"], EXPERIMENT)
    assert [p.name for p in Path.cwd().iterdir()] == ["runs"]  # no store was made by the way


@pytest.mark.parametrize(
    ("format", "start"), [("table", "▲ Overfitting"), ("markdown", "# "), ("junit", "<?xml"), ("sarif", "{")]
)
def test_formats(run, curves, format, start):
    ended = run("analyze", "--history", curves, "--format", format)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(start)
    assert "overfit" in ended.out.lower()
    if format == "junit":
        assert ElementTree.fromstring(ended.out).get("failures") != "0"
    if format == "sarif":
        assert json.loads(ended.out)["runs"][0]["results"]


@pytest.mark.parametrize(("fail_on", "code"), [("low", 1), ("medium", 1), ("high", 1), (None, 0)])
def test_fail_on_sets_the_exit_code(run, curves, fail_on, code):
    option = ["--fail-on", fail_on] if fail_on else []
    ended = run("analyze", "--history", curves, "--format", "json", *option)
    assert ended.code == code
    assert json.loads(ended.out)["diagnosis"]["severity"] == "high"


def test_fail_on_leaves_a_healthy_run_alone(run, tmp_path):
    steady = write_csv(tmp_path / "steady.csv", curves_of("steady"))
    assert run("analyze", "--history", steady, "--fail-on", "low").code == 0


def test_output_goes_to_the_file_and_quiet_says_nothing(run, curves):
    told, silent = (
        run("analyze", "--history", curves, "--format", "json", "--output", "a.json", *quiet)
        for quiet in ([], ["--quiet"])
    )
    assert (told.out, told.err) == ("", "Wrote a.json\n")
    assert (silent.out, silent.err) == ("", "")
    assert json.loads(Path("a.json").read_text())["diagnosis"]["verdict"] == "overfitting"


@pytest.mark.parametrize("target", ["missing/a.json", ".", "", "a" * 300])
def test_output_that_cannot_be_written(run, curves, target):
    run("analyze", "--history", curves, "--output", target).fails(2, target[:200], "cannot be written")


def test_training_curves_only_are_inconclusive_and_say_what_to_log(run, tmp_path):
    path = write_csv(tmp_path / "train.csv", {"train_loss": [1 / (i + 1) for i in range(20)]})
    ended = run("analyze", "--history", path)
    assert ended.code == 0
    assert ended.out.startswith("○ Inconclusive")
    assert "val_loss" in ended.out


BAD_FILES = {
    "empty.csv": b"",
    "blank.csv": b" \n\n",
    "binary.csv": bytes(range(256)) * 40,
    "archive.csv": b"PK\x03\x04" + bytes(200),
    "words.csv": b"name,colour\na,red\nb,blue\n",
    "header.csv": b"epoch,train_loss,val_loss\n",
    "holes.csv": b"epoch,train_loss,val_loss\n1,,\n2,,\n",
    "numbers.csv": b"1,2\n3,4\n",
    "broken.json": b'{"train_loss": [1, 2',
    "empty.json": b"[]",
    "text.json": b'{"train_loss": "high"}',
    "null.json": b"null",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_history(run, tmp_path, name):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    run("analyze", "--history", name).fails(2, name)


@pytest.mark.parametrize(
    "name", ["nope.csv", "", " ", ".", "a" * 300, "/dev/null", "zeile\nzwei\u202e.csv", "café ☃.csv"]
)
def test_a_path_that_is_no_history(run, name):
    run("analyze", "--history", name).fails(2, " ".join(name.replace("\u202e", " ").split()) or "--history")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["analyze"], ["--run-id", "--model-uri", "--history"]),
        (["analyze", "--run-id", "x", "--history", "y"], ["--run-id"]),
        (["analyze", "--run-id", ""], ["--run-id is empty"]),
        (["analyze", "--model-uri", ""], ["--model-uri is empty"]),
        (["analyze", "--run-id", "x"], ["tracking URI", "--tracking-uri", "MLFLOW_TRACKING_URI"]),
        (["analyze", "--run-id", "x", "--tracking-uri", ""], ["tracking URI"]),
        (["report"], ["--run-id"]),
        (["report", "--run-id", ""], ["--run-id is empty"]),
        (["ask", "why?"], ["--run-id"]),
        (["ask"], ["QUESTION"]),
        (["scan"], ["tracking URI"]),
        (["compare", "x"], ["two runs"]),
    ],
)
def test_what_is_missing_is_named(run, arguments, named):
    run(*arguments).fails(2, *named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["analyze", "--run-id", "d" * 32], ["d" * 32]),
        (["analyze", "--run-id", "no such run"], ["'no such run'", "runs:/"]),
        (["analyze", "--run-id", RUNS["no curves"]], ["no curves", "train_loss"]),
        (["analyze", "--model-uri", "models:/net/3"], ["'net'"]),
        (["analyze", "--model-uri", "models:/"], ["models:/"]),
        (["ask", "why?", "--run-id", "d" * 32], ["d" * 32]),
        (["report", "--run-id", "d" * 32], ["d" * 32]),
        (["compare", "d" * 32, "e" * 32], ["d" * 32]),
        (["scan", "--experiment", "nope"], ["'nope'", EXPERIMENT]),
        (["scan"], [EXPERIMENT]),
    ],
)
def test_runs_that_are_not_there(run, store, arguments, named):
    run(*arguments, "--tracking-uri", store).fails(2, *named)


def test_a_dead_server_is_told_at_once_and_without_its_password(run, free_port):
    uri = f"http://me:{SECRET}@127.0.0.1:{free_port()}"
    for command in (["analyze", "--run-id", "a" * 32], ["scan", "--experiment", "x"]):
        ended = run(*command, "--tracking-uri", uri)
        ended.fails(3, "127.0.0.1")
        assert SECRET not in ended.err


def test_a_server_that_never_answers_is_given_up(run, monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_MLFLOW__TIMEOUT_S", "0.4")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://me:{SECRET}@127.0.0.1:{silent.getsockname()[1]}"
        begin = time.monotonic()
        ended = run("scan", "--experiment", "x", "--tracking-uri", uri)
        took = time.monotonic() - begin
    ended.fails(3, "127.0.0.1", "0.4 s")
    assert SECRET not in ended.err
    assert took < 10


def test_scan_lists_every_run_and_says_what_was_left_out(run, store):
    ended = run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store, "--format", "json")
    document = json.loads(ended.out)
    assert document["schema_version"] == "1"
    found = {a["subject"]["run_name"]: a["diagnosis"]["verdict"] for a in document["analyses"]}
    assert found == {"steady": "healthy", "climbing": "overfitting"}
    assert list(document["failed"]) == [RUNS["no curves"]]
    assert ended.err.startswith(f"Left out {RUNS['no curves']}: ")
    assert run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store, "--quiet").err == ""


def test_scan_puts_runs_that_need_attention_first(run, store):
    for extra in ([], ["--format", "markdown"]):
        out = run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store, "--quiet", *extra).out
        assert 0 < out.index("climbing") < out.index("steady")
    assert run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store, "--fail-on", "medium").code == 1


def test_write_back_is_off_unless_asked_for(run, store):
    folder = Path(store) / "1" / RUNS["climbing"]
    run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store)
    assert list(folder.glob("tags/copilot.*")) == []
    ended = run("scan", "--experiment", EXPERIMENT, "--tracking-uri", store, "--write-back", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert (folder / "tags" / "copilot.verdict").read_text() == "overfitting"
    assert (folder / "artifacts" / "copilot" / "analysis.json").is_file()


def test_a_verdict_that_cannot_be_written_is_told_and_shown(run, store):
    (Path(store) / "1" / RUNS["climbing"] / "artifacts" / "copilot").write_text("in the way")
    ended = run("analyze", "--run-id", RUNS["climbing"], "--tracking-uri", store, "--write-back", "--format", "json")
    assert ended.code == 0
    assert json.loads(ended.out)["diagnosis"]["verdict"] == "overfitting"
    assert ended.err.startswith(f"Not written back {RUNS['climbing']}: ")
    assert ended.err.count("\n") == 1


def test_a_file_of_curves_is_not_written_to(run, curves):
    run("analyze", "--history", curves, "--write-back").fails(2, "--write-back needs a run")


def test_compare_keeps_the_order_asked_for(run, store):
    ids = [RUNS["steady"], RUNS["climbing"]]
    ended = run("compare", *ids, "--tracking-uri", store, "--format", "json")
    assert [a["subject"]["run_id"] for a in json.loads(ended.out)["analyses"]] == ids


def test_report_writes_the_named_formats(run, curves):
    ended = run("report", "--history", curves, "--formats", "html, json,markdown", "--output-dir", "out")
    assert ended.code == 0
    assert [Path(line).suffix for line in ended.out.splitlines()] == [".html", ".json", ".md"]
    assert all(Path(line).stat().st_size > 1000 for line in ended.out.splitlines())
    listed = run("report", "--history", curves, "--formats", "json", "--output-dir", "out", "--format", "json")
    assert json.loads(listed.out) == ["out/climbing.csv.json"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--formats", "docx"], ["docx", "pdf"]),
        (["--formats", ","], ["--formats"]),
        (["--formats", "json", "--output-dir", "climbing.csv"], ["climbing.csv"]),
    ],
)
def test_reports_that_cannot_be_written(run, curves, options, named):
    run("report", "--history", curves, *options).fails(2, *named)


def test_ask_answers_with_citations_in_every_format(run, curves):
    question = ["ask", "When did it start to overfit?", "--history", curves]
    answer = json.loads(run(*question, "--format", "json").out)
    document = json.loads(run("analyze", "--history", curves, "--format", "json").out)
    onset = document["diagnosis"]["onset_epoch"]
    assert answer["intent"] == "when"
    assert f"at epoch {onset} [E" in answer["text"]
    assert {c["id"] for c in answer["citations"]} <= {e["id"] for e in document["evidence"]}
    assert "Sources\n  [E" in run(*question).out
    assert f"epoch {onset} [E" in run(*question, "--format", "markdown").out


@pytest.mark.parametrize("question", ["", "  \n\t ", "\x00\u202e"])
def test_ask_needs_a_question(run, curves, question):
    run("ask", question, "--history", curves).fails(2, "question is empty")


def test_hostile_names_reach_the_terminal_as_plain_text(run, tmp_path):
    name = "train_loss{0.__class__}\x1b[2J\u202e[E1]"
    loss = [1 / (i + 1) for i in range(9)] + [float("nan"), 0.09, 0.08]
    rows = [{name: v, "val_loss": v, "val_acc\x07": 1 - v} for v in loss]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    for command in (["analyze"], ["ask", "any warnings?"], ["ask", "why?"], ["analyze", "--format", "markdown"]):
        ended = run(*command, "--history", "rows.json")
        assert (ended.code, ended.err) == (0, "")
        assert {"\x1b", "\x07", "\u202e"} & set(ended.out) == set()
        assert "class" in ended.out or "why?" in command
    assert (
        json.loads(run("analyze", "--history", "rows.json", "--format", "json").out)["diagnosis"]["verdict"] in VERDICTS
    )


def test_reading_curves_needs_no_mlflow(run, curves):
    before = set(sys.modules)
    run("analyze", "--history", curves)
    assert not [m for m in set(sys.modules) - before if m.split(".")[0] in ("mlflow", "torch", "plotly", "streamlit")]
