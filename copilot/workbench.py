"""What the analyzer's verbs stand on: settings, checks, MLflow source and store; runs read, judged and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.core.naming import check_rules
from copilot.errors import CopilotError, InputError, ToolError
from copilot.utils.config import Settings, load_settings

if TYPE_CHECKING:
    from copilot.core.checks.base import Check
    from copilot.core.comparisons.base import ComparisonCheck
    from copilot.core.explanation import Explanation
    from copilot.core.findings import Outcome, Picture
    from copilot.core.history import RunHistory
    from copilot.integrations.mlflow_client import MlflowSource, RunInfo
    from copilot.results import AnalysisList, AnalysisResult
    from copilot.scanning import Judged
    from copilot.store import Store

Progress = Callable[[float, str], None] | None
PROBES, DATA = "OVF3", "OVF4"  # families of codes that load only where they are used or set
SENT_TOGETHER = 100  # runs that a worker of a cluster gets at a time
_NAMED_PACKAGES = ("mlops-copilot", "mlflow", "numpy", "scipy", "deepchecks", "dvc", "torch")


class Workbench:
    """Settings and what is made from them when first used; integrations load only then. See `CopilotAnalyzer`."""

    def __init__(
        self,
        config: str | Path | Settings | None = None,
        overrides: Mapping[str, Any] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.note = note
        self.settings = config if isinstance(config, Settings) else load_settings(config, overrides)
        self.checks  # noqa: B018 - wrong thresholds are told at once, not at the first run
        check_rules(self.settings.metrics.rules)

    @cached_property
    def _all_checks(self) -> tuple[list[Check], list[ComparisonCheck]]:
        from copilot.core.comparisons import load_all_checks
        from copilot.plugins import third_party_checks

        detection = self.settings.detection
        own = {code: values for code, values in detection.checks.items() if not code.startswith((PROBES, DATA))}
        return load_all_checks(own, detection.thresholds, third_party_checks(), detection.ignore)

    @property
    def checks(self) -> list[Check]:
        """Every curve check with its thresholds."""
        return self._all_checks[0]

    @property
    def comparison_checks(self) -> list[ComparisonCheck]:
        """Every check of a group of runs with its thresholds."""
        return self._all_checks[1]

    @cached_property
    def source(self) -> MlflowSource:
        """The MLflow store that the settings name."""
        from copilot.integrations.mlflow_client import MlflowSource

        return MlflowSource(self.settings.mlflow, self.note)

    @cached_property
    def store(self) -> Store:
        """Where analyses, jobs and conversations are kept."""
        from copilot.store import Store

        return Store(self.settings.store.url)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    def _history(self, history: RunHistory | str | Path) -> RunHistory:
        from copilot.core.history import RunHistory

        if isinstance(history, RunHistory):
            return history
        from copilot.integrations.history_files import read_history

        names = self.settings.metrics.rules
        return read_history(history, train_pattern=names.train, val_pattern=names.val)

    def _explained(self, model_uri: str | None, history: RunHistory | str | Path | None) -> Explanation:
        """Of a run whose names make no history, the explanation is what tells why."""
        from copilot.core.explanation import explain, explain_trace
        from copilot.core.history import NoCurvesError

        names = self.settings.metrics.rules
        run_id = self.source.resolve(model_uri).run_id if model_uri is not None else None
        try:
            if history is not None:
                return explain(self._history(history))
            return explain(self.source.history(run_id, train_pattern=names.train, val_pattern=names.val))
        except NoCurvesError as error:
            return explain_trace(error.run, error.trace)

    def _experiment(self, named: str | None) -> str:
        name = named or self.settings.mlflow.experiment_name
        if not name:
            known = ", ".join(e.name for e in self.source.experiments()[:8])
            raise InputError(
                "No experiment was named.", f"Pass one of: {known}" if known else "Pass --experiment NAME."
            )
        return name

    def _compared(
        self, run_ids: Sequence[str], together: Mapping[str, Any], progress: Progress, refresh: bool = False
    ) -> AnalysisList:
        results = self._analyse_runs(self.source.listed(run_ids), together=together, progress=progress, refresh=refresh)
        if not results:
            raise InputError(f"None of the runs can be analysed. {next(iter(results.failed.values()))}")
        return results

    def _analyse_one(self, run_id: str | None, *, kind: str, model_uri: str | None, **witnesses: Any) -> AnalysisResult:
        """The analysis of one run, kept in the store; `witnesses` as `_analyse` takes them."""
        names = self.settings.metrics.rules
        ((run, history),) = self.source.read([run_id or ""], train_pattern=names.train, val_pattern=names.val)
        if isinstance(history, CopilotError):
            raise history
        subject = {"kind": kind, "model_uri": model_uri, **self.source.subjects([run])[run.run_id]}
        (result,) = self._analyse([history], [subject], **witnesses)
        self.store.save_analysis(result.analysis, self.source.public_uri)
        return result

    def _analyse_runs(
        self,
        runs: Mapping[str, RunInfo | CopilotError],
        *,
        together: Mapping[str, Any],
        progress: Progress = None,
        refresh: bool = False,
    ) -> AnalysisList:
        """Read, analyse and compare runs (`together`: fields of `RunGroup`); those without readable curves are told."""
        from copilot.scanning import Scan

        on_cluster = self.settings.executor.kind == "dask"
        errors = {run_id: run for run_id, run in runs.items() if isinstance(run, CopilotError)}
        listed = [run for run in runs.values() if not isinstance(run, CopilotError)]
        scan = Scan(
            listed,
            source=self.source,
            settings=self.settings,
            checks=self.checks,
            comparison_checks=self.comparison_checks,
            judge=partial(self._judged_on_cluster if on_cluster else self._judged_here, refresh),
            refresh=refresh,
            note=self.note,
        )
        results = scan.results(progress)
        errors.update(results.errors)
        if not results and errors and (len(runs) == 1 or isinstance(next(iter(errors.values())), ToolError)):
            raise next(iter(errors.values()))
        results.failed.update({run_id: str(error) for run_id, error in errors.items()})
        results.comparison = scan.compared(results, together)
        return results

    def _judged_here(
        self, refresh: bool, runs: Sequence[RunInfo], subjects: Mapping[str, Mapping[str, Any]], progress: Progress
    ) -> Iterator[list[Judged]]:
        """Runs read and judged, part by part."""
        from copilot.core.analysis import TOGETHER
        from copilot.scanning import batches

        names = self.settings.metrics.rules
        patterns = {"train_pattern": names.train, "val_pattern": names.val}
        read = self.source.read(runs, **patterns, progress=progress, refresh=refresh)
        for part in batches(read, TOGETHER):
            whole = {run.run_id: h for run, h in part if not isinstance(h, CopilotError)}
            analysed = self._analyse(list(whole.values()), [{"kind": "run", **subjects[run_id]} for run_id in whole])
            results = dict(zip(whole, analysed, strict=True))
            yield [(run.run_id, history, results.get(run.run_id)) for run, history in part]

    def _judged_on_cluster(
        self, refresh: bool, runs: Sequence[RunInfo], subjects: Mapping[str, Mapping[str, Any]], progress: Progress
    ) -> Iterator[list[Judged]]:
        """The same on the workers of the Dask cluster that the settings name."""
        from copilot.scanning import batches
        from copilot.utils.parallel import parallel_map

        parts = [(part, {r.run_id: subjects[r.run_id] for r in part}) for part in batches(runs, SENT_TOGETHER)]
        work, executor = partial(judge_part, self.settings, refresh), self.settings.executor
        yield from parallel_map(
            work, parts, executor=executor, progress=progress, unit=f"parts of {SENT_TOGETHER} runs"
        )

    def _analyse(
        self,
        histories: Sequence[RunHistory],
        subjects: Sequence[Mapping[str, Any]],
        extra: Sequence[Outcome] = (),
        pictures: Sequence[Picture] = (),
        artifacts: Mapping[str, str] | None = None,
        checks: Sequence[Check] | None = None,
    ) -> AnalysisList:
        """Documents of histories; `extra` outcomes, with pictures and files, are those of other witnesses.

        `checks` are those of the curves; default: all of them.
        """
        from copilot.core.analysis import analyse
        from copilot.results import AnalysisList, AnalysisResult

        detection = self.settings.detection
        documents = analyse(
            histories,
            subjects,
            self.checks if checks is None else checks,
            ignore=detection.ignore,
            preference=detection.metrics,
            provenance={
                "versions": _versions(),
                "settings": self.settings.public()["detection"],
                "artifacts": dict(artifacts or {}),
            },
            extra=extra,
            pictures=pictures,
        )
        return AnalysisList(AnalysisResult(d) for d in documents)


def judge_part(
    settings: Settings, refresh: bool, part: tuple[Sequence[RunInfo], Mapping[str, Mapping[str, Any]]]
) -> list[Judged]:
    """Read and judge some runs in another process, which reaches the store by itself."""
    bench = Workbench(settings)
    return [judged for judged_part in bench._judged_here(refresh, *part, None) for judged in judged_part]


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in _NAMED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
