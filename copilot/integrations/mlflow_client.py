"""MLflow: experiments, runs, their curves and models, from a server, an SQLite file or a folder.

It only reads; the one exception is `MlflowSource.write_back`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from copilot.core.alignment import EPOCH_NAMES
from copilot.core.findings import Analysis
from copilot.core.history import RunHistory
from copilot.core.naming import parse_metric_name
from copilot.errors import CopilotError, InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.addresses import parse_address
from copilot.integrations.mlflow.records import (
    ArtifactInfo,
    ExperimentInfo,
    ModelVersion,
    RegisteredModel,
    ResolvedModel,
    RunInfo,
    Store,
    is_run_id,
    iso_time,
    nearest,
)
from copilot.integrations.mlflow.write_back import write_back
from copilot.utils.config import MlflowSettings
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text, without_credentials

__all__ = [
    "ArtifactInfo",
    "ExperimentInfo",
    "MlflowSource",
    "ModelVersion",
    "RegisteredModel",
    "ResolvedModel",
    "RunInfo",
]

MODEL_FORMS = "Use a run id, runs:/RUN_ID/model, models:/NAME/VERSION, models:/NAME@ALIAS or models:/m-ID."
_GIVE_UP_AFTER = 5  # failures in a row: a server that is gone would cost its time limit for each run


class MlflowSource:
    """The MLflow store that the settings name.

    Parameters
    ----------
    settings : MlflowSettings
        ``tracking_uri`` is a server's URL, ``sqlite:///FILE`` or a folder. Nothing is opened before it is needed.
    """

    def __init__(self, settings: MlflowSettings) -> None:
        self._settings = settings
        self._seen: dict[str, RunInfo] = {}

    @property
    def public_uri(self) -> str:
        """The tracking URI without credentials."""
        return clean_text(without_credentials(self._settings.tracking_uri or ""))

    def experiments(self) -> list[ExperimentInfo]:
        """Experiments that are not deleted, by name.

        Raises
        ------
        InputError
            No tracking URI is set, or it names no MLflow store.
        ToolError
            The server is out of reach.
        """
        return sorted(self._store.experiments(), key=lambda e: e.name.lower())

    def runs(self, experiment: str, *, limit: int | None = None, newest_first: bool = True) -> list[RunInfo]:
        """Runs of an experiment that are not deleted, by start time.

        Parameters
        ----------
        experiment : str
            Name or id.
        limit : int, optional
            At most this many.
        newest_first : bool, default True

        Raises
        ------
        NotFoundError
            There is no such experiment.
        """
        return self._store.runs(self._experiment_id(experiment), limit, newest_first)

    def run(self, run_id: str) -> RunInfo:
        """One run without its curves.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        return self._store.run(run_id)

    def children(self, parent_run_id: str) -> list[RunInfo]:
        """Runs that a run holds (such as the folds of a cross-validation), oldest first.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        parent = self._store.run(parent_run_id)
        runs = self._store.runs(parent.experiment_id, None, False)
        return [r for r in runs if r.parent_run_id == parent.run_id]

    def runs_by_id(self, run_ids: Iterable[str]) -> dict[str, RunInfo]:
        """Runs without their curves; those that `histories` has just read are not read again."""
        return {run_id: self._seen.get(run_id) or self._store.run(run_id) for run_id in run_ids}

    def run_infos(self, run_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """For each run what an analysis says of its subject: id, name, experiment and when it ended."""
        names = {e.experiment_id: e.name for e in self._store.experiments()}
        infos = self.runs_by_id(run_ids)
        return {
            run_id: {
                "run_id": info.run_id,
                "run_name": info.name,
                "experiment": names.get(info.experiment_id),
                "finished_at": iso_time(info.end_time),
            }
            for run_id, info in infos.items()
        }

    def history(self, run_id: str, *, train_pattern: str | None = None, val_pattern: str | None = None) -> RunHistory:
        """The curves of a run, with its parameters, named after it.

        Parameters
        ----------
        run_id : str
        train_pattern, val_pattern : str, optional
            The project's own metric names, ``{}`` standing for the quantity.

        Raises
        ------
        NotFoundError
            There is no such run.
        InputError
            It logged no metric that is recognised.
        """
        return self._history(run_id, train_pattern, val_pattern, self._store.workers)

    def histories(
        self,
        run_ids: Iterable[str],
        *,
        train_pattern: str | None = None,
        val_pattern: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> dict[str, RunHistory | CopilotError]:
        """The curves of many runs; for a run that cannot be read the error.

        Parameters
        ----------
        run_ids : iterable of str
        train_pattern, val_pattern : str, optional
            See `history`.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line; may raise `JobCancelled`.
        """
        ids, store = list(dict.fromkeys(run_ids)), self._store
        self._seen.clear()
        inner = store.workers if len(ids) == 1 else 1

        def read(run_id: str) -> RunHistory | CopilotError:
            try:
                return self._history(run_id, train_pattern, val_pattern, inner)
            except CopilotError as error:
                return error

        found = parallel_map(read, ids, workers=store.workers, progress=progress, unit="runs")
        return dict(zip(ids, found, strict=True))

    def artifacts(self, run_id: str, path: str = "") -> list[ArtifactInfo]:
        """What is in one folder of a run's artifacts, by path.

        Parameters
        ----------
        run_id : str
        path : str, optional
            A folder among the artifacts. Default: the topmost.

        Raises
        ------
        NotFoundError
            There is no such run or folder.
        InputError
            `path` leads out of the artifacts, or they lie where this store cannot look.
        ToolError
            The server is out of reach, or the folder cannot be read.
        """
        return self._store.artifacts(run_id, path)

    def write_back(self, analyses: Mapping[str, Analysis]) -> dict[str, CopilotError]:
        """Write analyses into their runs: tags that begin with ``copilot.``, and ``copilot/analysis.json``.

        Parameters
        ----------
        analyses : mapping of str to Analysis
            By run id.

        Returns
        -------
        dict of str to CopilotError
            Why, for each run that it did not work for.
        """
        failures: list[CopilotError] = []

        def write(run_id: str) -> CopilotError | None:
            if len(failures) >= _GIVE_UP_AFTER:
                return failures[-1]
            try:
                write_back(self._store, run_id, analyses[run_id])
                failures.clear()
            except CopilotError as error:
                if isinstance(error, ToolError):
                    failures.append(error)
                return error
            return None

        told = parallel_map(write, analyses, workers=self._store.workers)
        return {run_id: error for run_id, error in zip(analyses, told, strict=True) if error is not None}

    def registered_models(self) -> list[RegisteredModel]:
        """Registered models with their versions, by name."""
        return sorted(self._store.registered_models(), key=lambda m: m.name.lower())

    def resolve(self, model_or_run: str) -> ResolvedModel:
        """Find what a model URI or run id stands for.

        Parameters
        ----------
        model_or_run : str
            ``runs:/<id>/model``, ``models:/name/3``, ``models:/name/latest``, ``models:/name/Production``,
            ``models:/name@alias``, ``models:/m-<id>`` (MLflow 3) or a bare run id.

        Raises
        ------
        InputError
            It is none of these.
        NotFoundError
            There is no such run, model, version or alias.
        """
        text = model_or_run.strip()
        if match := re.fullmatch(r"runs:/+([^/]+)(/.*)?", text):
            return ResolvedModel(self.run(match[1]).run_id, text if match[2] else None)
        if match := re.fullmatch(r"models:/+(m-[0-9A-Za-z]+)(/.*)?", text):
            return ResolvedModel(self._store.run_of_logged_model(match[1]), text)
        if match := re.fullmatch(r"models:/+([^/@]+)(?:/([^/@]+)|@([^/@]+))?", text):
            return self._registered(text, *match.groups())
        if not is_run_id(text):
            raise InputError(f"'{clean_text(text, 80)}' is neither a run id nor a model URI.", MODEL_FORMS)
        info = self.run(text)
        return ResolvedModel(info.run_id, next(iter(info.model_uris), None))

    @cached_property
    def _store(self) -> Store:
        address = parse_address(self._settings.tracking_uri)
        # Each is loaded when it is needed: the server's brings in MLflow, which takes seconds.
        if address.kind == "sqlite":
            from copilot.integrations.mlflow.sqlite_store import SqliteStore

            return SqliteStore(Path(address.place), address.public)
        if address.kind == "folder":
            from copilot.integrations.mlflow.folder_store import FolderStore

            return FolderStore(Path(address.place), address.public)
        from copilot.integrations.mlflow.server_store import ServerStore

        return ServerStore(address.place, address.public, self._settings)

    def _experiment_id(self, experiment: str) -> str:
        known = self._store.experiments()
        for wanted in (experiment, clean_text(experiment)):
            for found in known:
                if wanted in (found.name, found.experiment_id):
                    return found.experiment_id
        raise NotFoundError(
            f"There is no experiment '{clean_text(experiment, 80)}' in {self.public_uri}.",
            nearest(experiment, [e.name for e in known]),
        )

    def _history(self, run_id: str, train: str | None, val: str | None, workers: int) -> RunHistory:
        if not run_id:
            raise NotFoundError(
                "The model came from no run, so that it has no curves.", "Pass them with --history FILE."
            )
        wanted = partial(_is_wanted, train=train, val=val)
        info, series = self._store.run_with_series(run_id, wanted, workers)
        self._seen[run_id] = info
        told = ["The run is deleted in MLflow."] if info.deleted else []
        return RunHistory.from_series(
            series, name=info.name, params=info.params, train_pattern=train, val_pattern=val, warnings=told
        )

    def _registered(self, uri: str, name: str, version: str | None, alias: str | None) -> ResolvedModel:
        model = self._store.registered_model(name)
        if model is None:
            known = [m.name for m in self.registered_models()]
            raise NotFoundError(f"There is no registered model '{clean_text(name, 80)}'.", nearest(name, known))
        found = next((v for v in model.versions if _is_meant(v, version, alias)), None)
        if found is None:
            asked = f"alias '{alias}'" if alias else f"version '{version}'" if version else "version"
            versions = ", ".join("@".join([v.version, *v.aliases]) for v in model.versions[:8]) or "none"
            raise NotFoundError(f"{model.name} has no {clean_text(asked, 80)}.", f"Its versions: {versions}.")
        return ResolvedModel(found.run_id, f"models:/{name}/{found.version}", model.name, found.version)


def _is_wanted(name: str, train: str | None, val: str | None) -> bool:
    return name.lower() in EPOCH_NAMES or parse_metric_name(clean_text(name), train, val) is not None


def _is_meant(version: ModelVersion, asked: str | None, alias: str | None) -> bool:
    if alias:
        return alias in version.aliases
    return asked in (None, "latest", version.version) or (asked or "").lower() == version.stage.lower()
