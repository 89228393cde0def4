"""Runs in an SQLite file, by plain SQL on a read-only connection.

MLflow's own client would migrate the file to its version, after which the server that wrote it no longer starts.
The tables read here have the same columns from 1.30 to 3.17; what later versions added is looked for first.
"""

from __future__ import annotations

import bisect
import contextlib
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.local_artifacts import USE_SERVER, list_folder, local_folder
from copilot.integrations.mlflow.records import (
    PROMPT_TAG,
    ArtifactInfo,
    DatasetInfo,
    ExperimentInfo,
    RegisteredModel,
    RunInfo,
    make_dataset,
    make_run,
    make_series,
    make_version,
    make_versions,
    no_run,
    seconds,
)
from copilot.utils.validators import clean_text

BUSY_S = 5.0
CHUNK = 500  # SQLite takes at most 999 values in a statement
_nan = float("nan")
NEEDED = {"experiments", "runs", "metrics", "latest_metrics", "params", "tags"}
POINT = {"key", "value", "step", "timestamp", "is_nan"}
_POINTS = (
    "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END, step, timestamp FROM metrics "
    "WHERE run_uuid = ? ORDER BY key, step"
)
_WAL_AT, _WAL = 18, 2  # the header's write version: 2 is write-ahead logging


class SqliteStore:
    """A `Store` over an SQLite file."""

    caches = False  # reading the file is as fast as reading a copy of it
    together = 500

    def __init__(self, path: Path, public: str) -> None:
        self._path, self._public = path, public
        with self._open() as database:
            tables = _tables(database)
            if not {"experiments", "runs", "metrics"}.issubset(tables):
                raise InputError(f"{public} holds no MLflow tables.", "Check the path.")
            if not (NEEDED.issubset(tables) and POINT.issubset(_columns(database, "metrics"))):
                raise InputError(
                    f"{public} was written by an MLflow too old to be read.", "Run mlflow db upgrade on a copy of it."
                )

    def experiments(self) -> list[ExperimentInfo]:
        with self._open() as database:
            rows = database.execute("SELECT * FROM experiments WHERE lifecycle_stage = 'active'").fetchall()
        return [
            ExperimentInfo(str(r["experiment_id"]), clean_text(r["name"]), seconds(dict(r).get("last_update_time")))
            for r in rows
        ]

    def runs(self, experiment_id: str, limit: int | None, newest_first: bool) -> list[RunInfo]:
        order = "DESC" if newest_first else "ASC"
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active' "
                f"ORDER BY start_time {order}, run_uuid LIMIT ?",
                (experiment_id, -1 if limit is None else limit),
            ).fetchall()
            return _infos(database, rows)

    def run(self, run_id: str) -> RunInfo:
        with self._open() as database:
            return self._run(database, run_id)

    def series(
        self, runs: Sequence[RunInfo], wanted: Callable[[str], bool]
    ) -> Iterator[tuple[RunInfo, list[LoggedSeries]]]:
        with self._open() as database:
            database.row_factory = None
            for info in runs:
                rows = database.execute(_POINTS, (info.run_id,)).fetchall()
                yield info, _series(rows, info.latest, wanted)

    def artifacts(self, run_id: str, path: str) -> list[ArtifactInfo]:
        """Of artifacts the file knows only where they are; a relative path counts from the file's folder."""
        return list_folder(local_folder(self.run(run_id).artifact_uri, run_id, self._path.parent), path)

    def set_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        raise self._only_read()

    def put_artifact(self, run_id: str, path: str, content: bytes) -> None:
        raise self._only_read()

    def _only_read(self) -> InputError:
        return InputError(f"{self._public} is an SQLite file, which is only read, never written.", USE_SERVER)

    def registered_models(self) -> list[RegisteredModel]:
        with self._open() as database:
            names = [r[0] for r in _optional(database, "registered_models", "SELECT name FROM registered_models")]
            return [_model(database, name) for name in names if not _is_prompt(database, name)]

    def registered_model(self, name: str) -> RegisteredModel | None:
        with self._open() as database:
            found = _optional(database, "registered_models", "SELECT name FROM registered_models WHERE name = ?", name)
            return _model(database, name) if found else None

    def run_of_logged_model(self, model_id: str) -> str | None:
        with self._open() as database:
            found = _optional(
                database, "logged_models", "SELECT source_run_id FROM logged_models WHERE model_id = ?", model_id
            )
        if not found:
            raise NotFoundError(
                f"There is no logged model '{clean_text(model_id, 60)}' in {self._public}.", "Check its id."
            )
        return found[0][0] or None

    def _run(self, database: sqlite3.Connection, run_id: str) -> RunInfo:
        rows = database.execute("SELECT * FROM runs WHERE run_uuid = ?", (run_id,)).fetchall()
        if not rows:
            raise no_run(run_id, self._public)
        return _infos(database, rows)[0]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.ExitStack() as stack:
            try:
                database = stack.enter_context(_read_only(self._path))
                yield database
            except sqlite3.OperationalError as error:
                reason = "is locked by another program" if "locked" in str(error) else f"cannot be read: {error}"
                raise ToolError(f"{self._public} {reason}.", "Try again, or use the tracking server's URL.") from error
            except (sqlite3.DatabaseError, ValueError, TypeError) as error:
                raise InputError(f"{self._public} is damaged: {clean_text(error)}.", "Check the file.") from error


