"""Charts of a described image set: images by class, and where the values of each property lie."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from copilot.core.data.description import PropertySummary, Tally
from copilot.reporting.palette import DARK, LIGHT
from copilot.reporting.words import number
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_BARS = 60
_ROOMY = 20  # classes up to which whole names and numbers fit
_CLEAR = "rgba(0,0,0,0)"
_ROW_PX = 34


def class_bars(classes: Sequence[Tally], *, dark: bool = False) -> Figure:
    """A bar a class, the largest first, with its number where there is room.

    Parameters
    ----------
    classes : sequence of Tally
        The largest first; `MOST_BARS` are drawn.
    dark : bool, default False
    """
    import plotly.graph_objects as go

    colours, shown = DARK if dark else LIGHT, list(classes)[:MOST_BARS]
    many = len(shown) > _ROOMY
    labels = _told_apart([_safe(row.name, 12 if many else 30) for row in shown])
    figure = go.Figure()
    figure.add_bar(
        x=labels,
        y=[row.count for row in shown],
        marker={"color": colours.train},
        text=None if many else [f"{row.count:,}" for row in shown],
        textposition="outside",
        cliponaxis=False,
        customdata=[(_safe(row.name, 80), row.share) for row in shown],
        hovertemplate="%{customdata[0]}: %{y:,} (%{customdata[1]:.1%})<extra></extra>",
    )
    figure.update_layout(
        height=300, bargap=0.25, margin={"l": 8, "r": 8, "t": 24, "b": 8}, showlegend=False,
        font={"color": colours.text}, plot_bgcolor=_CLEAR, paper_bgcolor=_CLEAR,
    )  # fmt: skip
    figure.update_xaxes(type="category", title="class")
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False, title="images")
    return figure


def property_strips(properties: Sequence[PropertySummary], *, dark: bool = False) -> Figure:
    """A strip a property, each on a scale of its own from its least to its most value.

    Parameters
    ----------
    properties : sequence of PropertySummary
    dark : bool, default False
    """
    import plotly.graph_objects as go

    colours, figure = DARK if dark else LIGHT, go.Figure()
    names = [_safe(p.label, 40) for p in properties]
    for name, p in zip(names, properties, strict=True):
        own = _Scale(p)
        for ends, width, colour in (((0.0, 1.0), 1, colours.grid), ((own(p.q05), own(p.q95)), 3, colours.muted)):
            figure.add_scatter(
                x=ends, y=[name] * 2, mode="lines", line={"color": colour, "width": width}, hoverinfo="skip"
            )
        figure.add_scatter(
            x=(own(p.q25), own(p.q75)),
            y=[name] * 2,
            mode="lines",
            line={"color": colours.train, "width": 11},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[own(p.median)],
            y=[name],
            mode="markers",
            marker={"color": colours.paper, "size": 8, "line": {"color": colours.text, "width": 2}},
            hovertemplate=f"{_in_full(p)}<extra></extra>",
        )
        for at, value, anchor in ((0.0, p.least, "right"), (1.0, p.most, "left")):
            figure.add_annotation(
                x=at, y=name, text=number(value), showarrow=False, xanchor=anchor, xshift=6 if at else -6,
                font={"size": 11, "color": colours.muted},
            )  # fmt: skip
    figure.update_layout(
        height=_ROW_PX * len(names) + 24, showlegend=False, margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"color": colours.text}, plot_bgcolor=_CLEAR, paper_bgcolor=_CLEAR,
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=(-0.16, 1.16), fixedrange=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True, title=None)
    return figure


class _Scale:
    """From a property's value to its place between the least (0) and the most (1); in the middle where all agree."""

    def __init__(self, p: PropertySummary) -> None:
        self._least, self._span = p.least, p.most - p.least

    def __call__(self, value: float) -> float:
        return (value - self._least) / self._span if self._span else 0.5


def _in_full(p: PropertySummary) -> str:
    unit = f" {_safe(p.unit, 30)}" if p.unit not in ("", "fraction") else ""
    return (
        f"{_safe(p.label, 40)}: median {number(p.median)}{unit}<br>half of the images: {number(p.q25)} to "
        f"{number(p.q75)}<br>90 %: {number(p.q05)} to {number(p.q95)}"
    )


def _safe(text: str, limit: int) -> str:
    """Plotly draws some of HTML, links among it."""
    return escape(clean_text(text, limit))


def _told_apart(labels: list[str]) -> list[str]:
    """Labels that were cut to the same text would share a bar."""
    seen: dict[str, int] = {}
    told = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        told.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return told
