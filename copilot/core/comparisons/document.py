"""The comparison document: a group of runs, judged together. Frozen, JSON in and out."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from copilot.core.findings import (
    SCHEMA_VERSION,
    Document,
    Evidence,
    Finding,
    Number,
    Recommendation,
    Severity,
    Verdict,
)

Axis = Literal["epoch", "step", "time"]
AXES: tuple[Axis, ...] = get_args(Axis)


class ComparisonSubject(Document):
    """What was compared. ``quantity`` is what the runs are compared by, None where no run validated anything."""

    kind: Literal["comparison"] = "comparison"
    experiment: str | None = None
    baseline: str | None = None
    parent_run_id: str | None = None
    quantity: str | None = None
    higher_is_better: bool | None = None
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


class Extremes(Document):
    """What a curve reached, and the logged epochs at which it did."""

    best: Number
    best_epoch: Number
    min: Number
    min_epoch: Number
    max: Number
    max_epoch: Number
    last: Number
    last_epoch: Number


class RunCurves(Document):
    """One quantity in one run; arrays are aligned with ``QuantityBeside.axis``, null where the run has no value.

    ``best_at`` is the place of the best validation value on the axis. Gaps are validation minus training, worse is
    positive: at that epoch, and over the last tenth of training.
    """

    run_id: str | None
    label: str
    train: tuple[float | None, ...] = ()
    val: tuple[float | None, ...] = ()
    train_values: Extremes | None = None
    val_values: Extremes | None = None
    best_at: Number | None = None
    gap_at_best: Number | None = None
    gap_at_end: Number | None = None


class QuantityBeside(Document):
    """One quantity in every run; `interpolated` values lie on straight lines between logged ones."""

    quantity: str
    higher_is_better: bool
    axis: tuple[Number, ...]
    interpolated: bool
    runs: tuple[RunCurves, ...]


class Differing(Document):
    """A parameter, tag or dataset that is not the same in all runs; null in a run that does not have it.

    ``identifies`` says that it only tells which run it is (a seed, a path, a name).
    """

    name: str
    values: tuple[str | None, ...]
    identifies: bool = False


class Differences(Document):
    """What differs between the runs, and what all of them share; ``left_out`` names were too many to list."""

    differ: tuple[Differing, ...] = ()
    same: dict[str, str] = Field(default_factory=dict)
    left_out: int = 0


class SideBySide(Document):
    """Runs next to each other, in the order of ``Comparison.runs``.

    ``unit`` is that of every axis: epoch, step, or s since the run's start. ``off_axis`` are runs that have no place on
    it, by label, with the reason.
    """

    axis: Axis
    unit: Literal["epoch", "step", "s"]
    labels: tuple[str, ...]
    quantities: tuple[QuantityBeside, ...] = ()
    params: Differences = Differences()
    tags: Differences = Differences()
    datasets: Differences = Differences()
    off_axis: dict[str, str] = Field(default_factory=dict)


class VersionRow(Document):
    """One version of a registered model, by the group's quantity; ``reason`` says why numbers are missing.

    ``change`` is the best value minus that of the version ``previous``, ``change_to_best`` minus that of the best one.
    ``worse`` says whether it got worse beyond noise, None where that cannot be told; ``sentence`` says it in words.
    """

    version: str
    run_id: str | None
    run_name: str | None = None
    stage: str = ""
    aliases: tuple[str, ...] = ()
    verdict: Verdict | None = None
    best_value: Number | None = None
    best_epoch: Number | None = None
    gap: Number | None = None
    previous: str | None = None
    change: Number | None = None
    change_to_best: Number | None = None
    worse: bool | None = None
    severity: Severity = "none"
    sentence: str = ""
    evidence: tuple[str, ...] = ()
    reason: str = ""


class ModelHistory(Document):
    """A registered model over its versions, the oldest first. ``best`` is the version with the best value."""

    model: str
    best: str | None = None
    summary: str
    versions: tuple[VersionRow, ...] = ()


class Comparison(Document):
    """A group of runs, judged together; evidence ids are its own."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    subject: ComparisonSubject
    runs: tuple[ComparedRun, ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    side_by_side: SideBySide | None = None
    model_history: ModelHistory | None = None

    def finding(self, code: str) -> Finding | None:
        return next((f for f in self.findings if f.code == code), None)

    def evidence_by_id(self) -> dict[str, Evidence]:
        return {e.id: e for e in self.evidence}
