"""What the analyzer's verbs return: the analysis document with ways to keep and show it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from copilot.core.comparisons.document import Comparison
from copilot.core.comparisons.leaderboard import LeaderboardRow, Order, leaderboard
from copilot.core.findings import SCHEMA_VERSION, Analysis, Diagnosis, Evidence, Finding, Recommendation, Subject
from copilot.core.glance import Glance, glance
from copilot.errors import CopilotError, InputError
from copilot.reporting import render

if TYPE_CHECKING:
    import pandas as pd

    from copilot.integrations.analysis_cache import StoredAnalysis

STEPS = ("OVF300", "OVF500")  # the model asked, and the suite run; an error of one is no finding of a check
_FORMAT_OF_SUFFIX = {
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".json": "json",
    ".md": "markdown",
    ".xml": "junit",
    ".sarif": "sarif",
}


class AnalysisResult:
    """One analysed run.

    Parameters
    ----------
    analysis : Analysis or StoredAnalysis
        The document, or where it is stored; of a stored one only the parts that are used are read.

    Attributes
    ----------
    not_written : str
        Why it could not be written back into its run; empty where it could, or was not asked for.
    computed : tuple of str
        Steps of `validate` that were computed now, and not taken from what is kept of earlier ones.
    """

    def __init__(self, analysis: Analysis | StoredAnalysis) -> None:
        if isinstance(analysis, Analysis):
            self.analysis = analysis
        else:
            self._stored = analysis
        self.not_written = ""
        self.computed: tuple[str, ...] = ()

    @cached_property
    def analysis(self) -> Analysis:
        """The document that every interface shows."""
        return Analysis.model_validate_json(self._stored.document)

    @cached_property
    def subject(self) -> Subject:
        """What was analysed."""
        return Subject.model_validate_json(self._stored.subject) if self._is_stored else self.analysis.subject

    @cached_property
    def diagnosis(self) -> Diagnosis:
        return Diagnosis.model_validate_json(self._stored.diagnosis) if self._is_stored else self.analysis.diagnosis

    @cached_property
    def glance(self) -> Glance:
        """What a table of many runs shows beside subject and diagnosis."""
        return Glance.model_validate_json(self._stored.glance) if self._is_stored else glance(self.analysis)

    @property
    def _is_stored(self) -> bool:
        return "analysis" not in self.__dict__

    def parts(self) -> tuple[str, str, str, str]:
        """The JSON of subject, diagnosis, glance and the whole document, to be stored."""
        light = (self.subject, self.diagnosis, self.glance)
        return *(part.model_dump_json() for part in light), self.to_json(indent=None)

    @classmethod
    def from_json(cls, text: str | bytes) -> AnalysisResult:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            It is no analysis.
        """
        try:
            return cls(Analysis.model_validate_json(text))
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"])) or "the text"
            raise InputError(f"This is no analysis: {place}: {problem['msg']}.", "Pass what to_json wrote.") from error

    @property
    def not_looked_at(self) -> str:
        """Why a step of `validate` came to no end; empty where all did."""
        found = (self.analysis.finding(code) for code in STEPS)
        return " ".join(f.summary for f in found if f is not None and f.state == "error")

    @property
    def summary(self) -> str:
        """The verdict in words."""
        return self.diagnosis.summary

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.analysis.findings

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return self.analysis.evidence

    @property
    def recommendations(self) -> tuple[Recommendation, ...]:
        return self.analysis.recommendations

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was repaired in the history."""
        return self.analysis.history.warnings

    def to_json(self, indent: int | None = 2) -> str:
        """The contract's JSON document."""
        if not self._is_stored:
            return self.analysis.model_dump_json(indent=indent)
        text = self._stored.document
        return text if indent is None else json.dumps(json.loads(text), indent=indent, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """What `to_json` writes, as dictionaries and lists."""
        return json.loads(self.to_json(indent=None))

    def to_frame(self) -> pd.DataFrame:
        """One row of columns for tables: run, verdict, confidence, onset, best epoch, cause."""
        return AnalysisList([self]).to_frame()

    def save(self, path: str | Path, *, template: str = "default", include_visualizations: bool = True) -> Path:
        """Write the analysis; the ending of `path` says how: .html .pdf .json .md .xml (JUnit) .sarif.

        Raises
        ------
        InputError
            The ending is not known, or the file cannot be written.
        """
        path = Path(path)
        kind = _FORMAT_OF_SUFFIX.get(path.suffix.lower())
        if kind is None:
            raise InputError(
                f"{path.name}: unknown report format.", f"End the name in one of: {' '.join(_FORMAT_OF_SUFFIX)}"
            )
        content = render(self.analysis, kind, template=template, include_visualizations=include_visualizations)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.", "Choose another folder.") from error
        return path

    def _repr_html_(self) -> str:
        """What a notebook shows: the whole report in a frame of its own, so that its style stays inside."""
        from html import escape

        page = escape(str(render(self.analysis, "html")), quote=True)
        return f'<iframe sandbox srcdoc="{page}" style="width:100%;height:640px;border:0" title="Analysis"></iframe>'

    def __repr__(self) -> str:
        return f"<AnalysisResult {self.subject.run_name or self.subject.kind}: {self.summary}>"


class AnalysisList(list[AnalysisResult]):
    """Many analysed runs, in the order asked for.

    Attributes
    ----------
    failed : dict
        Runs that could not be read, with the reason.
    comparison : Comparison or None
        What the runs say together, where a verb compared them.
    comparisons : dict
        The same for the runs of each tracking server, where several were scanned.
    """

    def __init__(
        self,
        results: Iterable[AnalysisResult] = (),
        failed: dict[str, str] | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        super().__init__(results)
        self.errors: dict[str, CopilotError] = {}
        self.failed = failed or {}
        self.comparison = comparison
        self.comparisons: dict[str, Comparison] = {}

    def leaderboard(self, by: Order = "best") -> tuple[LeaderboardRow, ...]:
        """The compared runs in order, the better first; empty where no verb compared them. See `leaderboard`."""
        return leaderboard(self.comparison, by) if self.comparison is not None else ()

    def ordered(self, by: Order = "best") -> AnalysisList:
        """The same runs in the order of `leaderboard`."""
        place = {row.run_id: i for i, row in enumerate(self.leaderboard(by))}
        in_order = sorted(self, key=lambda r: place.get(r.subject.run_id, len(place)))
        made = AnalysisList(in_order, self.failed, self.comparison)
        made.errors = self.errors
        return made

    def to_json(self, indent: int | None = 2) -> str:
        """``{"schema_version", "analyses": [...]}``, ``failed`` runs, and the ``comparison`` where there is one."""
        document = {"schema_version": SCHEMA_VERSION, "analyses": [r.to_dict() for r in self], "failed": self.failed}
        if self.comparison is not None:
            document["comparison"] = json.loads(self.comparison.model_dump_json())
        if self.comparisons:
            document["comparisons"] = {k: json.loads(c.model_dump_json()) for k, c in self.comparisons.items()}
        return json.dumps(document, indent=indent, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a run."""
        import pandas as pd

        rows = []
        for result in self:
            subject, d = result.subject, result.diagnosis
            rows.append(
                {
                    "run_id": subject.run_id,
                    "run_name": subject.run_name,
                    "verdict": d.verdict,
                    "confidence": d.confidence,
                    "severity": d.severity,
                    "onset_epoch": d.onset_epoch,
                    "best_epoch": d.best_epoch,
                    "cause": d.causes[0].cause,
                    "summary": d.summary,
                }
            )
        columns = [
            "run_id",
            "run_name",
            "verdict",
            "confidence",
            "severity",
            "onset_epoch",
            "best_epoch",
            "cause",
            "summary",
        ]
        return pd.DataFrame(rows, columns=columns)
