"""analyze --explain-pairs: what was read from each metric name."""

from __future__ import annotations

import json

import pytest

from tests.runs_folder import RUNS


def test_explain_pairs_shows_every_name_and_the_axis(run, curves):
    ended = run("analyze", "--history", curves, "--explain-pairs", "--format", "json")
    told = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    used = {n["name"]: (n["used_as"], n["paired_with"]) for n in told["names"] if n["used_as"]}
    assert used["train_loss"] == ("train", "val_loss")
    assert told["axis"]["kind"] == "step"


def test_explain_pairs_reads_a_run_of_mlflow(run, store):
    ended = run("analyze", "--run-id", RUNS["climbing"], "--tracking-uri", store, "--explain-pairs")
    assert ended.code == 0
    assert "Paired with" in ended.out
    assert "Axis: the logged steps" in ended.out


def test_explain_pairs_escapes_names_and_says_why_they_are_left_out(run, tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text("epoch,train_loss,<b>|val_loss,lr\n0,1,2,3\n1,1,2,3\n", encoding="utf-8")
    ended = run("analyze", "--history", str(file), "--explain-pairs", "--format", "markdown")
    assert r"\<b\>\|val\_loss" in ended.out
    assert "| lr | 2 |  |  |  | left out |" in ended.out


def test_explain_pairs_of_a_run_without_curves_says_why(run, tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text("epoch,foo,lr\n0,1,2\n1,1,2\n")
    ended = run("analyze", "--history", str(file), "--explain-pairs")
    assert ended.code == 0
    assert "No known measure is in the name." in ended.out
    assert "No curve was found" in ended.out


@pytest.mark.parametrize("option", [["--fail-on", "low"], ["--format", "sarif"]])
def test_explain_pairs_refuses_what_it_cannot_do(run, curves, option):
    ended = run("analyze", "--history", curves, "--explain-pairs", *option)
    assert ended.code == 2
    assert "--explain-pairs judges nothing" in ended.err


def test_pairs_of_the_settings_are_used_and_checked_when_they_are_read(run, tmp_path):
    curves = tmp_path / "odd.csv"
    curves.write_text("epoch,curve a,curve b\n0,3,3\n1,2,2\n2,1,2\n", encoding="utf-8")
    settings = tmp_path / "own.yaml"
    settings.write_text("metrics: {pairs: [{quantity: gain, train: curve a, val: curve b}]}", encoding="utf-8")
    options = ["analyze", "--history", str(curves), "--explain-pairs", "--format", "json", "--config", str(settings)]
    refused = run(*options)
    assert refused.code == 2
    assert "whether 'gain' gets better by rising is not known" in refused.err
    settings.write_text("metrics: {pairs: [{quantity: loss, train: curve a, val: curve b}]}", encoding="utf-8")
    told = {n["name"]: n for n in json.loads(run(*options).out)["names"]}
    assert (told["curve a"]["quantity"], told["curve a"]["paired_with"]) == ("loss", "curve b")
