"""One scan over several stores: subjects say where each run is, a store that fails is told and loses nothing."""

from __future__ import annotations

import json
import threading

import pytest

from benchmarks._mlflow_store import EXPERIMENT, MadeStore, build_store
from copilot import CopilotAnalyzer
from copilot.cli.main import main
from copilot.errors import JobCancelled, NotFoundError, ToolError
from copilot.utils.config import Settings


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[MadeStore]:
    folder = tmp_path_factory.mktemp("several")
    return [build_store(folder / f"{seed}.db", 6, 4, 30, seed) for seed in (0, 1)]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


def test_runs_of_all_stores_come_with_where_they_are(stores):
    uris, seen = [s.uri for s in stores], []
    found = CopilotAnalyzer(Settings()).scan_many(uris, EXPERIMENT, progress=lambda *report: seen.append(report))
    assert [r.subject.tracking_uri for r in found] == [u for u in uris for _ in range(6)]
    single = CopilotAnalyzer(Settings(mlflow={"tracking_uri": uris[1]})).scan(EXPERIMENT)
    assert [(r.subject.run_id, r.diagnosis) for r in found[6:]] == [(r.subject.run_id, r.diagnosis) for r in single]
    assert list(found.comparisons) == uris
    assert set(json.loads(found.to_json())["comparisons"]) == set(uris)
    assert seen[-1][0] == 1.0
    assert found.failed == {}


def test_the_settings_may_name_them(stores):
    settings = Settings(mlflow={"tracking_uris": [s.uri for s in stores], "experiment_name": EXPERIMENT})
    assert len(CopilotAnalyzer(settings).scan_many()) == 12


def test_a_server_out_of_reach_is_told_without_its_password(stores, free_port, capsys):
    away = f"http://127.0.0.1:{free_port()}"
    secret = away.replace("//", "//ada:hunter2@")
    asked = ["scan", "--experiment", EXPERIMENT, "--tracking-uri", secret, "--tracking-uri", stores[0].uri]
    assert run(*asked) == 0
    out, err = capsys.readouterr()
    assert stores[0].uri in out
    assert out.count("healthy") + out.count("Healthy") > 0
    assert "Left out http://***@127.0.0.1" in err
    assert run(*asked, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["analyses"]) == 6
    assert len(document["failed"]) == 1
    assert "hunter2" not in out + err + json.dumps(document)


def test_all_out_of_reach_is_exit_code_3(free_port, capsys):
    both = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    assert run("scan", "--experiment", "x", "--tracking-uri", both[0], "--tracking-uri", both[1]) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    with pytest.raises(ToolError):
        CopilotAnalyzer(Settings()).scan_many(both, "x")


def test_an_experiment_that_nobody_has_is_wrong_input(stores):
    with pytest.raises(NotFoundError):
        CopilotAnalyzer(Settings()).scan_many([s.uri for s in stores], "no such experiment")


def test_cancel_ends_the_scan(stores):
    def cancel(_, __):
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        CopilotAnalyzer(Settings()).scan_many([s.uri for s in stores], EXPERIMENT, progress=cancel)
    assert threading.active_count() < 50
