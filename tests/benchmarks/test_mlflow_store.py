"""The made MLflow store: MLflow's own client and ours read what was planned, and the same seed makes the same rows."""

from __future__ import annotations

import sqlite3

import pytest

from benchmarks._mlflow_store import EXPERIMENT, MadeStore, build_store, metric_names, open_store
from copilot import CopilotAnalyzer
from copilot.utils.config import Settings

RUNS, METRICS, STEPS = 12, 4, 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    return build_store(tmp_path_factory.mktemp("made") / "mlflow.db", RUNS, METRICS, STEPS)


def test_the_file_holds_what_was_asked(store):
    assert (store.runs, store.points, sum(store.kinds.values())) == (RUNS, RUNS * METRICS * STEPS, RUNS)
    with sqlite3.connect(store.path) as file:
        counts = [file.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in ("runs", "metrics", "params")]
        latest = file.execute(
            "SELECT COUNT(*) FROM latest_metrics JOIN metrics USING (run_uuid, key, step, value, timestamp)"
        ).fetchone()[0]
    assert counts == [RUNS, RUNS * METRICS * STEPS, 4 * RUNS]
    assert latest == RUNS * METRICS
    assert open_store(store.path) == store


def test_the_clients_of_mlflow_and_ours_read_the_same(store):
    from mlflow import MlflowClient

    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == RUNS
    ours = CopilotAnalyzer(Settings(mlflow={"tracking_uri": store.uri})).source.histories([r.info.run_id for r in runs])
    for run in runs:
        assert (run.info.status, run.info.lifecycle_stage) == ("FINISHED", "active")
        assert set(run.data.metrics) == set(metric_names(METRICS))
        assert run.data.tags["mlflow.runName"] == run.info.run_name
        points = client.get_metric_history(run.info.run_id, "val_loss")
        assert [p.step for p in points] == list(range(STEPS))
        assert points[-1].value == run.data.metrics["val_loss"]
        assert points[-1].timestamp <= run.info.end_time
        loss = next(pair for pair in ours[run.info.run_id].pairs if pair.quantity == "loss")
        assert loss.val.tolist() == [p.value for p in points]


def test_the_same_seed_makes_the_same_rows(store, tmp_path):
    def rows(path):
        with sqlite3.connect(path) as file:
            return file.execute("SELECT * FROM metrics ORDER BY run_uuid, key, step").fetchall()

    assert rows(build_store(tmp_path / "again.db", RUNS, METRICS, STEPS).path) == rows(store.path)
    assert rows(build_store(tmp_path / "other.db", RUNS, METRICS, STEPS, seed=1).path) != rows(store.path)


def test_names_go_on_where_the_conventions_end():
    names = metric_names(30)
    assert names[:4] == ["train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    assert len(set(names)) == 30
    assert names[20] == "extra_0"
