"""Many runs of one store: every point is there, whatever happens between two scans or during one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks._mlflow_store import MadeStore, build_store
from copilot import CopilotAnalyzer
from copilot.core.history import RunHistory
from copilot.errors import ToolError
from copilot.integrations.mlflow import server_histories, server_store
from copilot.integrations.mlflow.sqlite_store import SqliteStore
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings, Settings
from tests.integrations.mlflow_stores import serve

PATIENT = {"timeout_s": 60}


def source(uri: str, **fields) -> MlflowSource:
    return MlflowSource(MlflowSettings(tracking_uri=uri, **PATIENT, **fields))


def analyzer(uri: str, told: list[str] | None = None) -> CopilotAnalyzer:
    settings = Settings(mlflow=MlflowSettings(tracking_uri=uri, timeout_s=60, max_retries=0))
    return CopilotAnalyzer(settings, note=None if told is None else told.append)


def points(histories: dict) -> dict[str, dict[str, list]]:
    """Every logged value by run and metric."""
    found: dict[str, dict[str, list]] = {}
    for run_id, history in histories.items():
        assert isinstance(history, RunHistory), history
        sides = [(p.train_name, p.train) for p in history.pairs] + [(p.val_name, p.val) for p in history.pairs]
        found[run_id] = {name: values[np.isfinite(values)].tolist() for name, values in sides if name}
    return found


def in_file(path: Path) -> dict[str, dict[str, list]]:
    """The same, straight from the database."""
    found: dict[str, dict[str, list]] = {}
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
        for run_id, key, value in database.execute("SELECT run_uuid, key, value FROM metrics ORDER BY key, step"):
            found.setdefault(run_id, {}).setdefault(key, []).append(value)
    database.close()
    return found


def change(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as database:
        database.execute(statement, values)
    database.close()


def log_point(path: Path, run_id: str, key: str, value: float, step: int, at_ms: int) -> None:
    """One more point, as MLflow logs it: the latest value follows only where it is the latest."""
    change(path, "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", key, value, at_ms, run_id, step)
    change(
        path,
        "UPDATE latest_metrics SET value = ?, timestamp = ?, step = ? WHERE key = ? AND run_uuid = ? AND step <= ?",
        *(value, at_ms, step, key, run_id, step),
    )


def verdicts(results) -> dict[str, str]:
    return {str(r.subject.run_id): r.diagnosis.verdict for r in results}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> MadeStore:
    """230 runs of four metrics and 60 steps: more than one bulk request takes. Copy it before changing it."""
    return build_store(tmp_path_factory.mktemp("made") / "mlflow.db", runs=230, metrics=4, steps=60)


@pytest.fixture
def own(made, tmp_path) -> Path:
    """A copy of that store that may be changed."""
    return Path(shutil.copy(made.path, tmp_path / "mlflow.db"))


@pytest.mark.slow
def test_every_point_comes_over_rest_and_from_the_file_and_the_cache(made, own, free_port, monkeypatch):
    expected = in_file(own)
    assert sum(len(v) for metrics in expected.values() for v in metrics.values()) == made.points
    from_file = source(f"sqlite:///{own}")
    assert points(from_file.histories(from_file.runs(made.experiment))) == expected
    with serve(own, free_port()) as (url, _):
        over_rest = source(url)
        runs = over_rest.runs(made.experiment)
        assert [r.run_id for r in runs] == [r.run_id for r in from_file.runs(made.experiment)]
        assert points(over_rest.histories(runs)) == expected
        requests_left: list[str] = []
        monkeypatch.setattr(
            server_histories.ServerHistories, "_answered", lambda self, job: requests_left.append(job.key)
        )
        assert points(source(url).histories(runs)) == expected
        assert requests_left == [], "nothing changed, so nothing is asked for"


@pytest.mark.slow
def test_nothing_is_cut_off_at_a_thousand_steps_and_twenty_metrics(tmp_path, free_port):
    made = build_store(tmp_path / "mlflow.db", runs=101, metrics=20, steps=1000)
    with serve(made.path, free_port()) as (url, _):
        over_rest = source(url, cache=False)
        found = points(over_rest.histories(over_rest.runs(made.experiment)))
    assert sum(len(values) for metrics in found.values() for values in metrics.values()) == made.points == 2_020_000
    from_file = source(f"sqlite:///{made.path}")
    assert points(from_file.histories(from_file.runs(made.experiment))) == found


@pytest.mark.slow
def test_what_changes_between_two_scans_is_seen(made, own, free_port, monkeypatch):
    told: list[str] = []
    with serve(own, free_port()) as (url, _):
        before = analyzer(url).scan(made.experiment)
        ids = [str(r.subject.run_id) for r in before]
        late, gone, odd = ids[:3]
        log_point(own, late, "val_loss", 77.0, 60, 1_800_000_000_000)
        change(own, "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", gone)
        log_point(own, odd, "val_loss", 55.0, 7, 1_800_000_000_000)
        after = analyzer(url, told).scan(made.experiment)
        assert set(verdicts(before)) - set(verdicts(after)) == {gone}
        by_id = {str(r.subject.run_id): r.analysis for r in after}
        assert by_id[late].history.pairs[0].val[-1] == 77.0
        change(own, "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = ?", gone)
        restored = analyzer(url).scan(made.experiment)
        assert list(verdicts(restored)) == ids
        assert verdicts(restored)[gone] == verdicts(before)[gone]
        # A point below the latest step of a run that ended long ago shows in no list of runs: --refresh finds it.
        full = analyzer(url).scan(made.experiment, refresh=True)
        assert points_of(full, odd)[7] == 55.0
    from_file = analyzer(f"sqlite:///{own}").scan(made.experiment)
    assert points_of(from_file, odd)[7] == 55.0, "a file tells by the number of its rows"
    assert told == []


def points_of(results, run_id: str) -> tuple:
    return next(r.analysis for r in results if r.subject.run_id == run_id).history.pairs[0].val


def test_a_file_store_sees_every_late_point(made, own):
    uri = f"sqlite:///{own}"
    first = analyzer(uri).scan(made.experiment)
    run_id = str(first[5].subject.run_id)
    kept = analyzer(uri).scan(made.experiment)
    assert [r.to_json() for r in kept] == [r.to_json() for r in first], "taken from the cache, word for word"
    log_point(own, run_id, "val_loss", 55.0, 7, 1_800_000_000_000)
    again = analyzer(uri).scan(made.experiment)
    assert points_of(again, run_id)[7] == 55.0
    assert sum(a.to_json() != b.to_json() for a, b in zip(first, again, strict=True)) == 1
    assert len(again.comparison.runs) == 230


def test_a_dask_cluster_gives_what_this_machine_gives(made, own, tmp_path):
    script = (
        "import sys, json; from copilot import CopilotAnalyzer; from copilot.utils.config import Settings\n"
        "if __name__ == '__main__':\n"
        "    kind = {'kind': sys.argv[3], 'workers': 2} if sys.argv[3] == 'dask' else 'local'\n"
        "    settings = Settings(mlflow={'tracking_uri': sys.argv[1], 'cache': False}, executor=kind)\n"
        "    results = CopilotAnalyzer(settings).scan(sys.argv[2])\n"
        "    told = [[r.subject.run_id, r.summary, [e.value for e in r.evidence]] for r in results]\n"
        "    print(json.dumps([told, sorted(results.failed), len(results.comparison.runs)]))\n"
    )
    (tmp_path / "scan.py").write_text(script)
    found = [
        subprocess.run(
            [sys.executable, "scan.py", f"sqlite:///{own}", made.experiment, kind],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        ).stdout
        for kind in ("local", "dask")
    ]
    assert found[0] == found[1]
    assert json.loads(found[1])[2] == 230


def test_a_comparison_that_lacks_a_run_is_told_and_not_kept(made, own, monkeypatch):
    uri = f"sqlite:///{own}"
    ids = [str(r.subject.run_id) for r in analyzer(uri).scan(made.experiment, limit=6)]
    with monkeypatch.context() as patch:
        series = SqliteStore.series
        patch.setattr(
            SqliteStore,
            "series",
            lambda self, runs, wanted: (
                (run, ToolError("The disk is gone.") if run.run_id == ids[2] else found)
                for run, found in series(self, runs, wanted)
            ),
        )
        part = analyzer(uri).scan(made.experiment, limit=6, quantity="loss")
    assert len(part.comparison.runs) == 5
    assert part.failed == {ids[2]: "Not compared with the others: The disk is gone."}
    whole = analyzer(uri).scan(made.experiment, limit=6, quantity="loss")
    assert len(whole.comparison.runs) == 6
    assert whole.failed == {}


def test_a_run_that_was_deleted_and_restored_says_only_what_is_true(made, own):
    uri = f"sqlite:///{own}"
    ids = [str(r.subject.run_id) for r in analyzer(uri).scan(made.experiment, limit=2)]
    change(own, "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", ids[0])
    told = "The run is deleted in MLflow."
    assert told in analyzer(uri).compare(ids)[0].warnings
    change(own, "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = ?", ids[0])
    assert told not in analyzer(uri).scan(made.experiment, limit=2)[0].warnings


def test_settings_and_the_runs_own_words_count(made, own):
    uri = f"sqlite:///{own}"
    first = analyzer(uri).scan(made.experiment, limit=5)
    settings = Settings(mlflow=MlflowSettings(tracking_uri=uri), detection={"ignore": {"OVF102": "known"}})
    muted = CopilotAnalyzer(settings).scan(made.experiment, limit=5)
    assert {f.state for r in muted for f in r.findings if f.code == "OVF102"} == {"ignored"}
    change(own, "UPDATE runs SET name = 'renamed' WHERE run_uuid = ?", str(first[0].subject.run_id))
    assert analyzer(uri).scan(made.experiment, limit=5)[0].subject.run_name == "renamed"


def test_a_damaged_cache_is_told_and_read_again(made, own, home):
    uri, told = f"sqlite:///{own}", []
    first = verdicts(analyzer(uri).scan(made.experiment))
    for file in home.rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-50] + b"x" * 50)
    again = analyzer(uri, told).scan(made.experiment)
    assert verdicts(again) == first
    assert len(set(told)) == 1
    assert "damaged" in told[0]
    shutil.rmtree(home / "cache")
    assert verdicts(analyzer(uri, told).scan(made.experiment)) == first


def test_two_scans_at_once(made, own, home):
    script = (
        "import sys; from copilot import CopilotAnalyzer; from copilot.utils.config import Settings, MlflowSettings\n"
        "a = CopilotAnalyzer(Settings(mlflow=MlflowSettings(tracking_uri=sys.argv[1])))\n"
        "for _ in range(3):\n"
        "    print(len(a.scan(sys.argv[2])), len(a.scan(sys.argv[2], refresh=True)))\n"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{own}", made.experiment]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate(timeout=200)[0] for p in both] == ["230 230\n" * 3] * 2
    assert len(analyzer(f"sqlite:///{own}").scan(made.experiment)) == 230


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle(made, own, free_port, monkeypatch):
    monkeypatch.setattr("copilot.integrations.mlflow.server_store.ServerStore.together", 50)
    port = free_port()
    with serve(own, port) as (url, process):
        scan = analyzer(url)

        def kill(done: float, line: str) -> None:
            if done > 0.4 and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

        started = time.monotonic()
        part = scan.scan(made.experiment, progress=kill)
        assert time.monotonic() - started < 90
    assert 50 <= len(part) < 230
    assert len(part) + len(part.failed) == 230
    assert all("Nothing listens" in why or "does not answer any more" in why for why in part.failed.values())
    with serve(own, port) as (url, _):
        asked: list[int] = []
        read = server_histories.ServerHistories.read
        monkeypatch.setattr(
            server_histories.ServerHistories,
            "read",
            lambda self, runs, keys: asked.append(len(runs)) or read(self, runs, keys),
        )
        whole = analyzer(url).scan(made.experiment)
        assert len(whole) == 230
        assert sum(asked) == 230 - len(part), "what was read before the server died is not read again"
        assert verdicts(part).items() <= verdicts(whole).items()


def test_a_run_that_has_just_ended_is_read_again():
    now = time.time() * 1000
    states = [
        ("RUNNING", 0, False),
        ("FINISHED", now - 5000, False),
        ("FINISHED", now - 600_000, True),
        ("FAILED", 0, False),
    ]
    for status, end_ms, settled in states:
        assert server_store._settled({"status": status, "end_time": int(end_ms)}) is settled
