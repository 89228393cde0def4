"""The answers lie in the answer key and nowhere that an analysis reads."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from copilot.core.findings import VERDICTS
from copilot.demo.conditions import FOLD_PLANS, PLANS

TELLING = re.compile(
    r"health|overfit|underfit|unstable|inconclusive|noise|noisy|wrong|leak|duplicat|shift|tiny|small|little|"
    r"too[ _-]|over-?long|diverg|condition|expected|verdict|answer",
    re.IGNORECASE,
)


def test_every_expected_verdict_is_a_verdict():
    assert {verdict for plan in PLANS + FOLD_PLANS for verdict in plan.expected} <= set(VERDICTS)


def test_all_conditions_are_there():
    assert {plan.condition for plan in PLANS + FOLD_PLANS} == {
        "healthy",
        "too little data",
        "label noise",
        "shifted validation set",
        "leaked validation images",
        "too high learning rate",
        "too small a model",
        "over-long training",
        "k-fold",
    }


def test_names_and_params_tell_nothing():
    for plan in PLANS + FOLD_PLANS:
        assert re.fullmatch(r"cnn-\d\d(-fold-\d)?", plan.name)
        assert re.fullmatch(r"v\d|batch-\d", plan.data)
        assert not TELLING.search(json.dumps(plan.params()))


def test_the_store_tells_nothing(database):
    connection = sqlite3.connect(database)
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    values = {
        value
        for table in tables
        for row in connection.execute(f'select * from "{table}"')
        for value in row
        if isinstance(value, str)
    }
    assert len(values) > 100
    assert [value for value in values if TELLING.search(_without_folder(value, database.parent))] == []


def test_the_artifacts_tell_nothing(paths):
    files = [path for path in paths.artifacts.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert not TELLING.search(path.name)
        if path.suffix != ".pt2":
            assert not TELLING.search(_without_folder(path.read_text(encoding="utf-8"), paths.folder)), path


def test_the_data_repository_tells_nothing(paths, monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)  # set by the fixture that built the demo
    log = subprocess.check_output(["git", "log", "--all", "--format=%s %b %d", "-p"], cwd=paths.data_repo, text=True)
    assert "Import batch 3" in log
    assert not TELLING.search(_without_folder(log, paths.folder))
    assert not [path for path in paths.data_repo.rglob("*") if TELLING.search(path.name)]


def test_the_answer_key_lies_outside_mlflow_and_knows_every_run(paths, database):
    key = json.loads(paths.answer_key.read_text())
    runs = dict(sqlite3.connect(database).execute("select run_uuid, name from runs"))
    assert {run_id: entry["name"] for run_id, entry in key.items()} == runs
    assert not paths.answer_key.is_relative_to(paths.artifacts)
    assert all(entry["expected_verdict"] for entry in key.values())
    assert {entry["condition"] for entry in key.values()} >= {"healthy", "label noise", "k-fold"}


def _without_folder(text: str, folder: Path) -> str:
    return text.replace(str(folder), "").replace(folder.as_uri(), "")


@pytest.mark.parametrize("text", ["label noise", "LEAKED", "too small", "expected_verdict"])
def test_the_pattern_sees_what_it_should(text):
    assert TELLING.search(text)
