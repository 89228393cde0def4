"""The Check protocol: measure many rows at once as arrays, then judge one history from its own rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from copilot.core.batch import HistoryBatch
from copilot.core.findings import Evidence, Outcome, Severity, State
from copilot.core.history import RunHistory, axis_value
from copilot.core.naming import is_fraction
from copilot.core.pairs import Pair


class Thresholds(BaseModel):
    """Base of each check's own thresholds: frozen, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Row:
    """What a check measured on one pair: scalars by name; epochs are logged axis values, costs run downwards."""

    pair: Pair
    points: int
    values: dict[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def logged(self, name: str) -> float:
        """A measured cost in the quantity's own direction."""
        return self.pair.from_cost(self.values[name])

    def epoch(self, name: str) -> str:
        """A measured epoch as people read it; steps of seven digits stay whole."""
        return f"{self.values[name]:.10g}"

    def evidence(
        self,
        name: str,
        value: float,
        *,
        unit: str = "",
        epoch: float | None = None,
        source: str = "",
        low: float | None = None,
        high: float | None = None,
    ) -> Evidence:
        finite = math.isfinite(value)
        return Evidence(
            name=name,
            value=_tidy(value, unit) if finite else None,
            unit=unit,
            epoch=None if epoch is None or not math.isfinite(epoch) else axis_value(epoch),
            source=source or f"{self.pair.train_name or '-'} / {self.pair.val_name or '-'}",
            quantity=self.pair.quantity,
            low=None if low is None or not finite else _tidy(low, unit),
            high=None if high is None or not finite else _tidy(high, unit),
        )

    def value_unit(self) -> str:
        return "fraction" if is_fraction(self.pair.quantity) else ""


class Check(Protocol):
    """A curve check.

    ``measure`` returns arrays of shape (rows,) by name for a batch; ``judge`` turns the rows of one history into an
    outcome. ``thresholds`` is an instance of the check's own frozen ``Thresholds``; ``aliases`` maps names of the
    settings' ``detection.thresholds`` to fields of it.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[dict[str, str]]
    thresholds: Any

    def measure(self, batch: HistoryBatch) -> dict[str, np.ndarray]: ...

    def judge(self, history: RunHistory, rows: Sequence[Row]) -> Outcome: ...


class BaseCheck:
    """What every check shares: its thresholds and the making of outcomes."""

    code: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[dict[str, str]] = {}
    Thresholds: ClassVar[type[Thresholds]] = Thresholds

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or self.Thresholds()

    def outcome(
        self,
        state: State,
        summary: str,
        *,
        severity: Severity = "none",
        confidence: float = 0.0,
        evidence: Sequence[Evidence] = (),
    ) -> Outcome:
        return Outcome(
            code=self.code,
            title=self.title,
            state=state,
            severity=severity,
            confidence=round(min(max(float(confidence), 0.0), 0.99), 3),
            summary=summary,
            evidence=tuple(evidence),
        )


def leading_first(leading: Row, rows: Sequence[Row]) -> list[Row]:
    """The rows, that which the check's sentence speaks of first: answers cite the evidence in front."""
    return [leading, *(row for row in rows if row is not leading)]


def confidence_from(margin: float) -> float:
    """Confidence of a judgement whose measure lies exp(margin) times beyond its threshold: .5 at it, 1 far off."""
    return 1.0 - 0.5 * math.exp(-abs(margin))


def percent(share: float, digits: int = 0) -> str:
    """A share in words, as every interface writes it: ``54 %``."""
    return f"{share * 100:.{digits}f} %"


def severity_of(value: float, medium: float, high: float) -> Severity:
    return "high" if value >= high else "medium" if value >= medium else "low"


def _tidy(value: float, unit: str) -> int | float:
    return axis_value(value) if unit in ("epoch", "epochs", "evaluations") else float(f"{value:.6g}")
