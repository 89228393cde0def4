"""How the command line shows what was read from metric names."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from copilot.core.explanation import AxisReading, Explanation, NameReading
from copilot.reporting.markdown import escape_markdown
from copilot.utils.validators import clean_text

_COLUMNS = ("Logged name", "Rows", "Quantity", "Split", "Better", "Used as", "Paired with", "Why")
_SIDES = {"train": "training", "val": "validation", None: "left out"}


def explanation_table(told: Explanation) -> Group:
    """Every logged name in a row, the used ones first; then the axis and what was repaired."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    for reading in told.names:
        table.add_row(*(Text(cell) for cell in _cells(reading)), style=None if reading.used_as else "dim")
    parts = [Text(clean_text(told.run), "bold"), table, Text(axis_line(told.axis))]
    return Group(*parts, *(Text(f"Repaired: {clean_text(w)}", style="dim") for w in told.warnings))


def explanation_markdown(told: Explanation) -> str:
    """The same for a pull request."""
    rows = (f"| {' | '.join(escape_markdown(cell, 300) for cell in _cells(reading))} |" for reading in told.names)
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
        *rows,
        "",
        escape_markdown(axis_line(told.axis), 400),
    ]
    repairs = [f"- Repaired: {escape_markdown(w, 600)}" for w in told.warnings]
    return "\n".join([f"**{escape_markdown(told.run, 200)}**", "", *lines, *(["", *repairs] if repairs else [])])


def axis_line(axis: AxisReading | None) -> str:
    """The axis in a sentence."""
    if axis is None:
        return "No curve was found, so that there is no axis."
    of = f" of '{clean_text(axis.name)}'" if axis.name else ""
    what = {"epoch metric": "the values", "time": "the steps", "order": "the order of rows"}.get(
        axis.kind, "the logged steps"
    )
    return f"Axis: {what}{of}, {axis.first:.10g} to {axis.last:.10g} ({axis.n_epochs} rows). {axis.why}"


def _cells(reading: NameReading) -> tuple[str, ...]:
    better = {True: "higher", False: "lower", None: ""}[reading.higher_is_better]
    return (
        clean_text(reading.name),
        str(reading.points) if reading.points else "",
        clean_text(reading.quantity or ""),
        reading.split or "",
        better,
        _SIDES[reading.used_as],
        clean_text(reading.paired_with or ""),
        clean_text(reading.why, 300),
    )
