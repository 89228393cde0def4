"""compare, history and sorted scans on the command line: tables at two widths, Markdown, JSON, bad input."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.comparisons import load_all_checks
from copilot.core.comparisons.compare import compare_runs
from copilot.core.comparisons.members import RegisteredVersion
from tests.core.comparisons.groups import group
from tests.core.comparisons.groups import run as made_run

HOSTILE = "[bold]net|<b>\x1b[31m"


def _compared(axis="epoch", **options):
    members = [
        made_run(0.9, loss=0.4, name=HOSTILE, run_id="1" * 32, n_val=5000, lr=0.1, width=8, epochs=13),
        made_run(0.8, loss=0.5, name=HOSTILE, run_id="2" * 32, n_val=5000, lr=0.2, width=8),
        made_run(0.85, name="third", run_id="3" * 32, n_val=5000, lr=0.1, width=8, commit="a" * 40, epochs=13),
    ]
    found = compare_runs(group(members, axis=axis, baseline="1" * 32, **options), load_all_checks()[1])
    subjects = [{"kind": "run", "run_id": m.run_id, "run_name": m.run_name} for m in members]
    return analyse([m.history for m in members], subjects, load_checks()), found


def _printed(shown, width: int) -> str:
    from rich.console import Console

    console = Console(file=StringIO(), width=width, markup=False, highlight=False)
    console.print(shown)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_runs_stand_side_by_side_at_every_width(width):
    from copilot.cli.comparison_tables import beside_view

    text = _printed(beside_view(*_compared()), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b[31m" not in text
    assert ("1" * 32 in text) is (width == 140)
    assert "★ 90.0 %" in text
    assert text.count("★") == 2  # of the accuracy and of the loss
    assert "(baseline)" in text.replace("\n", "")
    joined = " ".join(text.split())
    assert "OVF205" in joined
    assert "The same in all: n_val 5000, width 8." in joined
    assert "epochs 13." in joined


def test_the_values_of_the_table_are_those_that_were_logged():
    from copilot.cli.comparison_tables import beside_view

    text = _printed(beside_view(*_compared()), 140)
    third = next(line for line in text.split("Accuracy, higher")[1].splitlines() if "third" in line)
    assert third.split() == ["third", "85.0", "%", "10", "85.0", "%", "90.0", "%", "5.0", "pts", "5.0", "pts"]


def test_runs_of_one_name_are_told_apart_and_settings_are_grouped_by_value():
    from copilot.cli.comparison_tables import beside_markdown

    text = beside_markdown(*_compared())
    assert "| lr | 0.1 (" in text
    row = next(line for line in text.splitlines() if line.startswith("| lr |"))
    assert "(…1111)" in row
    assert "(…2222)" in row
    assert "0.2 (" in row
    assert "<b>" not in text
    assert "Not logged by" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_compare_prints_table_markdown_and_json(run, cross_validation):
    ids = [cross_validation.runs[name] for name in ("better", "worse", "fold 1")]
    at = ("--tracking-uri", cross_validation.uri)
    table = run("compare", *ids, "--axis", "time", *at)
    assert table.code == 0
    assert "★ 92.0 %" in table.out
    assert "0.019 s" in table.out
    markdown = run("compare", *ids, *at, "--format", "markdown")
    assert "**Accuracy, higher is better**" in markdown.out
    assert "| Together | State | What was found |" in markdown.out
    document = json.loads(run("compare", *ids, *at, "--axis", "step", "--format", "json").out)
    beside = document["comparison"]["side_by_side"]
    assert (beside["axis"], len(beside["quantities"][0]["runs"])) == ("step", 3)
    assert len(beside["quantities"][0]["axis"]) == len(beside["quantities"][0]["runs"][0]["val"]) == 20
    assert {a["subject"]["run_id"] for a in document["analyses"]} == set(ids)


def test_a_run_that_cannot_be_read_is_told_and_the_others_compared(run, cross_validation):
    runs = cross_validation.runs
    ended = run("compare", runs["better"], runs["worse"], runs["childless"], "--tracking-uri", cross_validation.uri)
    assert ended.code == 0
    assert f"Left out {runs['childless']}" in ended.err
    assert "★ 92.0 %" in ended.out


def test_a_comparison_of_which_one_run_is_left_fails(run, cross_validation):
    ended = run("compare", cross_validation.runs["better"], "f" * 32, "--tracking-uri", cross_validation.uri)
    assert ended.code == 2
    assert "Only 1 of the runs can be read" in ended.err
    assert f"There is no run '{'f' * 32}'" in ended.err


@pytest.mark.parametrize(("sort", "first"), [("best", "better"), ("gap", "1")])
def test_scan_as_a_leaderboard(run, cross_validation, sort, first):
    at = ("scan", "--experiment", "cross-validation", "--tracking-uri", cross_validation.uri, "--sort", sort, "--quiet")
    table = run(*at).out
    assert first in table.splitlines()[3].split()
    assert table.index("Rank") < table.index("Together")
    assert run(*at, "--format", "markdown").out.startswith("| Rank | Run | Best accuracy |")
    document = json.loads(run(*at, "--format", "json", "--quantity", "val_acc").out)
    best = {r["run_id"]: (r["best_value"], r["gap"]) for r in document["comparison"]["runs"]}
    values = [best[a["subject"]["run_id"]] for a in document["analyses"]]
    expected = sorted(values, key=lambda v: (-v[0], v[1]) if sort == "best" else (v[1], -v[0]))
    assert values == expected


def test_history_tells_where_a_model_got_worse():
    from copilot.cli.comparison_tables import history_view

    _, found = _compared(
        model="net[bold]",
        versions=[
            RegisteredVersion("1", "1" * 32, "Archived"),
            RegisteredVersion("2", "2" * 32, "None", ("champion",)),
            RegisteredVersion("3", None),
        ],
    )
    for width in (80, 140):
        text = _printed(history_view(found, False), width)
        assert max(map(len, text.splitlines())) <= width
        assert "net[bold] has 3 versions." in text
        assert "1 best Archived" in text
        assert "2 @champion" in text
        assert "−10.0 pts" in text
        assert "▲ worse" in text
        assert "Version 3: It came from no run." in text
        assert "10.0 points worse than version 1 at 90.0 %" in " ".join(text.split())
    markdown = _printed(history_view(found, True), 400)
    assert "| Version | Run | Verdict | Best |" in markdown
    assert "- Version 2 reaches" in markdown


def test_history_in_ci(run, tmp_path):
    from mlflow import MlflowClient

    from tests.integrations.mlflow_stores import write_cross_validation

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    runs, client = write_cross_validation(uri), MlflowClient(uri)
    client.create_registered_model("net")
    for name in ("better", "worse", "childless"):
        client.create_model_version("net", "s3://nowhere", runs[name])
    at = ("--tracking-uri", uri)
    told = run("history", "net", *at)
    assert told.code == 0
    assert "▲ worse" in told.out
    assert run("history", "net", *at, "--fail-on", "high").code == 1
    client.create_model_version("net", "s3://nowhere", runs["better"])
    assert run("history", "net", *at, "--fail-on", "low").code == 0
    document = json.loads(run("history", "net", *at, "--format", "json").out)
    assert [v["version"] for v in document["comparison"]["model_history"]["versions"]] == ["1", "2", "3", "4"]


def test_bad_input_is_one_line(run, cross_validation):
    at = ("--tracking-uri", cross_validation.uri)
    run("compare", "a", "b", "--axis", "moon", *at).fails(2, "moon")
    run("compare", cross_validation.runs["better"], *at).fails(2, "two runs")
    run("compare", "d" * 32, "e" * 32, *at).fails(2, "None of the runs")
    run("scan", "--experiment", "cross-validation", "--sort", "speed", *at).fails(2, "speed")
    run("scan", "--experiment", "cross-validation", "--quantity", "f1", *at).fails(2, "No run has f1", "accuracy")
    run("history", "nothing", *at).fails(2, "no registered model 'nothing'", "none yet")
    run("history", *at).fails(2, "MODEL")
    run("history", "net").fails(2, "tracking URI")
