"""The analysis document: what every interface shows and none computes. Frozen, JSON in and out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1"

State = Literal["issue", "passed", "not_applicable", "skipped", "ignored", "error"]
Severity = Literal["none", "low", "medium", "high"]
Verdict = Literal["healthy", "overfitting", "underfitting", "unstable", "inconclusive"]
CauseName = Literal[
    "capacity",
    "small_dataset",
    "label_noise",
    "leakage",
    "distribution_shift",
    "class_imbalance",
    "validation_too_small",
    "validation_overused",
    "trained_too_long",
    "optimization",
    "underpowered_model",
    "none",
]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # mildest first
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Number = int | float
_NUMBERS = ("value", "epoch", "low", "high")
_PLAIN = (int, bool, str, type(None))


class Document(BaseModel):
    """A frozen piece of the analysis; NaN and infinities become null in JSON."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="null", json_schema_serialization_defaults_required=True
    )


# A scan of ten thousand runs makes half a million of these; a class with slots costs half of what a model does.
@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One number (or word) with its name, unit, logged epoch and source; None where nothing finite was measured.

    ``low`` and ``high`` bound an interval where one was computed; ``quantity`` names the metric it speaks of.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)

    id: str = ""
    name: str
    value: Number | str | bool | None
    unit: str = ""
    epoch: Number | None = None
    source: str = ""
    quantity: str | None = None
    low: Number | None = None
    high: Number | None = None

    def __post_init__(self) -> None:
        for value in (self.value, self.epoch, self.low, self.high):
            if value is not None and type(value) is not int and (type(value) is not float or not math.isfinite(value)):
                break
        else:
            return
        for name in _NUMBERS:
            object.__setattr__(self, name, _plain(name, getattr(self, name)))


def _plain(name: str, value: Any) -> Number | str | bool | None:
    """NumPy's scalars as Python's.

    Raises
    ------
    TypeError
        It is neither a number nor a word.
    """
    made = value.item() if hasattr(value, "item") else value
    if type(made) not in (*_PLAIN, float):
        raise TypeError(f"evidence has a {name} of type {type(value).__name__}")
    return None if isinstance(made, float) and not math.isfinite(made) else made


class Finding(Document):
    """The outcome of one check: one finding per code, per-pair results as evidence."""

    code: str
    title: str
    state: State
    severity: Severity = "none"
    confidence: float = Field(0.0, ge=0.0, le=1.0)
    summary: str
    evidence: tuple[str, ...] = ()


class Outcome(Document):
    """What a check, probe or outside tool returns: a finding whose evidence has no ids yet."""

    code: str
    title: str
    state: State
    severity: Severity = "none"
    confidence: float = Field(0.0, ge=0.0, le=1.0)
    summary: str
    evidence: tuple[Evidence, ...] = ()

    def value(self, name: str, quantity: str | None = None) -> Any:
        """The value of the first evidence called `name` (of `quantity`, if given), or None."""
        for item in self.evidence:
            if item.name == name and quantity in (None, item.quantity):
                return item.value
        return None


class Cause(Document):
    cause: CauseName
    probability: float = Field(ge=0.0, le=1.0)
    finding_codes: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


class Counterfactual(Document):
    """The run had it stopped at its best epoch; hours and shares where they are known.

    ``counted_in`` says what the rows after the best one are: epochs, or evaluations where the axis counts otherwise.
    """

    stop_epoch: Number
    epochs_saved: int
    counted_in: str = "epochs"
    hours_saved: float | None = None
    kept_share: float | None = None
    kept_quantity: str | None = None


class Diagnosis(Document):
    verdict: Verdict
    confidence: float = Field(ge=0.0, le=1.0)
    severity: Severity
    onset_epoch: Number | None = None
    best_epoch: Number | None = None
    summary: str
    counterfactual: Counterfactual | None = None
    causes: tuple[Cause, ...] = Field((Cause(cause="none", probability=1.0),), min_length=1)


