"""Models in a tracking server or a folder of runs, through MLflow's own client."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from copilot.errors import CopilotError, NotFoundError, ToolError
from copilot.integrations.mlflow.addresses import Address
from copilot.integrations.models.stores import MODEL_FORMS, StoredModel
from copilot.utils.config import MlflowSettings
from copilot.utils.validators import clean_text, without_credentials

_GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND", "ENDPOINT_NOT_FOUND"}


@contextlib.contextmanager
def opened(address: Address, settings: MlflowSettings) -> Iterator[ServerModels]:
    """A `ModelStore` over a server or a folder; its errors are ours, and it gives up in time."""
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(settings.timeout_s)))
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(settings.max_retries)
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as folder, _quiet(), _our_errors(address.public):
        place = _mirror(address, Path(folder)) if address.kind == "folder" else address.place
        yield ServerModels(MlflowClient(tracking_uri=place, registry_uri=place))


def download(location: str, folder: Path, tracking_uri: str | None) -> Path:
    """Files of any artifact store that MLflow knows, copied to `folder`."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with _quiet(), _our_errors(clean_text(without_credentials(location), 120)):
        return Path(mlflow.artifacts.download_artifacts(location, dst_path=str(folder), tracking_uri=tracking_uri))


class ServerModels:
    """A `ModelStore` over MLflow's client."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def artifacts(self, run_id: str) -> str:
        return self._client.get_run(run_id).info.artifact_uri

    def params(self, run_id: str) -> dict[str, str]:
        return dict(self._client.get_run(run_id).data.params)

    def models_of(self, run_id: str) -> list[StoredModel]:
        outputs = getattr(self._client.get_run(run_id), "outputs", None)  # since MLflow 3
        return [self.model(output.model_id) for output in (outputs.model_outputs if outputs else [])]

    def model(self, model_id: str) -> StoredModel:
        found = self._client.get_logged_model(model_id)
        return StoredModel(found.artifact_location, found.source_run_id or None, found.name)

    def version(self, name: str, version: str | None, alias: str | None) -> StoredModel:
        by_alias, by_version = self._client.get_model_version_by_alias, self._client.get_model_version
        found = by_alias(name, alias) if alias else by_version(name, version)
        return StoredModel(found.source, found.run_id or None)


def _mirror(address: Address, folder: Path) -> str:
    """A folder of links to the store's folders: the client makes folders of its own in the store that it opens."""
    for entry in Path(address.place).iterdir():
        (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    return str(folder)


@contextlib.contextmanager
def _our_errors(where: str) -> Iterator[None]:
    try:
        yield
    except CopilotError:
        raise
    except MlflowException as error:
        text = clean_text(without_credentials(error.message), 200)
        if error.error_code in _GONE:
            raise NotFoundError(f"{where} does not have it: {text}", MODEL_FORMS) from error
        raise ToolError(f"{where} did not answer as expected: {text}", "Is the tracking server running?") from error
    except Exception as error:  # each artifact store raises its own kinds
        text = clean_text(without_credentials(f"{type(error).__name__}: {error}"), 200)
        raise ToolError(f"The model cannot be fetched from {where}: {text}", "Check access to its files.") from error


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
