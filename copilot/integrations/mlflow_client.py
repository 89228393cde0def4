"""MLflow: experiments, runs, their curves and models, from a server, an SQLite file or a folder.

It only reads; the one exception is `MlflowSource.write_back`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.core.findings import Analysis
from copilot.core.history import RunHistory
from copilot.errors import CopilotError, InputError, NotFoundError
from copilot.integrations.mlflow.addresses import parse_address
from copilot.integrations.mlflow.curves import as_history, is_wanted, read_series
from copilot.integrations.mlflow.model_uris import resolve
from copilot.integrations.mlflow.records import (
    ArtifactInfo,
    ExperimentInfo,
    ModelVersion,
    RegisteredModel,
    ResolvedModel,
    RunInfo,
    iso_time,
    nearest,
)
from copilot.integrations.mlflow.stores import Store, open_store
from copilot.integrations.mlflow.write_back import write_all_back
from copilot.utils.config import MlflowSettings
from copilot.utils.name_rules import Patterns
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text, home_folder, without_credentials

if TYPE_CHECKING:
    from copilot.integrations.history_cache import HistoryCache

__all__ = [
    "ArtifactInfo",
    "ExperimentInfo",
    "MlflowSource",
    "ModelVersion",
    "RegisteredModel",
    "ResolvedModel",
    "RunInfo",
]

LAYOUT = "1"  # of the cache's files; another one when their columns change
AT_ONCE = 4  # requests; more do not make a server faster


class MlflowSource:
    """The MLflow store that the settings name.

    Parameters
    ----------
    settings : MlflowSettings
        ``tracking_uri`` is a server's URL, ``sqlite:///FILE`` or a folder. Nothing is opened before it is needed.
    note : callable, optional
        Gets lines for the person, such as that a cache file was damaged.
    """

    def __init__(self, settings: MlflowSettings, note: Callable[[str], None] | None = None) -> None:
        self._settings = settings
        self._note = note

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

    def listed(self, run_ids: Iterable[str]) -> dict[str, RunInfo | CopilotError]:
        """Runs without their curves by id, or why one cannot be read."""
        ids = list(dict.fromkeys(run_ids))
        return dict(zip(ids, self._infos(ids), strict=True))

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

    def subjects(self, runs: Iterable[RunInfo]) -> dict[str, dict[str, Any]]:
        """For each run, by its id, what an analysis says of its subject: id, name, experiment, end, and where it is."""
        names = {e.experiment_id: e.name for e in self._store.experiments()}
        return {
            run.run_id: {
                "run_id": run.run_id,
                "run_name": run.name,
                "experiment": names.get(run.experiment_id),
                "finished_at": iso_time(run.end_time),
                "tracking_uri": self.public_uri,
            }
            for run in runs
        }

    def history(self, run_id: str, *, train_pattern: Patterns = None, val_pattern: Patterns = None) -> RunHistory:
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
        history = self.histories([run_id], train_pattern=train_pattern, val_pattern=val_pattern)[run_id]
        if isinstance(history, CopilotError):
            raise history
        return history

    def histories(
        self,
        runs: Iterable[str | RunInfo],
        *,
        train_pattern: Patterns = None,
        val_pattern: Patterns = None,
        progress: Callable[[float, str], None] | None = None,
        refresh: bool = False,
    ) -> dict[str, RunHistory | CopilotError]:
        """The curves of many runs by their id; for a run that cannot be read the error. See `read`."""
        names = {"train_pattern": train_pattern, "val_pattern": val_pattern}
        found = self.read(runs, **names, progress=progress, refresh=refresh)
        return {run if isinstance(run, str) else run.run_id: history for run, history in found}

    def read(
        self,
        runs: Iterable[str | RunInfo],
        *,
        train_pattern: Patterns = None,
        val_pattern: Patterns = None,
        progress: Callable[[float, str], None] | None = None,
        refresh: bool = False,
    ) -> Iterator[tuple[str | RunInfo, RunHistory | CopilotError]]:
        """Runs with their curves one after another, or the error; a run that is not there stays an id.

        Parameters
        ----------
        runs : iterable of str or RunInfo
            What `runs` has just given need not be asked for again.
        train_pattern, val_pattern : str, optional
            See `history`.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line; may raise `JobCancelled`.
        refresh : bool, default False
            Read everything from the store, whatever there is a copy of.
        """
        todo = list({run if isinstance(run, str) else run.run_id: run for run in runs}.values())
        wanted = partial(is_wanted, train=train_pattern, val=val_pattern)
        together = self._store.together
        for start in range(0, len(todo), together):
            part = self._infos(todo[start : start + together])
            known = [run for run in part if isinstance(run, RunInfo)]
            series = dict(read_series(self._store, self._cache, known, wanted, refresh))
            for asked, run in zip(todo[start : start + together], part, strict=True):
                if isinstance(run, CopilotError):
                    yield asked, run
                else:
                    yield run, as_history(run, series[run.run_id], train_pattern, val_pattern)
            done = min(start + together, len(todo))
            if progress:
                progress(done / len(todo), f"{done} of {len(todo)} runs")

    def _infos(self, runs: Sequence[str | RunInfo]) -> list[RunInfo | CopilotError]:
        def info(run: str | RunInfo) -> RunInfo | CopilotError:
            try:
                return self._one(run) if isinstance(run, str) else run
            except CopilotError as error:
                return error

        if all(isinstance(run, RunInfo) for run in runs):
            return list(runs)
        return parallel_map(info, runs, workers=AT_ONCE)

    def _one(self, run_id: str) -> RunInfo:
        if not run_id:
            raise NotFoundError(
                "The model came from no run, so that it has no curves.", "Pass them with --history FILE."
            )
        return self._store.run(run_id)

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

    def write_back(
        self, analyses: Mapping[str, Analysis], pages: Mapping[str, bytes] | None = None
    ) -> dict[str, CopilotError]:
        """Write analyses into their runs: tags that begin with ``copilot.``, and ``copilot/analysis.json``.

        Parameters
        ----------
        analyses : mapping of str to Analysis
            By run id.
        pages : mapping of str to bytes, optional
            By run id, a report to lie beside the analysis as ``copilot/report.html``.

        Returns
        -------
        dict of str to CopilotError
            Why, for each run that it did not work for.
        """
        return write_all_back(self._store, analyses, pages or {})

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
        return resolve(self._store, model_or_run)

    @cached_property
    def cache_folder(self) -> Path | None:
        """Where copies of what this store holds are kept; None where the settings say that none are."""
        if not self._settings.cache:
            return None
        place = parse_address(self._settings.tracking_uri).place
        return home_folder() / "cache" / LAYOUT / hashlib.blake2b(place.encode(), digest_size=12).hexdigest()

    @cached_property
    def _cache(self) -> HistoryCache | None:
        if not self._store.caches or self.cache_folder is None:
            return None
        from copilot.integrations.history_cache import HistoryCache

        cache = HistoryCache(self.cache_folder / "histories", self._note)
        cache.tidy()
        return cache

    @cached_property
    def _store(self) -> Store:
        return open_store(self._settings)

    def _experiment_id(self, experiment: str) -> str:
        known = self._store.experiments()
        for wanted in (experiment, clean_text(experiment)):
            ids = [e.experiment_id for e in known if e.name == wanted]
            if len(ids) > 1:  # folders can be copied
                raise InputError(
                    f"{len(ids)} experiments are named '{clean_text(experiment, 80)}' in {self.public_uri}.",
                    f"Name one by its id: {', '.join(ids[:8])}.",
                )
            if ids or any(e.experiment_id == wanted for e in known):
                return ids[0] if ids else wanted
        raise NotFoundError(
            f"There is no experiment '{clean_text(experiment, 80)}' in {self.public_uri}.",
            nearest(experiment, [e.name for e in known]),
        )
