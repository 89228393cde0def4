"""Analyses in the store."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy import func, or_, select

from copilot.core.findings import Analysis
from copilot.errors import NotFoundError, ToolError
from copilot.store.database import Database, server_name, storable, storable_name
from copilot.store.models import AnalysisTable
from copilot.store.records import AnalysisRow
from copilot.utils.logging import get_logger
from copilot.utils.validators import clean_text

_ROW = [getattr(AnalysisTable, name) for name in AnalysisRow.model_fields]
log = get_logger(__name__)


class AnalysisRecords(Database):
    """Save and find analyses."""

    def save_analysis(self, analysis: Analysis, tracking_uri: str | None = None) -> int:
        """Keep an analysis.

        Parameters
        ----------
        analysis : Analysis
        tracking_uri : str, optional
            Where the run is logged; credentials in it are not kept.

        Returns
        -------
        int
            Its id in the store.
        """
        subject, diagnosis = analysis.subject, analysis.diagnosis
        row = AnalysisTable(
            kind=clean_text(subject.kind, 40),
            run_id=_or_none(subject.run_id),
            run_name=_or_none(subject.run_name),
            experiment=_or_none(subject.experiment),
            tracking_uri=server_name(tracking_uri),
            verdict=diagnosis.verdict,
            severity=diagnosis.severity,
            confidence=diagnosis.confidence,
            analyzed_at=clean_text(subject.analyzed_at, 60),
            document=storable(analysis.model_dump(mode="json")),
        )
        with self._writing() as session:
            session.add(row)
            session.flush()
            return row.id

    def get_analysis(self, analysis_id: int) -> Analysis:
        """The analysis with that id.

        Raises
        ------
        NotFoundError
            There is none.
        ToolError
            A newer version wrote it in a form that this one cannot read.
        """
        with self._reading() as session:
            document = session.scalar(select(AnalysisTable.document).where(AnalysisTable.id == analysis_id))
        if document is None:
            raise NotFoundError(f"There is no saved analysis {analysis_id}.", "Analyze the run again.")
        if (analysis := _read(document)) is None:
            raise ToolError(f"The saved analysis {analysis_id} has another version's form.", "Analyze the run again.")
        return analysis

    def get_analyses(self, ids: Sequence[int]) -> dict[int, Analysis]:
        """Several analyses by id; ids that are missing or unreadable are left out."""
        query = select(AnalysisTable.id, AnalysisTable.document).where(AnalysisTable.id.in_(list(ids)))
        with self._reading() as session:
            found = session.execute(query).all()
        read = {id_: _read(document) for id_, document in found}
        return {id_: analysis for id_, analysis in read.items() if analysis is not None}

    def latest_analysis(self, run_id: str, tracking_uri: str | None = None) -> Analysis | None:
        """The newest analysis of a run, or None. Without `tracking_uri`, of that run on any server."""
        query = select(AnalysisTable.document).where(AnalysisTable.run_id == storable_name(run_id))
        if tracking_uri:
            query = query.where(AnalysisTable.tracking_uri == server_name(tracking_uri))
        with self._reading() as session:
            document = session.scalar(query.order_by(AnalysisTable.id.desc()).limit(1))
        return None if document is None else _read(document)

    def list_analyses(
        self,
        limit: int = 100,
        experiment: str | None = None,
        *,
        tracking_uri: str | None = None,
        latest_only: bool = False,
    ) -> list[AnalysisRow]:
        """Saved analyses, newest first, without their documents.

        Parameters
        ----------
        limit : int, default 100
            At most this many.
        experiment, tracking_uri : str, optional
            Only those of that experiment, and of that tracking server.
        latest_only : bool, default False
            Only the newest of each run.
        """
        query = select(*_ROW)
        if experiment is not None:
            query = query.where(AnalysisTable.experiment == storable_name(experiment))
        if tracking_uri is not None:
            query = query.where(AnalysisTable.tracking_uri == server_name(tracking_uri))
        if latest_only:
            newest = select(func.max(AnalysisTable.id)).group_by(AnalysisTable.run_id, AnalysisTable.tracking_uri)
            query = query.where(or_(AnalysisTable.run_id.is_(None), AnalysisTable.id.in_(newest)))
        with self._reading() as session:
            rows = session.execute(query.order_by(AnalysisTable.id.desc()).limit(limit)).all()
        return [AnalysisRow.model_validate(row) for row in rows]


def _or_none(text: str | None) -> str | None:
    return None if text is None else storable_name(text)


def _read(document: dict) -> Analysis | None:
    try:
        return Analysis.model_validate(document)
    except ValidationError as error:
        log.warning("a saved analysis cannot be read", problems=error.error_count())
        return None
