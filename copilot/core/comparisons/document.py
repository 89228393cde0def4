"""The comparison document: a group of runs, judged together. Frozen, JSON in and out."""

from __future__ import annotations

from typing import Literal

from copilot.core.findings import SCHEMA_VERSION, Document, Evidence, Finding, Number, Recommendation, Verdict


class ComparisonSubject(Document):
    """What was compared. ``quantity`` is what the runs are compared by, None where no run validated anything."""

    kind: Literal["comparison"] = "comparison"
    experiment: str | None = None
    baseline: str | None = None
    parent_run_id: str | None = None
    quantity: str | None = None
    analyzed_at: str


class ComparedRun(Document):
    """One run of the group: its verdict, and the group's quantity at its best on validation.

    ``gap`` is validation minus training at that epoch, worse is positive.
    """

    run_id: str | None
    run_name: str | None
    verdict: Verdict | None
    best_value: Number | None
    best_epoch: Number | None
    gap: Number | None
    fold: int | None
    n_train: int | None


class Comparison(Document):
    """A group of runs, judged together; evidence ids are its own."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    subject: ComparisonSubject
    runs: tuple[ComparedRun, ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()

    def finding(self, code: str) -> Finding | None:
        return next((f for f in self.findings if f.code == code), None)

    def evidence_by_id(self) -> dict[str, Evidence]:
        return {e.id: e for e in self.evidence}
