"""The analyzer's verb that writes into the person's MLflow store: off unless `mlflow.write_back` or the caller asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from copilot.errors import CopilotError, InputError
from copilot.workbench import Workbench

if TYPE_CHECKING:
    from copilot.results import AnalysisResult

Results = TypeVar("Results", bound="list[AnalysisResult]")


class WritingBack(Workbench):
    """What `CopilotAnalyzer` writes into runs."""

    def write_back(self, results: AnalysisResult | Iterable[AnalysisResult]) -> dict[str, str]:
        """Write analyses into their runs: tags ``copilot.*``, and the artifact ``copilot/analysis.json``.

        What `validate` found of a model comes with its report, ``copilot/report.html``.

        No other tag is touched; what is there already is not written again.

        Parameters
        ----------
        results : AnalysisResult or iterable of them

        Returns
        -------
        dict of str to str
            Why, for each run of several that it did not work for; each result says it too (``not_written``).

        Raises
        ------
        CopilotError
            For a single result: it is not of a run, the store is an SQLite file, or the store refuses.
        """
        from copilot.reporting import render
        from copilot.results import AnalysisResult

        single = isinstance(results, AnalysisResult)
        by_run = {r.subject.run_id: r for r in ([results] if single else results)}
        if None in by_run:
            raise InputError("Only the analysis of an MLflow run can be written back.", "Pass what analyze_model gave.")
        pages = {i: str(render(r.analysis, "html")).encode() for i, r in by_run.items() if r.subject.kind == "model"}
        errors = self.source.write_back({run_id: result.analysis for run_id, result in by_run.items()}, pages)
        for run_id, result in by_run.items():
            result.not_written = str(errors.get(run_id, ""))
        if single and errors:
            raise next(iter(errors.values()))
        return {run_id: str(error) for run_id, error in errors.items()}

    def _written(self, results: Results) -> Results:
        """The results, written back if the settings say so; what fails is told in them, and loses none."""
        if self.settings.mlflow.write_back:
            try:
                self.write_back(list(results))
            except CopilotError as error:
                for result in results:
                    result.not_written = str(error)
        return results
