"""Curve charts: interactive ones (Plotly) for the dashboard, drawn ones (SVG) for reports. Both show the same marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from copilot.core.findings import Analysis, PairRecord
from copilot.reporting.palette import DARK, LIGHT
from copilot.reporting.words import number

_WIDTH, _HEIGHT = 720, 300
_QUIET = "#5b6475"
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 34, 40
_FONT = 'font-size="12" font-family="Source Sans 3, DejaVu Sans, sans-serif"'
# Plain attributes, which CSS overrides where a page has a theme of its own; PDF makers read no CSS inside SVG.
_LOOK = {
    "train": f'fill="none" stroke="{LIGHT.train}" stroke-width="2"',
    "val": f'fill="none" stroke="{LIGHT.val}" stroke-width="2"',
    "train-dot": f'fill="{LIGHT.train}"',
    "val-dot": f'fill="{LIGHT.val}"',
    "gap": f'fill="{LIGHT.val}" fill-opacity="0.09"',
    "grid": f'stroke="{LIGHT.grid}" stroke-width="1"',
    "best": f'stroke="{LIGHT.best}" stroke-width="1.6" stroke-dasharray="3 4"',
    "best-label": f'fill="{LIGHT.best}" {_FONT}',
    "onset": f'fill="{LIGHT.onset}" fill-opacity="0.09"',
    "onset-label": f'fill="{LIGHT.onset}" {_FONT}',
    "tick": f'fill="{_QUIET}" {_FONT}',
    "label": f'fill="{_QUIET}" {_FONT}',
}


def curve_figure(
    analysis: Analysis, pair: PairRecord, *, log_scale: bool = False, smoothing: int = 0, dark: bool = False
):
    """An interactive chart of one quantity.

    Parameters
    ----------
    analysis : Analysis
    pair : PairRecord
        One of ``analysis.history.pairs``.
    log_scale : bool, default False
    smoothing : int, default 0
        Points of the moving mean; raw values stay as thin lines. 0 draws raw values only.
    dark : bool, default False

    Returns
    -------
    plotly.graph_objects.Figure
    """
    import plotly.graph_objects as go

    colours, epochs = DARK if dark else LIGHT, list(analysis.history.epochs)
    figure = go.Figure()
    gap = [None if t is None or v is None else v - t for t, v in zip(pair.train, pair.val, strict=True)]
    sides = (("validation", pair.val, colours.val), ("train", pair.train, colours.train))
    for name, values, colour in sides:
        if all(v is None for v in values):
            continue
        fill = "tonexty" if name == "train" and len(figure.data) and not smoothing else None
        if smoothing:
            figure.add_scatter(
                x=epochs,
                y=values,
                line={"color": colour, "width": 0.8},
                opacity=0.35,
                hoverinfo="skip",
                showlegend=False,
            )
        drawn = moving_mean(values, smoothing) if smoothing else values
        hover = (
            f"{name} %{{y:.4~g}}<extra></extra>"
            if name == "train"
            else f"{name} %{{y:.4~g}} (gap %{{customdata:.3~g}})<extra></extra>"
        )
        figure.add_scatter(
            x=epochs, y=drawn, name=name, customdata=gap, hovertemplate=hover, connectgaps=True, fill=fill,
            fillcolor=_faint(colours.val), mode="lines+markers" if len(epochs) == 1 else "lines", line={"color": colour, "width": 2},
        )  # fmt: skip
    d = analysis.diagnosis
    if d.best_epoch is not None:
        figure.add_vline(x=d.best_epoch, line={"color": colours.best, "dash": "dot", "width": 2})
        figure.add_annotation(
            x=d.best_epoch,
            y=1,
            yref="paper",
            text=f"best {number(d.best_epoch)}",
            showarrow=False,
            yanchor="bottom",
            font={"color": colours.best},
        )
    if d.onset_epoch is not None:
        figure.add_vrect(x0=d.onset_epoch, x1=epochs[-1], fillcolor=colours.onset, opacity=0.09, line_width=0)
        figure.add_annotation(
            x=epochs[-1],
            y=1,
            yref="paper",
            text="overfitting",
            showarrow=False,
            xanchor="right",
            yanchor="top",
            font={"color": colours.onset},
        )
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 30, "b": 8}, hovermode="x unified", font={"color": colours.text},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    figure.update_xaxes(title="epoch", gridcolor=colours.grid, zeroline=False)
    figure.update_yaxes(
        title=pair.quantity,
        gridcolor=colours.grid,
        zeroline=False,
        type="log" if log_scale and _positive(pair) else "linear",
    )
    return figure


def moving_mean(values: Sequence[float | None], width: int) -> list[float | None]:
    """Centred mean of what is there, for drawing only."""
    half, out = width // 2, []
    for i in range(len(values)):
        near = [v for v in values[max(0, i - half) : i + half + 1] if v is not None]
        out.append(sum(near) / len(near) if near and values[i] is not None else None)
    return out


def curve_svg(analysis: Analysis, pair: PairRecord) -> str:
    """A drawn chart of one quantity, for HTML and PDF; colours come from CSS classes, so that it follows the page's theme."""
    points = [v for side in (pair.train, pair.val) for v in side if v is not None]
    epochs = analysis.history.epochs
    if not points:
        return ""
    x, y = (
        _scale(epochs[0], epochs[-1], _LEFT, _WIDTH - _RIGHT),
        _scale(min(points), max(points), _HEIGHT - _BOTTOM, _TOP),
    )
    title = escape(f"Training and validation {pair.quantity} by epoch")
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}" class="chart" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{title}</title>",
        *_onset_and_best(analysis, x),
        *_axes(epochs, points, x, y, pair.quantity),
        _gap_area(epochs, pair, x, y),
    ]
    for name, values in (("val", pair.val), ("train", pair.train)):
        parts.append(_line(epochs, values, x, y, name))
    parts += _legend(pair)
    return "".join(parts) + "</svg>"


