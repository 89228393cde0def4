"""Where an MLflow store keeps its models: what is asked of a store, and the answers of an SQLite file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from copilot.errors import NotFoundError, ToolError
from copilot.integrations.mlflow.addresses import Address
from copilot.utils.validators import clean_text

MODEL_FORMS = "Use runs:/<run id>/model, models:/<name>/<version>, models:/<name>@<alias> or the path of a model."
_BUSY_S = 5.0


@dataclass(frozen=True)
class StoredModel:
    """A model in a store: where its files lie (an address or path), and the run that made it."""

    location: str
    run_id: str | None
    name: str = ""


class ModelStore(Protocol):
    """What is asked of a store. Each raises NotFoundError for what is not there."""

    def artifacts(self, run_id: str) -> str:
        """Where the run's artifacts lie."""

    def params(self, run_id: str) -> dict[str, str]:
        """The run's parameters."""

    def models_of(self, run_id: str) -> list[StoredModel]:
        """Models that MLflow 3 keeps beside the run, the oldest first."""

    def model(self, model_id: str) -> StoredModel:
        """A model by its id (MLflow 3)."""

    def version(self, name: str, version: str | None, alias: str | None) -> StoredModel:
        """A version of a registered model; its location may be ``models:/<model id>``."""


class SqliteModels:
    """An SQLite file, by plain SQL: MLflow's client would migrate it, and its older server no longer start."""

    def __init__(self, database: sqlite3.Connection, public: str) -> None:
        self._database, self._public = database, public

    @classmethod
    @contextlib.contextmanager
    def opened(cls, address: Address) -> Iterator[SqliteModels]:
        uri = f"{Path(address.place).as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as database:
                yield cls(database, address.public)
        except sqlite3.Error as error:
            reason = clean_text(error)
            raise ToolError(f"{address.public} cannot be read: {reason}.", "Is it an MLflow database?") from error

    def artifacts(self, run_id: str) -> str:
        return self._one("run", run_id, "SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)[0]

    def params(self, run_id: str) -> dict[str, str]:
        return dict(self._rows("SELECT key, value FROM params WHERE run_uuid = ?", run_id))

    def models_of(self, run_id: str) -> list[StoredModel]:
        query = (
            "SELECT artifact_location, name FROM logged_models WHERE source_run_id = ? ORDER BY creation_timestamp_ms"
        )
        rows = self._rows(query, run_id) if self._has("logged_models") else []
        return [StoredModel(location, run_id, name) for location, name in rows]

    def model(self, model_id: str) -> StoredModel:
        query = "SELECT artifact_location, source_run_id FROM logged_models WHERE model_id = ?"
        return StoredModel(*self._one("model", model_id, query if self._has("logged_models") else "", model_id))

    def version(self, name: str, version: str | None, alias: str | None) -> StoredModel:
        if alias:
            query = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
            known = self._has("registered_model_aliases")
            version = self._one("model", f"{name}@{alias}", query if known else "", name, alias)[0]
        query = "SELECT source, run_id FROM model_versions WHERE name = ? AND version = ?"
        source, run_id = self._one("model version", f"{name}/{version}", query, name, int(version or 0))
        return StoredModel(source, run_id or None)

    def _rows(self, query: str, *values: object) -> list[tuple]:
        return self._database.execute(query, values).fetchall()

    def _one(self, what: str, asked: str, query: str, *values: object) -> tuple:
        rows = self._rows(query, *values) if query else []
        if not rows:
            raise NotFoundError(
                f"There is no {what} {json.dumps(clean_text(asked, 80))} in {self._public}.", MODEL_FORMS
            )
        return rows[0]

    def _has(self, table: str) -> bool:
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table))
