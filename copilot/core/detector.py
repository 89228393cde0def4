"""Histories + checks -> outcomes. The only runner of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from copilot.core.batch import HistoryBatch, batches
from copilot.core.checks.base import Check, Row
from copilot.core.findings import Outcome
from copilot.core.history import RunHistory
from copilot.errors import CopilotError
from copilot.utils.validators import clean_text


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
    ignore, together = ignore or {}, list(batches(histories))
    found = [_run(check, histories, together, ignore) for check in checks]
    return [list(outcomes) for outcomes in zip(*found, strict=True)] if found else [[] for _ in histories]


def muted(code: str, title: str, reason: str) -> Outcome:
    """The outcome of a check that the settings mute."""
    return Outcome(code=code, title=title, state="ignored", summary=clean_text(f"Muted: {reason}", 300))


def _run(
    check: Check, histories: Sequence[RunHistory], together: Sequence[HistoryBatch], ignore: Mapping[str, str]
) -> list[Outcome]:
    """One outcome a history. A plugin's fault becomes its own outcome and leaves the other checks alone."""
    if check.code in ignore:
        return [muted(check.code, check.title, ignore[check.code]) for _ in histories]
    try:
        rows = _measure(check, histories, together)
    except CopilotError:
        raise
    except Exception as error:
        return [_failed(check, error) for _ in histories]
    return [_judge(check, history, own) for history, own in zip(histories, rows, strict=True)]


def _measure(check: Check, histories: Sequence[RunHistory], together: Sequence[HistoryBatch]) -> list[list[Row]]:
    """Rows by history, in the order of its pairs."""
    rows: list[list[Row]] = [[] for _ in histories]
    for batch in together:
        measured = check.measure(batch)
        columns = [values.tolist() for values in measured.values()]
        for pair, owner, *values in zip(batch.pairs, batch.owner.tolist(), *columns, strict=True):
            rows[owner].append(Row(pair, batch.points, dict(zip(measured, values, strict=True))))
    if len(together) > 1:  # within a batch they are in order
        for history, own in zip(histories, rows, strict=True):
            order = {id(p): i for i, p in enumerate(history.pairs)}
            own.sort(key=lambda row, order=order: order[id(row.pair)])
    return rows


def _judge(check: Check, history: RunHistory, rows: list[Row]) -> Outcome:
    try:
        outcome = check.judge(history, rows)
        if outcome.code != check.code:
            raise ValueError(f"its outcome has the code {outcome.code}")
        return outcome
    except CopilotError:
        raise
    except Exception as error:
        return _failed(check, error)


def _failed(check: Check, error: Exception) -> Outcome:
    reason = clean_text(f"The check failed: {type(error).__name__}: {error}", 300)
    return Outcome(code=check.code, title=check.title, state="error", summary=reason)
