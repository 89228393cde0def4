"""CopilotAnalyzer: one short method a verb. The only thing that interfaces call; integrations load when first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from copilot.data_verbs import DataVerbs
from copilot.errors import InputError
from copilot.utils.validators import clean_text, home_folder, safe_file_name
from copilot.workbench import Progress

if TYPE_CHECKING:
    from copilot.chat.answers import Answer
    from copilot.core.checks.describe import CheckDescription
    from copilot.core.explanation import Explanation
    from copilot.core.history import RunHistory
    from copilot.core.papers import ResearchResult
    from copilot.health import HealthItem
    from copilot.results import AnalysisList, AnalysisResult
    from copilot.watching import RunAlert


class CopilotAnalyzer(DataVerbs):
    """Analyse training runs.

    Parameters
    ----------
    config : str, Path or Settings, optional
        Settings file (YAML or JSON), or the settings themselves. Default: see `load_settings`.
    overrides : mapping, optional
        Nested settings that win over the file and the environment.

    Raises
    ------
    ConfigError
        The settings are not valid.
    """

    # Histories and runs.

    def analyze_history(self, history: RunHistory | str | Path) -> AnalysisResult:
        """Analyse a history, or a file of one: CSV, JSON, or a TensorBoard event folder.

        Raises
        ------
        InputError
            The file cannot be read, or holds no metric that is recognised.
        """
        return self.analyze_histories([history])[0]

    def analyze_histories(self, histories: Sequence[RunHistory | str | Path]) -> AnalysisList:
        """Analyse many histories, or files of them, at once."""
        read = [self._history(h) for h in histories]
        return self._analyse(read, [{"kind": "history", "run_name": clean_text(h.name)} for h in read])

    def analyze_model(self, model_uri: str, *, progress: Progress = None) -> AnalysisResult:
        """Analyse the run behind ``runs:/<id>/model``, ``models:/name/3``, ``models:/name@alias`` or a bare run id.

        Raises
        ------
        NotFoundError
            There is no such run or model.
        ToolError
            The tracking server is out of reach.
        """
        resolved = self.source.resolve(model_uri)
        return self._written([self._analyse_one(resolved.run_id, kind="run", model_uri=resolved.model_uri)])[0]

    def explain_pairs(
        self, model_uri: str | None = None, *, history: RunHistory | str | Path | None = None
    ) -> Explanation:
        """What was read from each name that a run (or a history, or a file of one) logged, and what it was paired with.

        Raises
        ------
        InputError
            Neither or both are given, or the history was not made from logged series.
        NotFoundError
            There is no such run or model.
        """
        if (model_uri is None) == (history is None):
            raise InputError("Name a run or a history.", "Pass one of them.")
        return self._explained(model_uri, history)

    def watch(
        self,
        experiment: str | None = None,
        *,
        interval_s: float | None = None,
        once: bool = False,
        until_finished: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> Iterator[RunAlert]:
        """Follow the running runs of an experiment (default: the one in the settings); each alert is told once.

        Parameters
        ----------
        experiment : str, optional
            Name or id.
        interval_s : float, optional
            Seconds between two looks. Default: ``monitor.interval_s`` of the settings.
        once : bool
            Look once.
        until_finished : bool
            End when no run is running.
        note : callable, optional
            Gets lines for the person, such as that the server is away.
        """
        from copilot.watching import ExperimentWatch

        own, name = self.settings.monitor, self._experiment(experiment)
        watch = ExperimentWatch(self.source, name, own, self.settings.metrics, note, self.checks)
        return watch.alerts(interval_s or own.interval_s, once=once, until_finished=until_finished)

    # The other witnesses.

    def research(self, about: AnalysisResult | str | None = None, *, progress: Progress = None) -> ResearchResult:
        """Papers on a question, or on the likely cause of an analysis."""
        from copilot.integrations.research_assistant import ResearchAssistant
        from copilot.integrations.vector_store import PaperLibrary
        from copilot.results import AnalysisResult

        assistant = ResearchAssistant(self.settings.research, PaperLibrary(home_folder() / "papers"))
        if isinstance(about, AnalysisResult):
            return assistant.search(None, problem=about.diagnosis.causes[0].cause, progress=progress)
        return assistant.search(about, progress=progress)

    def paper_count(self) -> int:
        """Papers that earlier searches have kept."""
        if not (home_folder() / "papers").is_dir():
            return 0
        from copilot.integrations.vector_store import PaperLibrary

        return PaperLibrary(home_folder() / "papers").count()

    # Showing.

    def report(
        self, result: AnalysisResult, formats: Sequence[str] | None = None, output_dir: str | Path | None = None
    ) -> list[Path]:
        """Write reports; returns their paths. Formats: html, pdf, json, markdown."""
        output = self.settings.output
        folder = Path(output_dir or output.directory)
        subject = result.analysis.subject
        stem = safe_file_name(f"{subject.run_name or 'history'}-{(subject.run_id or '')[:8]}")
        suffixes = {"html": "html", "pdf": "pdf", "json": "json", "markdown": "md", "junit": "xml", "sarif": "sarif"}
        wanted = list(formats or output.format)
        if unknown := [f for f in wanted if f not in suffixes]:
            raise InputError(f"Unknown report format: {clean_text(unknown[0], 40)}.", f"Known: {', '.join(suffixes)}")
        options = {"template": output.template, "include_visualizations": output.include_visualizations}
        return [result.save(folder / f"{stem}.{suffixes[f]}", **options) for f in wanted]

    def ask(self, question: str, run_id: str | None = None, *, result: AnalysisResult | None = None) -> Answer:
        """Answer a question about a run; every number in the answer is rendered from its evidence.

        Parameters
        ----------
        question : str
        run_id : str, optional
            The run; analysed first, unless `result` is given.
        """
        from copilot.chat.answerer import answer

        if result is None and run_id is None:
            raise InputError("Which run is the question about?", "Pass --run-id.")
        return answer(question, (result or self.analyze_model(str(run_id))).analysis)

    # Housekeeping.

    def health(self) -> list[HealthItem]:
        """Whether the installation and what it talks to work."""
        from copilot.health import look

        return look(self)

    def describe_checks(self) -> list[CheckDescription]:
        """Every check with its documentation and the thresholds in force."""
        from copilot.core.checks.describe import describe

        known = (*self.checks, *self.comparison_checks, *self.probes, *self.data_checks)
        return [describe(check, self.settings.detection.ignore) for check in known]
