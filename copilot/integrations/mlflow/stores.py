"""What the three readers of MLflow stores have in common, and which of them an address is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from copilot.core.pairs import LoggedSeries
from copilot.errors import CopilotError
from copilot.integrations.mlflow.addresses import parse_address
from copilot.integrations.mlflow.records import ArtifactInfo, ExperimentInfo, RegisteredModel, RunInfo
from copilot.utils.config import MlflowSettings


class Store(Protocol):
    """What the three readers have in common.

    `caches` tells whether reading curves again costs more than keeping a copy of them; `together` is how many runs to
    ask for in one call of `series`.
    """

    caches: bool
    together: int

    def experiments(self) -> list[ExperimentInfo]: ...

    def runs(self, experiment_id: str, limit: int | None, newest_first: bool) -> list[RunInfo]: ...

    def run(self, run_id: str) -> RunInfo: ...

    def series(
        self, runs: Sequence[RunInfo], wanted: Callable[[str], bool]
    ) -> Iterator[tuple[RunInfo, list[LoggedSeries] | CopilotError]]:
        """Each run with its metrics, or why it cannot be read; metrics that are not `wanted` come without values."""

    def artifacts(self, run_id: str, path: str) -> list[ArtifactInfo]:
        """What is in one folder of a run's artifacts, by name; an empty `path` is the topmost."""

    def set_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        """Set these tags of a run; None takes one away. Others stay as they are."""

    def put_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write one file among a run's artifacts."""

    def registered_models(self) -> list[RegisteredModel]: ...

    def registered_model(self, name: str) -> RegisteredModel | None: ...

    def run_of_logged_model(self, model_id: str) -> str | None:
        """The run that logged an MLflow 3 model.

        Raises
        ------
        NotFoundError
            There is no such model.
        """


def open_store(settings: MlflowSettings) -> Store:
    """The store that the settings name.

    Raises
    ------
    InputError
        No tracking URI is set, or it names no MLflow store.
    ToolError
        The server is out of reach.
    """
    address = parse_address(settings.tracking_uri)
    # Each is loaded when it is needed: the server's brings in MLflow, which takes seconds.
    if address.kind == "sqlite":
        from copilot.integrations.mlflow.sqlite_store import SqliteStore

        return SqliteStore(Path(address.place), address.public)
    if address.kind == "folder":
        from copilot.integrations.mlflow.folder_store import FolderStore

        return FolderStore(Path(address.place), address.public)
    from copilot.integrations.mlflow.server_store import ServerStore

    return ServerStore(address.place, address.public, settings)
