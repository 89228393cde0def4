"""doctor, config and checks."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
import yaml

from copilot.core.checks import BUILT_IN
from copilot.utils.validators import clean_text
from tests.runs_folder import EXPERIMENT

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SECRET = "s3cr3t"


def _states(ended) -> dict[str, dict]:
    return {item["name"]: item for item in json.loads(ended.out)}


def test_doctor_without_a_tracking_uri_says_what_to_set(run):
    ended = run("doctor", "--format", "json")
    states = _states(ended)
    assert states["Store"]["state"] == "ok"
    assert states["MLflow"]["state"] == "off"
    assert "mlops-copilot demo" in states["MLflow"]["hint"]
    assert ended.code == (3 if any(s["state"] == "failed" for s in states.values()) else 0)


def test_doctor_counts_experiments(run, store):
    item = _states(run("doctor", "--tracking-uri", store, "--format", "json"))["MLflow"]
    assert (item["state"], item["detail"]) == ("ok", f"{store}: 1 experiment")


def test_doctor_fails_where_a_thing_that_is_set_up_does_not_work(run, free_port):
    uri = f"http://me:{SECRET}@127.0.0.1:{free_port()}"
    ended = run("doctor", "--tracking-uri", uri)
    assert ended.code == 3
    assert "▲ failed" in ended.out
    assert SECRET not in ended.out + ended.err


def test_doctor_names_a_damaged_store(run, home):
    (home / "store.db").write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 40)
    ended = run("doctor", "--format", "json")
    item = _states(ended)["Store"]
    assert (ended.code, item["state"]) == (3, "failed")
    assert "store.db" in item["detail"]


def test_doctor_opens_the_store_that_the_settings_name(run, tmp_path):
    Path("own.yaml").write_text(f"store: {{url: 'sqlite:///{tmp_path}/own.db'}}")
    assert "own.db" in _states(run("doctor", "--config", "own.yaml", "--format", "json"))["Store"]["detail"]
    assert sqlite3.connect("own.db").execute("SELECT count(*) FROM analyses").fetchone() == (0,)


def test_config_init_writes_a_file_that_is_valid_and_never_overwrites(run):
    assert run("config", "init").err.startswith("Wrote mlops_copilot_config.yaml")
    written = Path("mlops_copilot_config.yaml").read_text()
    assert yaml.safe_load(written)["mlflow"]["experiment_name"] == EXPERIMENT
    assert run("config", "check").out == "mlops_copilot_config.yaml: valid.\n"
    run("config", "init").fails(2, "mlops_copilot_config.yaml is there already")
    assert Path("mlops_copilot_config.yaml").read_text() == written
    run("config", "init", "missing/a.yaml").fails(2, "missing/a.yaml cannot be written")


def test_config_show_masks_secrets_and_can_be_read_back(run, monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_RESEARCH__SEMANTIC_SCHOLAR_KEY", SECRET)
    shown = run("config", "show", "--tracking-uri", f"http://me:{SECRET}@host:5000?token={SECRET}").out
    assert SECRET not in shown
    settings = yaml.safe_load(shown)
    assert settings["mlflow"]["tracking_uri"] == "http://***@host:5000?token=***"
    assert json.loads(run("config", "show", "--format", "json").out)["mlflow"]["timeout_s"] == 6.0


def test_config_check_takes_the_file_as_argument_or_option(run):
    Path("a.yaml").write_text("mlfow: {}")
    for arguments in (["a.yaml"], ["--config", "a.yaml"]):
        run("config", "check", *arguments).fails(2, "a.yaml", "'mlfow'", "'mlflow'")
    assert run("config", "check").out == "The defaults: valid.\n"


def test_checks_list_names_every_check(run):
    for extra in ([], ["--format", "markdown"], ["--format", "json"]):
        out = run("checks", "list", *extra).out
        assert [c.code for c in BUILT_IN if c.code not in out] == []


def test_checks_explain_shows_thresholds_in_force_and_how_to_mute(run):
    Path("c.yaml").write_text("detection: {thresholds: {train_val_gap: 0.2}, ignore: {OVF105: 'long [runs]'}}")
    page = run("checks", "explain", "ovf101", "--config", "c.yaml").out
    for heading in ("What it measures", "Why it matters", "Source", "When it is wrong", "Thresholds", "Mute it"):
        assert f"\n{heading}\n" in page
    assert re.search(r"train_val_gap +0\.2 +0\.1 +Score gap", page)
    assert "also detection.thresholds.train_val_gap" in page
    assert "      train_val_gap: 0.2\n" in page
    assert 'OVF101: "why' in page
    assert max(map(len, page.splitlines())) <= 100
    assert "Muted in these settings: long [runs]" in run("checks", "explain", "OVF105", "--config", "c.yaml").out
    assert r"muted: long \[runs\]" in run("checks", "list", "--config", "c.yaml", "--format", "markdown").out


def test_checks_explain_as_json_and_markdown(run):
    page = json.loads(run("checks", "explain", "OVF102", "--format", "json").out)
    assert page["code"] == "OVF102"
    assert all(t["description"] for t in page["thresholds"])
    assert page["explanation"].startswith(page["claim"])
    written = run("checks", "explain", "OVF102", "--format", "markdown").out
    assert written == (REPOSITORY / "docs" / "checks" / "OVF102.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", ["OVF999", "", "x" * 50])
def test_unknown_check(run, code):
    run("checks", "explain", code).fails(2, f"'{clean_text(code, 20)}'", "mlops-copilot checks list")


@pytest.mark.parametrize(
    ("typed", "meant"), [("OVF11", "OVF101"), ("ovf1o3", "OVF103"), ("plateu", "OVF105"), ("gap", "OVF101")]
)
def test_an_unknown_check_is_told_the_nearest(run, typed, meant):
    run("checks", "explain", typed).fails(2, f"did you mean '{meant}'")
