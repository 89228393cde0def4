"""An MLflow SQLite store of any size, made in seconds: MLflow's own schema, rows as its client writes them.

MLflow makes the file and the experiment. Logging four million points through its client would take hours, so the rows
go in by SQL, in the order in which training would have logged them and with every index in place, so that the file is
laid out as a real one is. Like MLflow, nothing runs `ANALYZE` on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks._shapes import counted, noise, remaining

EXPERIMENT = "scan-benchmark"
QUANTITIES = ("loss", "accuracy", "precision", "recall", "f1", "auc", "mae", "mse", "dice", "iou")
KINDS = ("healthy", "overfitting", "underfitting")
SHARES = (0.5, 0.35, 0.15)
SCHEDULES = ("exponential", "power law", "fast then slow", "cosine")
FIRST_START_MS = 1_767_225_600_000  # 2026-01-01
EPOCH_MS, PAUSE_MS = 2_000, 60_000


class MadeStore(NamedTuple):
    """Where the store is and what it holds; `kinds` counts the runs by how their curves were drawn."""

    path: Path
    experiment: str
    runs: int
    points: int
    kinds: dict[str, int]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.path}"


def build_store(path: Path, runs: int = 2000, metrics: int = 4, steps: int = 100, seed: int = 0) -> MadeStore:
    """Make the store; the same seed gives the same ids and numbers.

    Parameters
    ----------
    path : Path
        A file that does not exist yet.
    runs, metrics, steps : int
        Runs, metrics of each run, and points of each metric. The first four metrics are the training and validation
        loss and accuracy; after twenty, names follow that no convention knows.
    seed : int

    Returns
    -------
    MadeStore
        The file, the experiment's name, and how many runs and points it holds.
    """
    experiment_id = _schema(path)
    rng = np.random.default_rng(seed)
    names, kinds = metric_names(metrics), rng.choice(KINDS, runs, p=SHARES)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a file that a crash spoils is made anew
        connection.execute("PRAGMA cache_size = -200000")  # 200 MB: the indexes stay in memory while they grow
        for number, kind in enumerate(kinds):
            _write_run(connection, experiment_id, number, str(kind), names, steps, rng)
    connection.close()  # leaving the block only commits
    drawn = {kind: int((kinds == kind).sum()) for kind in KINDS}
    return MadeStore(path, EXPERIMENT, runs, runs * metrics * steps, drawn)


def open_store(path: Path) -> MadeStore:
    """A store that `build_store` made earlier, with what it holds now."""
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM runs")]
        points = connection.execute("SELECT COUNT(*) FROM metrics").fetchone()[0]
    connection.close()
    drawn = {kind: sum(name.startswith(kind) for name in names) for kind in KINDS}
    return MadeStore(path, EXPERIMENT, len(names), points, drawn)


def metric_names(count: int) -> list[str]:
    """`train_loss`, `val_loss`, `train_accuracy`, `val_accuracy`, ... then `extra_0`, `extra_1`, ..."""
    paired = [f"{split}_{quantity}" for quantity in QUANTITIES for split in ("train", "val")]
    return (paired + [f"extra_{i}" for i in range(count)])[:count]


def curves(kind: str, names: list[str], steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One array of `steps` values a name, drawn for a run of this kind."""
    schedule = str(rng.choice(SCHEDULES))
    left = remaining(schedule, steps, rng)
    share = np.arange(steps) / max(steps - 1, 1)
    learned = rng.uniform(0.02, 0.1) if kind == "underfitting" else rng.uniform(0.85, 0.97)
    onset = rng.uniform(0.2, 0.5)
    rise = rng.uniform(0.4, 1.2) * np.maximum(share - onset, 0) if kind == "overfitting" else 0.0
    start = rng.uniform(1.5, 2.5)
    for name in names:
        split, _, quantity = name.partition("_")
        own_rise = rise if split == "val" else 0.0
        if quantity in ("loss", "mae", "mse"):
            level = start * (1 - learned * (1 - left)) + (0.05 * start if split == "val" else 0.0)
            yield level * (1 + own_rise) * noise(steps, rng, 0.02 if split == "val" else 0.01)
        else:
            reached = 0.1 + 0.85 * learned * (1 - left) - (0.02 if split == "val" else 0.0)
            yield counted(np.clip(reached - 0.15 * own_rise, 0.01, 0.99), 2000 if split == "val" else 10000, rng)


def _schema(path: Path) -> int:
    """Let MLflow make the file and the experiment, whose id is returned."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    if path.exists():
        raise FileExistsError(path)
    return int(MlflowClient(f"sqlite:///{path}").create_experiment(EXPERIMENT, artifact_location="mlflow-artifacts:/1"))


def _write_run(
    connection: sqlite3.Connection,
    experiment_id: int,
    number: int,
    kind: str,
    names: list[str],
    steps: int,
    rng: np.random.Generator,
) -> None:
    run_id = rng.bytes(16).hex()
    start = FIRST_START_MS + number * (steps * EPOCH_MS + PAUSE_MS)
    times = (start + EPOCH_MS * np.arange(1, steps + 1)).tolist()
    name, uri = f"{kind}-{number}", f"mlflow-artifacts:/1/{run_id}/artifacts"
    ended = times[-1] + 500 if times else start
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
        "end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'UNKNOWN', '', '', 'ada', 'FINISHED', ?, ?, '', 'active', ?, ?)",
        (run_id, name, start, ended, uri, experiment_id),
    )
    params = {"lr": 10 ** rng.uniform(-4, -1), "batch_size": int(rng.choice([32, 64, 128])), "optimizer": "adam"}
    params |= {"weight_decay": float(rng.choice([0.0, 1e-4, 1e-2]))}
    tags = {"runName": name, "user": "ada", "source.name": "train.py", "source.type": "LOCAL"}
    connection.executemany("INSERT INTO params VALUES (?, ?, ?)", [(k, str(v), run_id) for k, v in params.items()])
    connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(f"mlflow.{k}", v, run_id) for k, v in tags.items()])
    values = [array.tolist() for array in curves(kind, names, steps, rng)]
    rows = (
        (key, series[step], times[step], run_id, step)
        for step in range(steps)
        for key, series in zip(names, values, strict=True)
    )
    connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", rows)
    last = steps - 1
    latest = [(key, series[last], times[last], last, run_id) for key, series in zip(names, values, strict=True)]
    connection.executemany("INSERT INTO latest_metrics VALUES (?, ?, ?, ?, 0, ?)", latest)
