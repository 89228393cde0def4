"""The one table of a batch: on a terminal, and for a pull request."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from copilot.batching import BatchResult, BatchRow
from copilot.core.checks.base import percent
from copilot.core.findings import SEVERITIES
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.words import verdict_label
from copilot.utils.validators import clean_text

_COLUMNS = ("Model", "Images", "Verdict", "Train", "Validation", "Issues", "What stands out")


def batch_table(result: BatchResult) -> Table:
    """One row an entry, in the order of the plan."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold", justify="right" if name in ("Train", "Validation") else "left")
    for row in result.rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    return table


def batch_markdown(result: BatchResult) -> str:
    """As `batch_table`, for a pull request."""
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(escape_markdown(cell, 300) for cell in _cells(row))} |" for row in result.rows]
    return "\n".join(lines)


def _cells(row: BatchRow) -> tuple[str, ...]:
    names = (clean_text(row.name, 80), clean_text(row.on, 60))
    if row.state == "failed":
        return *names, "Failed", "", "", "", row.reason
    issues = ", ".join(f"{row.issues[s]} {s}" for s in reversed(SEVERITIES) if row.issues.get(s))
    errors = f"{row.errors} could not run" if row.errors else ""
    return (
        *names,
        verdict_label(row.verdict),
        *("" if value is None else percent(value, 1) for value in (row.train_accuracy, row.val_accuracy)),
        issues or "none",
        "; ".join(filter(None, (row.worst, errors, row.reason))),
    )
