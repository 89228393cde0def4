"""Histories + checks -> outcomes. The only runner of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from copilot.core.batch import batches
from copilot.core.checks.base import Check, Row
from copilot.core.findings import Outcome
from copilot.core.history import RunHistory
from copilot.errors import CopilotError


def detect(
    histories: Sequence[RunHistory], checks: Sequence[Check], ignore: Mapping[str, str] | None = None
) -> list[list[Outcome]]:
    """Run every check on every history.

    Parameters
    ----------
    histories : sequence of RunHistory
    checks : sequence of Check
    ignore : mapping of code to reason, optional
        Muted checks: their outcome is ``ignored`` with the reason, and they are not run.

    Returns
    -------
    list of list of Outcome
        For each history, one outcome a check, in the order of `checks`.
    """
    ignore = ignore or {}
    active = [c for c in checks if c.code not in ignore]
    rows = _measure(histories, active)
    return [
        [_ignored(c, ignore[c.code]) if c.code in ignore else _judge(c, history, rows[c.code][i]) for c in checks]
        for i, history in enumerate(histories)
    ]


def _measure(histories: Sequence[RunHistory], checks: Sequence[Check]) -> dict[str, list[list[Row]]]:
    """Rows by check code and history, each history's rows in the order of its pairs."""
    rows: dict[str, list[list[Row]]] = {c.code: [[] for _ in histories] for c in checks}
    for batch in batches(histories):
        for check in checks:
            measured = check.measure(batch)
            columns = {name: values.tolist() for name, values in measured.items()}
            for r, owner in enumerate(batch.owner.tolist()):
                scalars = {name: column[r] for name, column in columns.items()}
                rows[check.code][owner].append(Row(batch.pairs[r], batch.points, scalars))
    for per_history in rows.values():
        for history, own in zip(histories, per_history, strict=True):
            order = {id(p): i for i, p in enumerate(history.pairs)}
            own.sort(key=lambda row, order=order: order[id(row.pair)])
    return rows


def _judge(check: Check, history: RunHistory, rows: list[Row]) -> Outcome:
    try:
        return check.judge(history, rows)
    except CopilotError:
        raise
    except Exception as error:  # a plugin's fault must not take the other findings with it
        return Outcome(
            code=check.code,
            title=check.title,
            state="error",
            summary=f"The check failed: {type(error).__name__}: {error}"[:300],
        )


def _ignored(check: Check, reason: str) -> Outcome:
    return Outcome(code=check.code, title=check.title, state="ignored", summary=f"Muted: {reason}"[:300])