class Recommendation(Document):
    id: str
    action: str
    why: str
    expected_effect: str
    finding_codes: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()


class Subject(Document):
    """What was analysed. ``kind`` is run, history or model; ``tracking_uri`` is without credentials."""

    kind: str
    run_id: str | None = None
    run_name: str | None = None
    experiment: str | None = None
    model_uri: str | None = None
    analyzed_at: str
    finished_at: str | None = None
    tracking_uri: str | None = None


class PairRecord(Document):
    """One quantity on train and validation; arrays are aligned with ``HistoryRecord.epochs``, null where missing."""

    quantity: str
    train_name: str | None
    val_name: str | None
    train: tuple[float | None, ...]
    val: tuple[float | None, ...]
    higher_is_better: bool


class HistoryRecord(Document):
    epochs: tuple[Number, ...] = ()
    pairs: tuple[PairRecord, ...] = ()
    warnings: tuple[str, ...] = ()


class Picture(Document):
    """An image that shows a finding to people; ``data`` is its file in base64, drawn by us."""

    title: str
    caption: str = ""
    finding_code: str = ""
    media_type: Literal["image/png", "image/jpeg", "image/webp"] = "image/png"
    width: int
    height: int
    data: str = Field(max_length=1_500_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$", repr=False)


class Provenance(Document):
    """``artifacts`` are files that were kept beside the analysis: what they are, and paths below the home folder."""

    versions: dict[str, str] = {}
    settings: dict[str, Any] = {}
    artifacts: dict[str, str] = {}
    duration_s: float = 0.0


class Analysis(Document):
    """One run, judged: the document behind every page, report, answer and exit code."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    subject: Subject
    history: HistoryRecord
    diagnosis: Diagnosis
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    pictures: tuple[Picture, ...] = ()
    provenance: Provenance = Provenance()

    def finding(self, code: str) -> Finding | None:
        return next((f for f in self.findings if f.code == code), None)

    def evidence_by_id(self) -> dict[str, Evidence]:
        return {e.id: e for e in self.evidence}


def number_evidence(outcomes: list[Outcome], start: int = 1) -> tuple[tuple[Finding, ...], tuple[Evidence, ...]]:
    """Give each outcome's evidence its id (``E1``, ``E2``, ...) and turn outcomes into findings.

    Parameters
    ----------
    outcomes : list of Outcome
        In the order in which findings are to appear.
    start : int, default 1
        The first number to give.
    """
    findings, evidence = [], []
    for outcome in outcomes:
        own = numbered(outcome.evidence, start + len(evidence))
        evidence.extend(own)
        findings.append(Finding(**{**vars(outcome), "evidence": tuple(item.id for item in own)}))
    return tuple(findings), tuple(evidence)


def numbered(evidence: Sequence[Evidence], start: int = 1) -> tuple[Evidence, ...]:
    """The evidence with its ids, ``E<start>`` first."""
    return tuple(
        Evidence(
            id=f"E{i}",
            name=item.name,
            value=item.value,
            unit=item.unit,
            epoch=item.epoch,
            source=item.source,
            quantity=item.quantity,
            low=item.low,
            high=item.high,
        )
        for i, item in enumerate(evidence, start)
    )


def analysis_schema() -> dict[str, Any]:
    """JSON Schema of the analysis document, as ``analysis.schema.json`` beside this file holds it.

    Keys may be added within a schema version, so further keys are allowed.
    """

    def open_up(part: Any) -> Any:
        if isinstance(part, list):
            return [open_up(item) for item in part]
        if not isinstance(part, dict):
            return part
        return {k: open_up(v) for k, v in part.items() if (k, v) != ("additionalProperties", False)}

    return {
        **open_up(Analysis.model_json_schema(mode="serialization")),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"MLOps Copilot analysis, schema version {SCHEMA_VERSION}",
    }
