"""Runs read and judged part by part; what was judged before and has not changed since is taken from the cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from copilot.core.comparisons.base import RunGroup
from copilot.core.comparisons.compare import compare_runs
from copilot.core.comparisons.document import Comparison
from copilot.core.comparisons.members import GroupMember
from copilot.core.findings import SCHEMA_VERSION
from copilot.core.history import RunHistory
from copilot.errors import CopilotError
from copilot.integrations.analysis_cache import AnalysisCache
from copilot.integrations.mlflow.records import RunInfo
from copilot.integrations.mlflow.write_back import PREFIX as TAG_PREFIX
from copilot.results import AnalysisList, AnalysisResult
from copilot.utils.code_mark import code_mark, hashed
from copilot.utils.config import Settings

if TYPE_CHECKING:
    from copilot.core.checks.base import Check
    from copilot.core.comparisons.base import ComparisonCheck
    from copilot.integrations.mlflow_client import MlflowSource

Progress = Callable[[float, str], None] | None
Judged = tuple[str, RunHistory | CopilotError, AnalysisResult | None]  # by run id; no result where there is an error
Judge = Callable[[Sequence[RunInfo], Mapping[str, Mapping[str, Any]], Progress], Iterator[list[Judged]]]


class Scan:
    """One scan of runs.

    Parameters
    ----------
    runs : sequence of RunInfo
        As `source` lists them now.
    source : MlflowSource
    settings : Settings
    checks, comparison_checks : sequence of Check and of ComparisonCheck
    judge : callable
        Takes runs, their subjects by run id and `progress`; gives them judged, part by part.
    refresh : bool
        Read and judge every run again, whatever is known of it.
    note : callable, optional
        Gets lines for the person.
    """

    def __init__(
        self,
        runs: Sequence[RunInfo],
        *,
        source: MlflowSource,
        settings: Settings,
        checks: Sequence[Check],
        comparison_checks: Sequence[ComparisonCheck],
        judge: Judge,
        refresh: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._source, self._settings, self._judge, self._refresh = source, settings, judge, refresh
        self._checks, self._comparison_checks = checks, comparison_checks
        self._runs = list({run.run_id: run for run in runs}.values())
        self._subjects = source.subjects(self._runs)
        folder = source.cache_folder
        self._cache = AnalysisCache(folder, note) if folder else None
        self._marks = self._marked()
        self._histories: dict[str, RunHistory] = {}

    def results(self, progress: Progress = None) -> AnalysisList:
        """Every run judged, in order; runs that cannot be are in ``failed``."""
        known = self._known()
        failed: dict[str, CopilotError] = {}
        found: dict[str, AnalysisResult] = {i: AnalysisResult(stored) for i, stored in known.items()}
        todo = [run for run in self._runs if run.run_id not in known]
        for part in self._judge(todo, self._subjects, progress):
            failed.update({run_id: h for run_id, h, _ in part if isinstance(h, CopilotError)})
            self._histories.update({run_id: h for run_id, h, _ in part if isinstance(h, RunHistory)})
            found.update(self._kept({run_id: result for run_id, _, result in part if result is not None}))
        if self._cache:
            self._cache.tidy()
        results = AnalysisList(found[run.run_id] for run in self._runs if run.run_id in found)
        results.errors = failed
        return results

    def compared(self, results: AnalysisList, fields: Mapping[str, Any]) -> Comparison:
        """What the runs say together; `fields` are those of `RunGroup`."""
        mark = self._group_mark(results, fields)
        if mark and not self._refresh and (stored := self._cache.load_comparison(mark)):
            return Comparison.model_validate_json(stored)
        comparison = self._compare(results, fields)
        if mark and len(comparison.runs) == len(results):
            self._cache.save_comparison(mark, comparison.model_dump_json())
        return comparison

    def _read(self, runs: Sequence[RunInfo], progress: Progress) -> Iterator[tuple[RunInfo, RunHistory | CopilotError]]:
        names = self._settings.metrics.rules
        patterns = {"train_pattern": names.train, "val_pattern": names.val}
        return self._source.read(runs, **patterns, progress=progress, refresh=self._refresh)

    def _known(self) -> Mapping[str, Any]:
        marks = {run_id: mark for run_id, mark in self._marks.items() if mark}
        return self._cache.load(marks) if self._cache and marks and not self._refresh else {}

    def _kept(self, results: dict[str, AnalysisResult]) -> dict[str, AnalysisResult]:
        """The same, kept in the cache rather than in memory where it takes them."""
        marks = {run_id: self._marks[run_id] for run_id in results if self._marks[run_id]}
        if self._cache and marks:
            self._cache.save(marks, {run_id: results[run_id].parts() for run_id in marks})
            results.update({run_id: AnalysisResult(stored) for run_id, stored in self._cache.load(marks).items()})
        return results

    def _compare(self, results: AnalysisList, fields: Mapping[str, Any]) -> Comparison:
        infos = {run.run_id: run for run in self._runs}
        ids = [str(r.subject.run_id) for r in results]
        unread = [infos[run_id] for run_id in ids if run_id not in self._histories]
        for run, history in self._read(unread, None):
            if isinstance(history, RunHistory):
                self._histories[run.run_id] = history
            else:
                results.failed[run.run_id] = f"Not compared with the others: {history}"
        members = tuple(
            GroupMember(
                history=self._histories[run_id],
                run_id=run_id,
                run_name=infos[run_id].name,
                parent_run_id=infos[run_id].parent_run_id,
                tags=infos[run_id].tags,
                verdict=result.diagnosis.verdict,
                datasets=tuple((d.context, d.name, d.digest) for d in infos[run_id].datasets),
                started=infos[run_id].start_time,
            )
            for run_id, result in zip(ids, results, strict=True)
            if run_id in self._histories
        )
        detection, experiments = self._settings.detection, {r.subject.experiment for r in results}
        return compare_runs(
            RunGroup(members, preference=detection.metrics, **fields),
            self._comparison_checks,
            ignore=detection.ignore,
            experiment=experiments.pop() if len(experiments) == 1 else None,
        )

    def _marked(self) -> dict[str, str]:
        """For each run what its analysis follows from, as a hash; empty where the store cannot tell what it has now."""
        basis = _basis(self._settings, (*self._checks, *self._comparison_checks))
        return {
            run.run_id: hashed(
                *(basis, run.fingerprint, run.deleted, self._subjects[run.run_id], run.params, _others(run.tags))
            )
            if run.fingerprint
            else ""
            for run in self._runs
        }

    def _group_mark(self, results: AnalysisList, fields: Mapping[str, Any]) -> str:
        marks = [self._marks[str(r.subject.run_id)] for r in results]
        more = [(run.datasets, run.start_time, run.parent_run_id) for run in self._runs]
        return hashed(marks, more, fields) if self._cache and all(marks) else ""


def _others(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Tags that are not our own: writing a verdict back changes no verdict."""
    return sorted((name, value) for name, value in tags.items() if not name.startswith(TAG_PREFIX))


def _basis(settings: Settings, checks: Sequence[Check | ComparisonCheck]) -> str:
    """All that an analysis follows from beside the run: settings, checks, and the code that judges."""
    told = [(check.code, _source(type(check)), str(check.thresholds)) for check in checks]
    return hashed(SCHEMA_VERSION, told, settings.detection.model_dump(), settings.metrics.model_dump(), code_mark())


def _source(kind: type) -> tuple[str, float]:
    """A class's module, and when its file was changed: a third party's check may be updated."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__, os.stat(file).st_mtime if file and os.path.exists(file) else 0.0


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items, `size` at a time."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
