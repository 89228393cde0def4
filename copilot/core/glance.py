"""What a table of many runs shows of each, taken from its analysis: so that the documents need not be opened for it."""

from __future__ import annotations

import numpy as np

from copilot.core.findings import SEVERITIES, Analysis, Document, Number, PairRecord, Severity

CURVE_POINTS = 40  # more do not show in a table's cell


class Glance(Document):
    """A run at a glance.

    Attributes
    ----------
    best_value : number or None
        Validation value at the best epoch.
    gap : number or None
        Score gap between training and validation at the end, as a fraction; None where there is no score from 0 to 1.
    curve : tuple of number
        The leading validation curve, thinned.
    worst : str
        Severity of the worst issue.
    """

    best_value: Number | None
    gap: Number | None
    curve: tuple[float, ...]
    worst: Severity


def glance(analysis: Analysis) -> Glance:
    """A run at a glance."""
    leading = next((p for p in analysis.history.pairs if any(v is not None for v in p.val)), None)
    gap = next((e for e in analysis.evidence if e.name == "gap_final" and e.unit == "fraction"), None)
    best = next((e for e in analysis.evidence if e.name == "best_checkpoint"), None)
    issues = [SEVERITIES.index(f.severity) for f in analysis.findings if f.state == "issue"]
    return Glance(
        best_value=best.value if best else None,
        gap=gap.value if gap else None,
        curve=_thinned(leading),
        worst=SEVERITIES[max(issues, default=0)],
    )


def _thinned(pair: PairRecord | None) -> tuple[float, ...]:
    values = [v for v in pair.val if v is not None] if pair else []
    if len(values) <= CURVE_POINTS:
        return tuple(values)
    return tuple(values[i] for i in np.linspace(0, len(values) - 1, CURVE_POINTS).astype(int))
