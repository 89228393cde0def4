"""The measurements of scans: each counts every point of a store, and what is missing or missed is said."""

from __future__ import annotations

import pytest

from benchmarks import mlflow_scan
from benchmarks._mlflow_store import MadeStore, build_store
from benchmarks.mlflow_scan import WAYS, Row, Way, judged, measured

RUNS, STEPS = 8, 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    return build_store(tmp_path_factory.mktemp("scan") / "mlflow.db", RUNS, 4, STEPS)


@pytest.mark.parametrize("name", ["histories", "scan", "limit"])
def test_each_way_reads_the_whole_file(store, tmp_path, name):
    row = measured(Way(name, name, False), store.uri, store.experiment, tmp_path / "home")
    assert row.runs == RUNS
    assert row.points == (0 if name == "scan" else store.points)
    assert sum(row.verdicts.values()) == (RUNS if name == "scan" else 0)
    assert row.seconds > 0
    assert row.peak_mb > 20


def test_naive_client_reads_its_sample(store, tmp_path):
    row = measured(Way("naive", "naive", False, sample=3), store.uri, store.experiment, tmp_path / "home")
    assert (row.runs, row.points) == (3, 3 * 4 * STEPS)


def test_targets_that_are_missed_are_told(capsys):
    rows = {way.label: Row(1.0, 1000, 0, 100.0) for way in WAYS}
    assert not judged(rows, 1000)
    told = capsys.readouterr().out
    assert told.count("MISSED") == 2  # as fast as the naive clients, and as fast as the limit
    assert judged({k: v for k, v in rows.items() if not k.startswith("naive")}, 1000)
    slow = rows | {"scan with verdicts, file, warm": Row(4.0, 10_000, 0, 100.0)}
    assert not judged(slow, mlflow_scan.JUDGED_AT)


def test_a_lost_point_is_told(store, monkeypatch):
    monkeypatch.setattr(mlflow_scan, "STEPS", STEPS)
    way = Way("ours", "histories", False)
    assert mlflow_scan._wrong(way, Row(1.0, RUNS, store.points, 1.0), store) == ""
    assert "WRONG" in mlflow_scan._wrong(way, Row(1.0, RUNS, store.points - 1, 1.0), store)
