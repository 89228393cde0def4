"""Looking at the installation: nothing raises, and what fails says what to do."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError

import pytest

from copilot import health
from copilot.analyzer import CopilotAnalyzer
from copilot.utils.config import Settings
from tests.runs_folder import write_runs


def states(**settings) -> dict[str, health.HealthItem]:
    analyzer = CopilotAnalyzer(Settings(**settings))
    try:
        return {item.name: item for item in analyzer.health()}
    finally:
        analyzer.close()


def test_each_thing_is_looked_at_once_and_says_something(home):
    analyzer = CopilotAnalyzer(Settings())
    items = analyzer.health()
    analyzer.close()
    assert len({item.name for item in items}) == len(items)
    assert all(item.detail for item in items)
    assert all(item.hint for item in items if item.state == "failed")
    found = {item.name: item for item in items}
    assert found["Home folder"].detail == str(home)
    assert found["Store"].detail == f"{home / 'store.db'}, works"


def test_what_is_not_set_up_is_off_and_not_failed(monkeypatch):
    installed = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dvc" else installed(name))
    found = states()
    assert (found["dvc"].state, found["dvc"].hint) == ("off", "pip install 'mlops-copilot[dvc]'")
    assert {found["MLflow"].state, found["DVC data"].state} == {"off"}


def test_a_tracking_store_that_works_or_does_not(tmp_path, free_port):
    assert states(mlflow={"tracking_uri": str(write_runs(tmp_path / "runs"))})["MLflow"].state == "ok"
    gone = states(mlflow={"tracking_uri": str(tmp_path / "gone")})["MLflow"]
    assert (gone.state, str(tmp_path / "gone") in gone.detail) == ("failed", True)
    dead = states(mlflow={"tracking_uri": f"http://me:s3cr3t@127.0.0.1:{free_port()}"})["MLflow"]
    assert dead.state == "failed"
    assert "s3cr3t" not in dead.detail + dead.hint


def test_data_that_is_not_there(tmp_path):
    item = states(dvc={"repo": str(tmp_path), "data_path": "images"})["DVC data"]
    assert item.state == "failed"
    assert item.hint


def test_a_home_that_cannot_be_made_fails_without_raising(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path / "file"))
    found = states()
    assert {found["Home folder"].state, found["Store"].state} == {"failed"}
    assert "MLOPS_COPILOT_HOME" in found["Home folder"].hint


def test_a_clash_of_names_is_found(monkeypatch):
    assert health._name_clash().state == "ok"
    monkeypatch.setattr(health, "distribution", lambda name: name)
    assert health._name_clash().state == "failed"


@pytest.mark.parametrize("error", [RuntimeError("odd\n\x1b[31m thing"), OSError(), PackageNotFoundError("torch")])
def test_any_fault_becomes_one_line(error):
    def probe():
        raise error

    item = health._try("Thing", probe, "Mend it.")
    assert (item.state, item.hint) == ("failed", "Mend it.")
    assert item.detail.isprintable()