@contextlib.contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that leaves the file, and the folder it is in, as they are."""
    with contextlib.ExitStack() as stack:
        uri = f"{path.as_uri()}?mode=ro"
        beside = [
            side for end in ("-wal", "-journal") if (side := Path(f"{path}{end}")).exists() and side.stat().st_size
        ]
        if _is_wal(path) and not Path(f"{path}-shm").exists():
            # No program has it open. Reading would leave files beside it, unless SQLite may take it as unchanging.
            uri = f"{path.as_uri()}?mode=ro&immutable=1"
            if beside:
                uri = _copy(path, beside, stack)
        elif beside and not _readable(uri):
            uri = _copy(path, beside, stack)
        database = stack.enter_context(contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)))
        database.row_factory = sqlite3.Row
        yield database


def _is_wal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_WAL_AT + 1)[_WAL_AT:] == bytes([_WAL])


def _readable(uri: str) -> bool:
    """Whether it can be read as it is; after a crash a journal must be played back first."""
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as database:
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
    return True


def _copy(path: Path, beside: Sequence[Path], stack: contextlib.ExitStack) -> str:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlops-copilot-")))
    for file in (path, *beside):
        shutil.copy(file, folder / file.name)
    return (folder / path.name).as_uri()


def _tables(database: sqlite3.Connection) -> set[str]:
    return {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[0] for row in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _optional(database: sqlite3.Connection, table: str, query: str, *values: Any) -> list[sqlite3.Row]:
    """Rows of a table that older versions do not have."""
    return database.execute(query, values).fetchall() if table in _tables(database) else []


def _infos(database: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[RunInfo]:
    infos: list[RunInfo] = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        ids = [r["run_uuid"] for r in part]
        marks = ",".join("?" * len(ids))
        params, tags, metrics = (
            _by_run(database.execute(f"SELECT run_uuid, {columns} FROM {table} WHERE run_uuid IN ({marks})", ids))
            for table, columns in (
                ("params", "key, value"),
                ("tags", "key, value"),
                ("latest_metrics", "key, CASE WHEN is_nan THEN NULL ELSE value END, step, timestamp"),
            )
        )
        # A point below the latest step changes no latest value, but the number of rows.
        points = dict(
            database.execute(
                f"SELECT run_uuid, count(*) FROM metrics WHERE run_uuid IN ({marks}) GROUP BY run_uuid", ids
            ).fetchall()
        )
        datasets, models = _datasets(database, ids, marks), _models(database, ids, marks)
        infos += [
            make_run(
                run_id=r["run_uuid"],
                experiment_id=r["experiment_id"],
                name=r["name"],
                status=r["status"],
                start_ms=r["start_time"],
                end_ms=r["end_time"],
                params=params[r["run_uuid"]],
                tags=tags[r["run_uuid"]],
                metrics=[(k, _nan if v is None else v, s or 0, t or 0) for k, v, s, t in metrics[r["run_uuid"]]],
                datasets=datasets[r["run_uuid"]],
                model_ids=models[r["run_uuid"]],
                artifact_uri=r["artifact_uri"],
                state=str(points.get(r["run_uuid"], 0)),
                deleted=r["lifecycle_stage"] == "deleted",
            )
            for r in part
        ]
    return infos


def _series(
    rows: list[tuple[Any, ...]], latest: Mapping[str, Any], wanted: Callable[[str], bool]
) -> list[LoggedSeries]:
    """Series from rows of (key, value, step, milliseconds), which come sorted by key."""
    keys, *columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    series, at = [], 0
    while at < len(keys):
        end = bisect.bisect_right(keys, keys[at], at)
        part = slice(at, end) if wanted(str(keys[at])) else slice(0, 0)
        series.append(make_series(str(keys[at]), *(column[part] for column in columns)))
        at = end
    found = {s.name for s in series}
    return series + [make_series(key) for key in latest if clean_text(key) not in found]


def _by_run(rows: sqlite3.Cursor) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for run_id, *values in rows:
        found[run_id].append(tuple(values))
    return found


def _datasets(database: sqlite3.Connection, ids: list[str], marks: str) -> dict[str, list[DatasetInfo]]:
    found: dict[str, list[DatasetInfo]] = defaultdict(list)
    query = (
        "SELECT i.destination_id, d.name, d.digest, t.value, d.dataset_source FROM inputs i "
        "JOIN datasets d ON d.dataset_uuid = i.source_id "
        "LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context' "
        f"WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN ({marks})"
    )
    for run_id, *values in _optional(database, "inputs", query, *ids):
        found[run_id].append(make_dataset(*values))
    return found


def _models(database: sqlite3.Connection, ids: list[str], marks: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    query = (
        "SELECT source_id, destination_id FROM inputs WHERE destination_type = 'MODEL_OUTPUT' "
        f"AND source_id IN ({marks})"
    )
    for run_id, model_id in _optional(database, "inputs", query, *ids):
        found[run_id].append(str(model_id))
    return found


def _model(database: sqlite3.Connection, name: str) -> RegisteredModel:
    aliases: dict[str, list[str]] = defaultdict(list)
    query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
    for alias, version in _optional(database, "registered_model_aliases", query, name):
        aliases[str(version)].append(clean_text(alias))
    rows = database.execute(
        "SELECT version, run_id, current_stage, description FROM model_versions WHERE name = ? "
        "AND current_stage IS NOT 'Deleted_Internal'",
        (name,),
    ).fetchall()
    tags: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    query = "SELECT version, key, value FROM model_version_tags WHERE name = ?"
    for version, key, value in _optional(database, "model_version_tags", query, name):
        tags[str(version)].append((key, value))
    versions = (
        make_version(v, run_id, stage, aliases[str(v)], description, tags[str(v)])
        for v, run_id, stage, description in rows
    )
    return RegisteredModel(clean_text(name), make_versions(versions))


def _is_prompt(database: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM registered_model_tags WHERE name = ? AND key = ?"
    return bool(_optional(database, "registered_model_tags", query, name, PROMPT_TAG))
