"""From an MLflow model URI to the model's files on this machine. Nothing is loaded or run."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_database

from copilot.errors import CopilotError, InputError, NotFoundError, ToolError
from copilot.integrations.model_spec import ModelFiles
from copilot.utils.config import MlflowSettings
from copilot.utils.validators import clean_text, without_credentials

FORMS = "Use runs:/<run id>/model, models:/<name>/<version>, models:/<name>@<alias> or the path of a model."
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND", "ENDPOINT_NOT_FOUND"}


def fetch_model(
    uri: str, *, tracking_uri: str | None = None, settings: MlflowSettings | None = None, folder: Path | None = None
) -> ModelFiles:
    """Find a model and bring its files here.

    Parameters
    ----------
    uri : str
        ``runs:/<run id>/<name>``, a bare run id, ``models:/<name>/<version>``, ``models:/<name>@<alias>``,
        ``models:/<model id>``, or the path of a model folder or file.
    tracking_uri : str, optional
        MLflow store; needed unless `uri` is a path.
    settings : MlflowSettings, optional
        Timeout and retries.
    folder : Path, optional
        Where files of a remote store go. Default: a new temporary folder. Local files stay where they are.

    Raises
    ------
    InputError
        `uri` is of no known form, or there is no tracking URI.
    NotFoundError
        There is no such run, model, version or alias.
    ToolError
        The store cannot be reached or read.
    """
    local = Path(uri.removeprefix("file://")).expanduser()
    if local.exists():
        return ModelFiles(uri=uri, path=str(local.resolve()))
    shown = clean_text(without_credentials(uri))
    if not (uri.startswith(("runs:/", "models:/")) or _RUN_ID.fullmatch(uri)):
        raise NotFoundError(f"There is no model at {shown}.", FORMS)
    if not tracking_uri:
        raise InputError("No tracking URI is set, so models cannot be looked up.", "Set mlflow.tracking_uri.")
    with _store(tracking_uri, settings or MlflowSettings()) as client, _our_errors(shown, tracking_uri):
        location, run_id = _locate(client, uri)
        path = _download(location, client.tracking_uri, folder)
        params = client.get_run(run_id).data.params if run_id else {}
    return ModelFiles(uri=uri, path=str(path), params=params)


def _locate(client: MlflowClient, uri: str) -> tuple[str, str | None]:
    """Where the model's files lie, and the run that made it."""
    kind, _, rest = uri.partition(":/") if ":/" in uri else ("runs", "", uri)
    head, _, name = rest.strip("/").partition("/")
    if kind == "runs":
        if not head or ".." in name.split("/"):
            raise InputError(f"{clean_text(uri)} is no model of a run.", FORMS)
        return _of_run(client, head, name or "model"), head
    if "@" in head and not name:
        version = client.get_model_version_by_alias(*head.split("@", 1))
    elif name.isdecimal():
        version = client.get_model_version(head, name)
    elif head.startswith("m-") and not name:
        return _of_logged_model(client, head)
    else:
        raise InputError(f"{clean_text(uri)} is not a model URI.", FORMS)
    source = client.get_model_version_download_uri(version.name, version.version)
    if source.startswith("models:/m-"):
        return _of_logged_model(client, source.removeprefix("models:/"))
    return source, version.run_id or None


def _of_run(client: MlflowClient, run_id: str, name: str) -> str:
    """MLflow 3 keeps a run's models beside the run, older versions among its artifacts."""
    run = client.get_run(run_id)
    outputs = getattr(run, "outputs", None)
    logged = [client.get_logged_model(output.model_id) for output in (outputs.model_outputs if outputs else [])]
    for model in reversed(logged):
        if model.name == name:
            return model.artifact_location
    if not client.list_artifacts(run_id, name):
        others = clean_text(", ".join(sorted({model.name for model in logged})), 100)
        hint = f"Its models: {others}." if others else "Log one with mlflow.pytorch.log_model."
        raise NotFoundError(f"Run {run_id} has no model called {clean_text(name)}.", hint)
    return f"{run.info.artifact_uri.rstrip('/')}/{name}"


def _of_logged_model(client: MlflowClient, model_id: str) -> tuple[str, str | None]:
    model = client.get_logged_model(model_id)
    return model.artifact_location, model.source_run_id or None


def _download(location: str, tracking_uri: str, folder: Path | None) -> Path:
    parts = urlsplit(location)
    path = Path(unquote(parts.path) if parts.scheme == "file" else location)
    if parts.scheme in ("", "file"):
        if not path.exists():
            raise NotFoundError(f"The model's files are gone from {clean_text(path)}.", "Log the model again.")
        return path.resolve()
    folder = folder or Path(tempfile.mkdtemp(prefix="mlops-copilot-model-"))
    return Path(mlflow.artifacts.download_artifacts(location, dst_path=str(folder), tracking_uri=tracking_uri))


@contextlib.contextmanager
def _store(tracking_uri: str, settings: MlflowSettings) -> Iterator[MlflowClient]:
    """A client that gives up in time, and that leaves an older SQLite file as it is."""
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(settings.timeout_s)))
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(settings.max_retries)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as folder, _quiet():
        with _our_errors("the store", tracking_uri):
            own = _existing(tracking_uri, Path(folder))
            client = MlflowClient(tracking_uri=own, registry_uri=own)
        yield client


def _existing(tracking_uri: str, folder: Path) -> str:
    parts = urlsplit(tracking_uri)
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path) if parts.scheme else tracking_uri).expanduser()
        if not path.is_dir():  # a client would make one
            raise NotFoundError(f"There is no MLflow store at {clean_text(path)}.", "Check mlflow.tracking_uri.")
    if parts.scheme != "sqlite":
        return tracking_uri
    path = Path(tracking_uri.removeprefix("sqlite:///").partition("?")[0])
    if not path.is_file():
        raise NotFoundError(f"There is no MLflow database at {clean_text(path)}.", "Check mlflow.tracking_uri.")
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        if database.execute("SELECT version_num FROM alembic_version").fetchone() == (_newest_schema(),):
            return tracking_uri
        copy = folder / "mlflow.db"  # a client would change the file so that the older MLflow no longer starts
        with contextlib.closing(sqlite3.connect(copy)) as target:
            database.backup(target)
    return f"sqlite:///{copy.as_posix()}"


def _newest_schema() -> str | None:
    newest = getattr(mlflow_database, "_get_latest_schema_revision", None)
    return newest() if newest else None


@contextlib.contextmanager
def _our_errors(shown: str, tracking_uri: str) -> Iterator[None]:
    where = clean_text(without_credentials(tracking_uri), 120)
    try:
        yield
    except CopilotError:
        raise
    except MlflowException as error:
        text = clean_text(without_credentials(error.message), 200)
        if error.error_code in _GONE:
            raise NotFoundError(f"{shown} is not in {where}: {text}", FORMS) from error
        raise ToolError(
            f"The MLflow store {where} did not answer: {text}", "Is the tracking server running?"
        ) from error
    except sqlite3.Error as error:
        raise InputError(f"{where} is no MLflow database: {error}.", "Check mlflow.tracking_uri.") from error
    except Exception as error:  # each artifact store raises its own kinds
        text = clean_text(without_credentials(f"{type(error).__name__}: {error}"), 200)
        raise ToolError(f"{shown} cannot be fetched from {where}: {text}", "Check access to its artifacts.") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
