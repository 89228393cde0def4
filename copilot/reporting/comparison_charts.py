"""Charts of several runs (Plotly): their curves over each other, and a setting against what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from copilot.core.comparisons.document import Axis, QuantityBeside, RunCurves, SideBySide
from copilot.core.comparisons.params import as_number
from copilot.core.naming import is_fraction
from copilot.reporting.palette import DARK, LIGHT, ChartColours, RunMark, run_mark
from copilot.reporting.scales import kept_points
from copilot.reporting.words import (
    axis_label,
    axis_place,
    difference_text,
    gap_text,
    quantity_name,
    value_text,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CLEAR = "rgba(0,0,0,0)"
LEGEND_UP_TO = 8  # runs; the legend of more would be larger than the chart, and the table shows the same marks
_LEGEND_NAME = 28  # characters
_TITLES: dict[Axis, str] = {"epoch": "epoch", "step": "step", "time": "{} since the start of the run"}
LOG_FROM = 30  # a parameter whose largest value is this many times its smallest lies on a log axis


def overlay_figure(
    beside: SideBySide,
    quantity: QuantityBeside,
    *,
    training: bool = True,
    log_scale: bool = False,
    dark: bool = False,
) -> Figure:
    """The curves of all runs over each other, validation solid, training thin and dotted, the best value marked.

    Parameters
    ----------
    beside : SideBySide
    quantity : QuantityBeside
        One of ``beside.quantities``.
    training : bool, default True
        Draw training curves too.
    log_scale : bool, default False
        Left linear where a value is not positive.
    dark : bool, default False
    """
    from plotly.graph_objects import Figure

    colours, figure = DARK if dark else LIGHT, Figure()
    per, unit = _time_unit(quantity.axis) if beside.axis == "time" else (1.0, "")
    for position, run in enumerate(quantity.runs):
        mark = run_mark(position)
        kept = kept_points(quantity.axis, (run.train, run.val), (run.best_at,))
        if training:
            _add_curve(figure, quantity, run, mark, kept, "training", per, dark, beside.unit)
        _add_curve(figure, quantity, run, mark, kept, "validation", per, dark, beside.unit)
        _add_best(figure, quantity, run, mark, per, dark, beside.unit)
    shown = [side for run in quantity.runs for side in ((run.train, run.val) if training else (run.val,))]
    positive = all(v is None or v > 0 for side in shown for v in side)
    lay_out(figure, colours, _TITLES[beside.axis].format(unit))
    figure.update_layout(showlegend=len(quantity.runs) <= LEGEND_UP_TO)
    figure.update_yaxes(
        title=escape(axis_label(quantity.quantity).removesuffix(" (%)")),
        type="log" if log_scale and positive else "linear",
        tickformat="~%" if is_fraction(quantity.quantity) else None,
    )
    return figure


def setting_figure(
    beside: SideBySide, quantity: QuantityBeside, setting: str, by: str, *, dark: bool = False
) -> Figure:
    """Each run as a point: the value of a parameter against the best value or the gap there.

    Parameters
    ----------
    setting : str
        Name of one of ``beside.params.differ``.
    by : {"best", "gap"}
    """
    from plotly.graph_objects import Figure

    colours, figure = DARK if dark else LIGHT, Figure()
    logged = next(d.values for d in beside.params.differ if d.name == setting)
    numbers = [as_number(v) for v in logged if v is not None]
    numeric = bool(numbers) and all(n is not None for n in numbers)
    for position, (run, value) in enumerate(zip(quantity.runs, logged, strict=True)):
        y = run.gap_at_best if by == "gap" else run.val_values.best if run.val_values else None
        if value is None or y is None:
            continue
        mark = run_mark(position)
        said = difference_text(y, quantity.quantity) if by == "gap" else value_text(y, quantity.quantity)
        figure.add_scatter(
            x=[as_number(value) if numeric else escape(value[:40])],
            y=[y],
            name=escape(run.label[:_LEGEND_NAME]),
            mode="markers",
            marker={"color": colour_of(mark, dark), "symbol": mark.symbol, "size": 12},
            hovertemplate=f"{escape(run.label)}<br>{escape(setting)} {escape(value[:40])}<br>{said}<extra></extra>",
            showlegend=False,
        )
    lay_out(figure, colours, escape(setting))
    wide = numeric and min(numbers) > 0 and max(numbers) > LOG_FROM * min(numbers)
    figure.update_xaxes(type="log" if wide else "linear" if numeric else "category")
    name = quantity_name(quantity.quantity)
    figure.update_yaxes(
        title=escape(f"gap in {name}" if by == "gap" else f"best validation {name}"),
        tickformat="~%" if is_fraction(quantity.quantity) else None,
    )
    return figure


def _add_curve(
    figure: Figure,
    quantity: QuantityBeside,
    run: RunCurves,
    mark: RunMark,
    kept: Sequence[int],
    side: str,
    per: float,
    dark: bool,
    unit: str,
) -> None:
    values = run.val if side == "validation" else run.train
    x: list[float | None] = []
    y: list[float | None] = []
    said: list[str] = []
    for piece in _pieces(quantity, values, set(kept)):
        x += [*(quantity.axis[i] / per for i in piece), None]
        y += [*(values[i] for i in piece), None]
        said += [*(_said(quantity, run, i, side, unit) for i in piece), ""]
    if not x:
        return
    solid = side == "validation"
    look: dict[str, Any] = {"width": 2} if solid else {"width": 1.2, "dash": "dot"}
    single = len(x) == 2
    figure.add_scatter(
        x=x,
        y=y,
        name=escape(run.label[:_LEGEND_NAME]),
        customdata=said,
        mode="markers" if single else "lines",
        line={"color": colour_of(mark, dark), **look},
        marker={"color": colour_of(mark, dark), "symbol": mark.symbol, "size": 7},
        opacity=1 if solid else 0.75,
        hovertemplate=f"{escape(run.label)}<br>%{{customdata}}<extra></extra>",
        legendgroup=str(run.run_id),
        showlegend=False,
    )


def _add_best(
    figure: Figure, quantity: QuantityBeside, run: RunCurves, mark: RunMark, per: float, dark: bool, unit: str
) -> None:
    """The best validation value as the run's own mark, which also stands in the legend."""
    if run.val_values is None or run.best_at is None:
        return
    best = value_text(run.val_values.best, quantity.quantity)
    place = _place(run.best_at, unit)
    figure.add_scatter(
        x=[run.best_at / per],
        y=[run.val_values.best],
        name=escape(run.label[:_LEGEND_NAME]),
        mode="lines+markers",
        line={"color": colour_of(mark, dark), "width": 2},
        marker={"color": colour_of(mark, dark), "symbol": mark.symbol, "size": 11},
        hovertemplate=f"{escape(run.label)}<br>best {best} {place}<extra></extra>",
        legendgroup=str(run.run_id),
    )