def _look(name: str) -> str:
    return f'class="{name}" {_LOOK[name]}'


def _scale(low: float, high: float, start: float, end: float):
    span = (high - low) or 1.0
    return lambda v: start + (v - low) / span * (end - start)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    span = (high - low) or abs(low) or 1.0
    step = 10 ** math.floor(math.log10(span / count))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= count)
    first = math.ceil(low / step - 1e-9)
    return [round((first + i) * step, 12) for i in range(count + 2) if (first + i) * step <= high + 1e-9 * span]


def _axes(epochs, points, x, y, quantity: str) -> list[str]:
    parts = []
    for value in _ticks(min(points), max(points)):
        parts.append(
            f'<line {_look("grid")} x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(
            f'<text {_look("tick")} x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    for value in _ticks(epochs[0], epochs[-1], 8):
        parts.append(
            f'<text {_look("tick")} x="{x(value):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text {_look("label")} x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">epoch</text>')
    parts.append(
        f'<text {_look("label")} transform="rotate(-90 12 {_HEIGHT / 2})" x="12" y="{_HEIGHT / 2}" text-anchor="middle">{escape(quantity[:40])}</text>'
    )
    return parts


def _line(epochs, values, x, y, name: str) -> str:
    drawn = [(x(e), y(v)) for e, v in zip(epochs, values, strict=True) if v is not None]
    if not drawn:
        return ""
    if len(drawn) == 1:
        return f'<circle {_look(name + "-dot")} cx="{drawn[0][0]:.1f}" cy="{drawn[0][1]:.1f}" r="3"/>'
    return f'<polyline {_look(name)} points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in drawn)}"/>'


def _gap_area(epochs, pair: PairRecord, x, y) -> str:
    both = [
        (x(e), y(t), y(v))
        for e, t, v in zip(epochs, pair.train, pair.val, strict=True)
        if t is not None and v is not None
    ]
    if len(both) < 2:
        return ""
    outline = [f"{a:.1f},{v:.1f}" for a, _, v in both] + [f"{a:.1f},{t:.1f}" for a, t, _ in reversed(both)]
    return f'<polygon {_look("gap")} points="{" ".join(outline)}"/>'


def _onset_and_best(analysis: Analysis, x) -> list[str]:
    d, parts = analysis.diagnosis, []
    end = x(analysis.history.epochs[-1])
    if d.onset_epoch is not None:
        start = x(d.onset_epoch)
        parts.append(
            f'<rect {_look("onset")} x="{start:.1f}" y="{_TOP}" width="{max(end - start, 2):.1f}" height="{_HEIGHT - _TOP - _BOTTOM}"/>'
        )
        parts.append(
            f'<text {_look("onset-label")} x="{end:.1f}" y="{_TOP - 6}" text-anchor="end">overfitting from {number(d.onset_epoch)}</text>'
        )
    if d.best_epoch is not None:
        at = x(d.best_epoch)
        anchor = "end" if at > _WIDTH / 3 else "start"
        parts.append(f'<line {_look("best")} x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        shift = -5 if anchor == "end" else 5
        parts.append(
            f'<text {_look("best-label")} x="{at + shift:.1f}" y="{_TOP + 12}" text-anchor="{anchor}">best {number(d.best_epoch)}</text>'
        )
    return parts


def _legend(pair: PairRecord) -> list[str]:
    parts, at = [], _LEFT
    for name, values, label in (("train", pair.train, "train"), ("val", pair.val, "validation")):
        if any(v is not None for v in values):
            parts.append(f'<line {_look(name)} x1="{at}" x2="{at + 22}" y1="14" y2="14"/>')
            parts.append(f'<text {_look("tick")} x="{at + 28}" y="18">{label}</text>')
            at += 34 + 8 * len(label) + 16
    return parts


def _positive(pair: PairRecord) -> bool:
    return all(v is None or v > 0 for side in (pair.train, pair.val) for v in side)


def _faint(colour: str) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},0.08)"
