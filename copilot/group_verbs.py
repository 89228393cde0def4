"""The analyzer's verbs about several runs: scan, leaderboard, compare, crossval, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from copilot.errors import InputError, NotFoundError
from copilot.utils.validators import clean_text
from copilot.workbench import Progress
from copilot.writing_back import WritingBack

if TYPE_CHECKING:
    from copilot.core.comparisons.leaderboard import LeaderboardRow
    from copilot.core.comparisons.members import RegisteredVersion
    from copilot.integrations.mlflow_client import RegisteredModel
    from copilot.results import AnalysisList


class GroupVerbs(WritingBack):
    """What `CopilotAnalyzer` does with several runs."""

    def scan(
        self,
        experiment: str | None = None,
        *,
        limit: int | None = None,
        quantity: str | None = None,
        refresh: bool = False,
        progress: Progress = None,
    ) -> AnalysisList:
        """Analyse every run of an experiment, and compare them.

        Parameters
        ----------
        experiment : str, optional
            Name or id. Default: the one in the settings.
        limit : int, optional
            At most so many runs, newest first.
        quantity : str, optional
            What to compare the runs by, such as ``accuracy``. Default: what most of them have.
        refresh : bool, default False
            Read and judge every run again, also those that have not changed since the last scan.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line.

        Raises
        ------
        InputError
            No run has that quantity on validation.
        """
        runs = self.source.runs(self._experiment(experiment), limit=limit)
        listed, together = {r.run_id: r for r in runs}, {"wanted": quantity}
        results = self._analyse_runs(listed, together=together, progress=progress, refresh=refresh)
        if quantity is not None and results.comparison is not None and results.comparison.subject.quantity is None:
            raise _no_such_quantity(quantity, results)
        return self._written(results)

    def scan_many(
        self,
        uris: Sequence[str] = (),
        experiment: str | None = None,
        *,
        limit: int | None = None,
        quantity: str | None = None,
        refresh: bool = False,
        progress: Progress = None,
    ) -> AnalysisList:
        """Scan an experiment of the same name on several tracking servers at once; subjects say where each run is.

        Parameters
        ----------
        uris : sequence of str, optional
            Servers, SQLite files or folders. Default: ``mlflow.tracking_uris`` of the settings.
        experiment, limit, quantity, refresh, progress
            As for `scan`, the limit for each server.

        Raises
        ------
        ToolError
            All of them are out of reach; if only some are, ``failed`` of the result says so.
        """
        from copilot.servers import scan_servers

        named = list(uris or self.settings.mlflow.tracking_uris)
        if not named:
            raise InputError("No tracking server was named.", "Pass some, or set mlflow.tracking_uris.")
        options = {"limit": limit, "quantity": quantity, "refresh": refresh}

        def one(uri: str, own_progress: Progress) -> AnalysisList:
            mlflow = self.settings.mlflow.model_copy(update={"tracking_uri": uri})
            other = type(self)(self.settings.model_copy(update={"mlflow": mlflow}), note=self.note)
            try:
                return other.scan(experiment, progress=own_progress, **options)
            finally:
                other.close()

        return scan_servers(named, one, progress)

    def leaderboard(
        self,
        experiment: str | None = None,
        by: str = "best",
        quantity: str | None = None,
        *,
        limit: int | None = None,
        progress: Progress = None,
    ) -> tuple[LeaderboardRow, ...]:
        """The runs of an experiment in order, the better first; runs without the value come last.

        Parameters
        ----------
        experiment : str, optional
        by : {"best", "gap"}
            The best validation value, or the gap to training there, the smaller first.
        quantity : str, optional
            Such as ``accuracy``. Default: what most runs have.
        """
        from copilot.core.comparisons.leaderboard import ORDERS

        if by not in ORDERS:
            raise InputError(f"Runs are not ordered by {clean_text(by, 40)}.", f"Known: {', '.join(ORDERS)}")
        return self.scan(experiment, limit=limit, quantity=quantity, progress=progress).leaderboard(by)

    def compare(
        self,
        run_ids: Sequence[str],
        baseline: str | None = None,
        *,
        axis: str = "epoch",
        progress: Progress = None,
    ) -> AnalysisList:
        """Analyse the named runs, in that order, side by side, and compare them with one of them.

        Parameters
        ----------
        run_ids : sequence of str
        baseline : str, optional
            Run id of what the others are measured against. Default: the first run.
        axis : {"epoch", "step", "time"}
            What the curves of ``comparison.side_by_side`` are aligned by; time is in seconds since a run's start.
        """
        from copilot.core.comparisons.document import AXES

        if axis not in AXES:
            raise InputError(f"Curves cannot be put on the axis {clean_text(axis, 40)}.", f"Known: {', '.join(AXES)}")
        ids = list(dict.fromkeys([*([baseline] if baseline else []), *run_ids]))
        if len(ids) < 2:
            raise InputError("Comparing takes two runs or more.", "Pass their ids.")
        ids = ids if baseline not in run_ids else list(dict.fromkeys(run_ids))
        return self._compared(ids, {"baseline": baseline or ids[0], "axis": axis}, progress)

    def crossval(self, parent_run_id: str, *, progress: Progress = None) -> AnalysisList:
        """Analyse the folds of a cross-validation, the child runs of `parent_run_id`, and compare them.

        Raises
        ------
        NotFoundError
            There is no such run.
        InputError
            It has no child runs, or none that can be analysed.
        """
        children = self.source.children(parent_run_id)
        if not children:
            raise InputError(
                f"The run {clean_text(parent_run_id, 60)} has no child runs.",
                "Pass the run that the folds were started in, or the folds themselves to `compare`.",
            )
        return self._compared([r.run_id for r in children], {"parent": parent_run_id}, progress)

    def history(self, model: str, *, quantity: str | None = None, progress: Progress = None) -> AnalysisList:
        """A registered model over its versions, in ``comparison.model_history``; the analyses are those of their runs.

        Parameters
        ----------
        model : str
            Name of a registered model.
        quantity : str, optional
            What to compare the versions by. Default: what most of them have.

        Raises
        ------
        NotFoundError
            There is no such model.
        InputError
            It has no version, or none of them has that quantity on validation.
        """
        from copilot.core.comparisons.members import RegisteredVersion

        found = self._registered_model(model)
        if not found.versions:
            raise InputError(f"The model {clean_text(model, 80)} has no version yet.", "Register one, then ask again.")
        versions = [
            RegisteredVersion(v.version, v.run_id or None, v.stage, v.aliases) for v in reversed(found.versions)
        ]
        results = self._of_versions(found.name, versions, quantity, progress)
        if quantity is not None and results.comparison is not None and results.comparison.subject.quantity is None:
            raise _no_such_quantity(quantity, results)
        return results

    def _registered_model(self, name: str) -> RegisteredModel:
        known = self.source.registered_models()
        found = next((m for m in known if name in (m.name, f"models:/{m.name}")), None)
        if found is None:
            from copilot.integrations.mlflow.records import nearest

            raise NotFoundError(
                f"There is no registered model '{clean_text(name, 80)}'.", nearest(name, [m.name for m in known])
            )
        return found

    def _of_versions(
        self, model: str, versions: list[RegisteredVersion], quantity: str | None, progress: Progress
    ) -> AnalysisList:
        ids = list(dict.fromkeys(v.run_id for v in versions if v.run_id))
        together: dict[str, Any] = {"model": model, "versions": versions, "wanted": quantity}
        try:
            results = self._analyse_runs(self.source.listed(ids), together=together, progress=progress)
        except InputError as error:  # the only run that there is cannot be read
            results = self._analyse_runs({}, together=together)
            results.failed[ids[0]] = str(error)
        results.comparison = with_reasons(results.comparison, results.failed)
        return results


def with_reasons(comparison: Any, failed: dict[str, str]) -> Any:
    """The comparison, its versions whose runs could not be read with the reason."""
    over = comparison.model_history
    rows = tuple(
        row.model_copy(update={"reason": clean_text(failed[row.run_id], 300)}) if row.run_id in failed else row
        for row in over.versions
    )
    return comparison.model_copy(update={"model_history": over.model_copy(update={"versions": rows})})


def _no_such_quantity(quantity: str, results: AnalysisList) -> InputError:
    known = {p.quantity for r in results for p in r.analysis.history.pairs if any(v is not None for v in p.val)}
    return InputError(
        f"No run has {clean_text(quantity, 60)} on validation.",
        f"There are: {', '.join(sorted(known)[:8])}." if known else "No run has a validation curve.",
    )
