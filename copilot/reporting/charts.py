"""Curve charts: interactive ones (Plotly) for the dashboard, drawn ones (SVG) for reports. Both show the same marks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from copilot.core.findings import Analysis, PairRecord
from copilot.core.naming import is_fraction
from copilot.reporting.drawing import curve_svg
from copilot.reporting.palette import DARK, LIGHT, ChartColours
from copilot.reporting.scales import stretches
from copilot.reporting.words import axis_label, epoch_text, gap_text, value_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["curve_figure", "curve_svg", "moving_mean"]

_NARROW = 0.25  # a stretch this short of the axis has no room for its word beside the best epoch's
_CLEAR = "rgba(0,0,0,0)"
_SYMBOLS = {"training": "square", "validation": "circle"}


def curve_figure(
    analysis: Analysis, pair: PairRecord, *, log_scale: bool = False, smoothing: int = 0, dark: bool = False
) -> Figure:
    """An interactive chart of one quantity.

    Parameters
    ----------
    analysis : Analysis
    pair : PairRecord
        One of ``analysis.history.pairs``.
    log_scale : bool, default False
        Left linear where a value is not positive.
    smoothing : int, default 0
        Points of the moving mean; raw values stay as thin lines. 0 or 1 draws raw values only.
    dark : bool, default False

    Returns
    -------
    plotly.graph_objects.Figure
    """
    from plotly.graph_objects import Figure

    colours, epochs = DARK if dark else LIGHT, list(analysis.history.epochs)
    figure = Figure()
    sides = {"validation": (pair.val, colours.val), "training": (pair.train, colours.train)}
    drawn = {word: moving_mean(v, smoothing) if smoothing > 1 else list(v) for word, (v, _) in sides.items()}
    _add_gap(figure, epochs, drawn["training"], drawn["validation"], colours)
    for word, (raw, colour) in sides.items():
        if any(v is not None for v in raw):
            if smoothing > 1:
                _add_line(figure, epochs, raw, name=word, colour=colour, raw=True)
            _add_line(figure, epochs, drawn[word], name=word, colour=colour, text=_hover(pair, word))
    _add_marks(figure, analysis, colours)
    _lay_out(figure, pair, colours, log=log_scale and _positive(pair))
    return figure


def moving_mean(values: Sequence[float | None], width: int) -> list[float | None]:
    """Centred mean of what is there, for drawing only; holes stay holes."""
    half, out = width // 2, []
    for i, value in enumerate(values):
        near = [v for v in values[max(0, i - half) : i + half + 1] if v is not None]
        out.append(None if value is None else sum(near) / len(near))
    return out


def _hover(pair: PairRecord, word: str) -> list[str]:
    """What the hover says at each epoch: the raw value, and with validation the gap."""
    texts = []
    for train, val in zip(pair.train, pair.val, strict=True):
        value = train if word == "training" else val
        gap = gap_text(train, val, pair.quantity, pair.higher_is_better) if word == "validation" else ""
        texts.append("" if value is None else value_text(value, pair.quantity) + (f" (gap {gap})" if gap else ""))
    return texts


def _add_line(
    figure: Figure,
    epochs: Sequence[float],
    values: Sequence[float | None],
    *,
    name: str,
    colour: str,
    text: Sequence[str] = (),
    raw: bool = False,
) -> None:
    x, y, said, sizes = [], [], [], []
    for run in stretches(values):
        x += [*(epochs[i] for i in run), None]
        y += [*(values[i] for i in run), None]
        said += [*(text[i] if text else "" for i in run), ""]
        sizes += [6 if len(run) == 1 else 0] * len(run) + [0]
    if x and not raw:
        sizes[-2] = 7  # the last point: a disc for validation, a square for training
    look: dict[str, Any] = {"opacity": 0.35, "hoverinfo": "skip", "showlegend": False} if raw else {}
    if not raw:
        look["hovertemplate"] = f"{name} %{{customdata}}<extra></extra>"
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        customdata=said,
        mode="lines+markers",
        line={"color": colour, "width": 1 if raw else 2},
        marker={"color": colour, "size": sizes, "symbol": _SYMBOLS[name], "opacity": 1, "line": {"width": 0}},
        legendgroup=name,
        **look,
    )


def _add_gap(
    figure: Figure,
    epochs: Sequence[float],
    train: Sequence[float | None],
    val: Sequence[float | None],
    colours: ChartColours,
) -> None:
    """The area between the curves, in one piece per stretch where both are there."""
    both = [None if t is None or v is None else 0.0 for t, v in zip(train, val, strict=True)]
    x: list[float | None] = []
    y: list[float | None] = []
    for run in (r for r in stretches(both) if len(r) > 1):
        x += [*(epochs[i] for i in run), *(epochs[i] for i in reversed(run)), None]
        y += [*(train[i] for i in run), *(val[i] for i in reversed(run)), None]
    if x:
        figure.add_scatter(
            x=x,
            y=y,
            name="gap",
            mode="lines",
            fill="toself",
            fillcolor=_faint(colours.val),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )


def _add_marks(figure: Figure, analysis: Analysis, colours: ChartColours) -> None:
    """The best epoch as a dotted line, the overfitting stretch shaded from the onset."""
    d, epochs = analysis.diagnosis, analysis.history.epochs
    span = (epochs[-1] - epochs[0]) or 1 if epochs else 1
    crowded = False
    if d.best_epoch is not None:
        left = (d.best_epoch - epochs[0]) / span > 0.12
        crowded = (epochs[-1] - d.best_epoch) / span < _NARROW
        figure.add_vline(x=d.best_epoch, line={"color": colours.best, "dash": "dot", "width": 2})
        _note(figure, d.best_epoch, f"best {epoch_text(d.best_epoch)}", colours.best, "right" if left else "left")
    if d.onset_epoch is not None:
        figure.add_vrect(x0=d.onset_epoch, x1=epochs[-1], fillcolor=colours.onset, opacity=0.09, line_width=0)
        text = f"overfitting from {epoch_text(d.onset_epoch)}"
        _note(figure, epochs[-1], text, colours.onset, "right", inside=crowded)


def _note(figure: Figure, x: float, text: str, colour: str, anchor: str, *, inside: bool = False) -> None:
    figure.add_annotation(
        x=x,
        y=1,
        yref="paper",
        text=text,
        showarrow=False,
        xanchor=anchor,
        yanchor="top" if inside else "bottom",
        font={"color": colour, "size": 12},
    )


def _lay_out(figure: Figure, pair: PairRecord, colours: ChartColours, *, log: bool) -> None:
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 52, "b": 8},
        hovermode="x unified",
        hoverlabel={"bgcolor": colours.paper, "bordercolor": colours.grid, "font": {"color": colours.text}},
        font={"color": colours.text},
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "traceorder": "reversed"},
        plot_bgcolor=_CLEAR,
        paper_bgcolor=_CLEAR,
    )
    figure.update_xaxes(title="epoch", gridcolor=colours.grid, zeroline=False, showgrid=False)
    figure.update_yaxes(
        title=escape(axis_label(pair.quantity).removesuffix(" (%)")),
        gridcolor=colours.grid,
        zeroline=False,
        type="log" if log else "linear",
        tickformat="~%" if is_fraction(pair.quantity) else None,
    )


def _positive(pair: PairRecord) -> bool:
    return all(v is None or v > 0 for side in (pair.train, pair.val) for v in side)


def _faint(colour: str) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},0.1)"