def _said(quantity: QuantityBeside, run: RunCurves, i: int, side: str, unit: str) -> str:
    """What the hover says at a point: the value and where it is, with validation the gap."""
    train, val, name = run.train[i], run.val[i], quantity.quantity
    gap = gap_text(train, val, name, quantity.higher_is_better) if side == "validation" else ""
    value = value_text(val if side == "validation" else train, name)
    return f"{side} {value} {_place(quantity.axis[i], unit)}{f'<br>gap {gap}' if gap else ''}"


def _place(at: float, unit: str) -> str:
    return f"after {axis_place(at, unit)}" if unit == "s" else f"at {unit} {axis_place(at, unit)}"


def _pieces(quantity: QuantityBeside, values: Sequence[float | None], kept: set[int]) -> list[list[int]]:
    """Indices that a line joins: it breaks where a run logged nothing for longer than it usually does.

    Interpolated curves have a value everywhere but there.
    """
    there = [i for i, v in enumerate(values) if v is not None]
    at = there if quantity.interpolated else [quantity.axis[i] for i in there]
    steps = [b - a for a, b in pairwise(at)]
    usual = 1 if quantity.interpolated or not steps else median(steps)
    pieces: list[list[int]] = []
    for k, i in enumerate(there):
        if k == 0 or steps[k - 1] > 1.5 * usual:
            pieces.append([])
        if i in kept or len(there) < 3:
            pieces[-1].append(i)
    return [piece for piece in pieces if piece]


def _time_unit(axis: Sequence[float]) -> tuple[float, str]:
    """Seconds per unit, and its name, for the longest time of an axis."""
    longest = axis[-1] if axis else 0
    return next(((s, name) for s, name in ((3600.0, "hours"), (60.0, "minutes")) if longest >= 3 * s), (1.0, "seconds"))


def colour_of(mark: RunMark, dark: bool) -> str:
    """The colour of a run on the page."""
    return mark.dark if dark else mark.light


def lay_out(figure: Figure, colours: ChartColours, x_title: str) -> None:
    """What charts of runs have in common: transparent, small margins, quiet grid."""
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 12, "b": 8},
        hovermode="closest",
        hoverlabel={"bgcolor": colours.paper, "bordercolor": colours.grid, "font": {"color": colours.text}},
        font={"color": colours.text},
        legend={"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top"},
        plot_bgcolor=_CLEAR,
        paper_bgcolor=_CLEAR,
    )
    figure.update_xaxes(title=x_title, gridcolor=colours.grid, zeroline=False, showgrid=False)
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False)
