"""From an MLflow model URI to the model's files on this machine. Nothing is loaded or run, no store is changed."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from copilot.errors import InputError, NotFoundError
from copilot.integrations.mlflow.addresses import Address, parse_address
from copilot.integrations.models.spec import ModelFiles
from copilot.integrations.models.stores import MODEL_FORMS, ModelStore, SqliteModels, StoredModel
from copilot.utils.config import MlflowSettings
from copilot.utils.validators import clean_text, without_credentials

_RUN_ID = re.compile(r"[0-9a-f]{32}")


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
    shown = clean_text(without_credentials(uri))
    try:
        local = Path(url2pathname(urlsplit(uri).path) if uri.startswith("file:") else uri).expanduser()
        if local.exists():
            return ModelFiles(uri=uri, path=str(local.resolve()))
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or a user whom nobody knows
        raise NotFoundError(f"There is no model at {shown}.", MODEL_FORMS) from None
    if not (uri.startswith(("runs:/", "models:/")) or _RUN_ID.fullmatch(uri)):
        raise NotFoundError(f"There is no model at {shown}.", MODEL_FORMS)
    address = parse_address(tracking_uri)
    with _opened(address, settings or MlflowSettings()) as store:
        found = _locate(store, uri, shown)
        path = _local(found.location, address)
        if path is None:
            path = _download(found.location, address, folder)
        if not path.exists():
            raise NotFoundError(f"{shown} has no files at {clean_text(path)}.", _models_hint(store, found.run_id))
        return ModelFiles(uri=uri, path=str(path), params=store.params(found.run_id) if found.run_id else {})


def _locate(store: ModelStore, uri: str, shown: str) -> StoredModel:
    kind, _, rest = uri.partition(":/") if ":/" in uri else ("runs", "", uri)
    head, _, name = rest.strip("/").partition("/")
    alias = head.partition("@")[2]
    if not head or ".." in name.split("/") or (kind == "models" and "/" in name):
        raise InputError(f"{shown} is not a model URI.", MODEL_FORMS)
    if kind == "runs":
        return _of_run(store, head, name or "model")
    if not name and not alias and head.startswith("m-"):
        return store.model(head)
    if bool(name) == bool(alias) or (name and not name.isdecimal()):
        raise InputError(f"{shown} names no version of a model.", MODEL_FORMS)
    version = store.version(head.partition("@")[0], name or None, alias or None)
    logged = re.fullmatch(r"models:/+(m-\w+)", version.location)
    return store.model(logged[1]) if logged else version


def _of_run(store: ModelStore, run_id: str, name: str) -> StoredModel:
    """MLflow 3 keeps a run's models beside the run, older versions among its artifacts."""
    named = [model for model in store.models_of(run_id) if model.name == name]
    return named[-1] if named else StoredModel(f"{store.artifacts(run_id).rstrip('/')}/{name}", run_id)


def _models_hint(store: ModelStore, run_id: str | None) -> str:
    names = sorted({model.name for model in store.models_of(run_id)}) if run_id else []
    return f"The run's models: {clean_text(', '.join(names), 100)}." if names else "Log the model again."


def _local(location: str, address: Address) -> Path | None:
    """The path of a location on this machine; None for one that has to be downloaded."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file"):
        return None
    path = Path(url2pathname(parts.path) if parts.scheme else location)
    if path.is_absolute() or path.exists() or address.kind == "server":
        return path.resolve()
    return (Path(address.place).parent / path).resolve()  # MLflow counts from where the server was started


def _download(location: str, address: Address, folder: Path | None) -> Path:
    if address.kind != "server" and location.startswith("mlflow-artifacts:"):
        raise InputError(f"The model's files are kept by a tracking server, not in {address.public}.", "Use its URL.")
    from copilot.integrations.models.server import download  # brings in MLflow, which takes seconds

    folder = folder or Path(tempfile.mkdtemp(prefix="mlops-copilot-model-"))
    return download(location, folder, address.place if address.kind == "server" else None)


def _opened(address: Address, settings: MlflowSettings) -> contextlib.AbstractContextManager[ModelStore]:
    if address.kind == "sqlite":
        return SqliteModels.opened(address)
    from copilot.integrations.models.server import opened

    return opened(address, settings)
