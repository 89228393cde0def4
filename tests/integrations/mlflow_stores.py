"""MLflow stores for tests: one that MLflow's own client writes, and SQLite files as older versions left them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

RUN = "a" * 32
SCHEMA_OF_1_30 = "97727af70f4d"


def fingerprint(path: Path) -> dict[str, str]:
    """Hash of a file, or of every file and folder below a folder."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() if f.is_file() else "folder" for f in found}


@contextlib.contextmanager
def serve(database: Path, port: int) -> Iterator[tuple[str, subprocess.Popen]]:
    """A real tracking server on an SQLite file: its address and its process."""
    url, log_file = f"http://127.0.0.1:{port}", database.with_suffix(".log")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(database.parent / "a")]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=database.parent, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                requests.get(f"{url}/health", timeout=2)
                break
            except requests.RequestException:
                assert process.poll() is None, log_file.read_text()[-2000:]
                time.sleep(0.1)
        yield url, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def old_sqlite_file(path: Path) -> Path:
    """A file with the tables of MLflow 1.30, made by MLflow's own migrations, and a run as 1.30 wrote them."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    url = f"sqlite:///{path}"
    Base.metadata.create_all(create_engine(url))
    command.upgrade(_get_alembic_config(url), SCHEMA_OF_1_30)
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (1, 'old', 'mlruns/1', 'active')"
        )
        database.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, artifact_uri, "
            "experiment_id, source_type) "
            "VALUES (?, '', 'FINISHED', 1660000000000, 1660000060000, 'active', 'mlruns/1/a', 1, 'LOCAL')",
            (RUN,),
        )
        database.executemany(
            "INSERT INTO tags VALUES (?, ?, ?)",
            [
                ("mlflow.runName", "evening run", RUN),
                ("mlflow.log-model.history", '[{"artifact_path": "net"}]', RUN),
                ("note\x1b[31m", "<b>\u202ehi</b>", RUN),
            ],
        )
        database.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (RUN,))
        log_epochs(database, range(4))
        database.execute("INSERT INTO registered_models (name) VALUES ('net')")
        database.execute(
            "INSERT INTO model_versions (name, version, current_stage, run_id) VALUES ('net', 3, 'Production', ?)",
            (RUN,),
        )
    database.close()
    return path


def log_epochs(database: sqlite3.Connection, epochs: range) -> None:
    """Log ``train_loss`` = 1 / (epoch + 1), ``val_loss`` = epoch (NaN at 2), and an unrelated metric."""
    for epoch in epochs:
        rows = [
            ("train_loss", 1 / (epoch + 1), 0),
            ("val_loss", 0 if epoch == 2 else epoch, epoch == 2),
            ("lr", 0.1, 0),
        ]
        for key, value, is_nan in rows:
            database.execute(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                (key, value, 1660000000000 + epoch * 1000, RUN, epoch, is_nan),
            )
            database.execute(
                "INSERT OR REPLACE INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, value, 1660000000000 + epoch * 1000, epoch, is_nan, RUN),
            )


def write_with_client(uri: str) -> dict[str, str]:
    """Log two runs, a dataset, a model and a registered version with MLflow's client; their ids by what they are."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    client = MlflowClient(uri)
    experiment = client.create_experiment("digits, first try")
    parent = client.create_run(experiment, run_name="wide net", tags={"team": "vision"}).info.run_id
    epochs = range(30)
    metrics = [Metric("train_loss", 1 / (e + 1), 1_700_000_000_000 + e * 1000, e) for e in epochs]
    metrics += [
        Metric("val_loss", float("nan") if e == 7 else 1 + e / 10, 1_700_000_000_500 + e * 1000, e) for e in epochs
    ]
    metrics += [
        Metric("train_acc", float("inf") if e == 3 else e / 30, 1_700_000_000_000 + e * 1000, e) for e in epochs
    ]
    metrics += [Metric("val_acc", e / 40, 1_700_000_000_500 + e * 1000, e) for e in epochs]
    metrics += [Metric("system/cpu", 50.0, 1_700_000_000_000 + e * 1000, e) for e in epochs]
    client.log_batch(parent, metrics[::-1], [Param("lr", "0.1"), Param("optimizer", "sgd")], [RunTag("stage", "try")])
    dataset = Dataset(name="digits", digest="d41d8", source_type="local", source='{"uri": "data/train"}')
    client.log_inputs(parent, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    client.set_terminated(parent, end_time=1_700_000_060_000)
    child = client.create_run(experiment, run_name="fold 1", tags={"mlflow.parentRunId": parent}).info.run_id
    client.log_metric(child, "loss", 0.5)
    deleted = client.create_run(experiment, run_name="mistake").info.run_id
    client.delete_run(deleted)
    client.create_registered_model("digit-net")
    client.create_model_version("digit-net", "s3://nowhere/model", parent)
    client.create_model_version("digit-net", "s3://nowhere/model", child)
    client.set_registered_model_alias("digit-net", "champion", 1)
    return {"experiment": experiment, "parent": parent, "child": child, "deleted": deleted}


FOLD_SCORES = (0.90, 0.91, 0.70, 0.905, 0.898)  # the third fold stands apart


def write_cross_validation(uri: str) -> dict[str, str]:
    """Log a parent with five folds, one without children, and two single runs; their ids by what they are."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(uri)
    experiment = client.create_experiment("cross-validation")

    def log(name: str, score: float | None = None, parent: str | None = None, **params: object) -> str:
        tags = {"mlflow.parentRunId": parent} if parent else {}
        run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        points = [] if score is None else [score - 0.5 * 0.6**e for e in range(20)]
        metrics = [Metric("val_accuracy", v, 1_700_000_000_000 + e, e) for e, v in enumerate(points)]
        metrics += [Metric("train_accuracy", v + 0.02, 1_700_000_000_000 + e, e) for e, v in enumerate(points)]
        client.log_batch(run_id, metrics, [Param(k, str(v)) for k, v in params.items()])
        client.set_terminated(run_id)
        return run_id

    parent = log("resnet", n_folds=5)
    folds = {
        f"fold {i}": log(f"resnet-fold-{i}", score, parent, fold=i, n_train=800, n_val=200)
        for i, score in enumerate(FOLD_SCORES, 1)
    }
    better, worse = log("better", 0.92, n_val=2000), log("worse\x1b[31m|<b>", 0.85, n_val=2000)
    return {"parent": parent, **folds, "childless": log("alone"), "better": better, "worse": worse}


def write_registry(uri: str) -> dict[str, str]:
    """`write_cross_validation` and registered models: of five versions, of none, of one without curves."""
    from mlflow import MlflowClient

    runs, client = write_cross_validation(uri), MlflowClient(uri)
    for name in ("digit-net", "new-net", "lost-net"):
        client.create_registered_model(name)
    for run in ("better", "worse", "childless", "fold 1"):
        client.create_model_version("digit-net", "s3://nowhere/model", runs[run])
    client.create_model_version("digit-net", "s3://nowhere/model")
    client.create_model_version("lost-net", "s3://nowhere/model", runs["childless"])
    client.set_registered_model_alias("digit-net", "champion", 2)
    return runs
