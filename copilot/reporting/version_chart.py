"""A registered model over its versions (Plotly): the best value of each, and where it got worse."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from copilot.core.comparisons.document import ModelHistory, VersionRow
from copilot.core.naming import is_fraction
from copilot.reporting.comparison_charts import lay_out
from copilot.reporting.palette import DARK, LIGHT, ChartColours
from copilot.reporting.words import difference_text, quantity_name, value_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def versions_figure(history: ModelHistory, quantity: str, *, dark: bool = False) -> Figure:
    """The best validation value by version; a version that got worse is a filled triangle, the best one a star.

    Parameters
    ----------
    history : ModelHistory
        At least one version has a value.
    quantity : str
        What the versions are compared by.
    dark : bool, default False
    """
    from plotly.graph_objects import Figure

    colours, figure = DARK if dark else LIGHT, Figure()
    rows = [row for row in history.versions if row.best_value is not None]
    figure.add_scatter(
        x=[row.version for row in rows],
        y=[row.best_value for row in rows],
        mode="lines+markers",
        line={"color": colours.val, "width": 2},
        marker=_markers(rows, history.best, colours),
        hovertext=[_hover(row, quantity) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    lay_out(figure, colours, "version")
    order = [row.version for row in history.versions]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=order, range=[-0.5, len(order) - 0.5])
    figure.update_yaxes(
        title=escape(f"best validation {quantity_name(quantity)}"), tickformat="~%" if is_fraction(quantity) else None
    )
    return figure


def _markers(rows: list[VersionRow], best: str | None, colours: ChartColours) -> dict[str, Any]:
    looks = [
        ("star", colours.best, 15)
        if row.version == best
        else ("triangle-down", colours.onset, 12)
        if row.worse
        else ("circle", colours.val, 9)
        for row in rows
    ]
    symbols, colour, sizes = zip(*looks, strict=True)
    return {"symbol": symbols, "color": colour, "size": sizes, "opacity": 1}


def _hover(row: VersionRow, quantity: str) -> str:
    lines = [f"version {row.version}: {value_text(row.best_value, quantity)}"]
    if row.change is not None:
        lines.append(f"change {'+' if row.change > 0 else ''}{difference_text(row.change, quantity)}")
    return "<br>".join(escape(line) for line in [*lines, *(["got worse"] if row.worse else [])])
