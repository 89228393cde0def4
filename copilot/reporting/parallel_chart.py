"""Parallel coordinates (Plotly): a line a run through its parameters to what came of it.

Plotly's own kind of trace has no hover, no marks and no dashes, so that nothing would tell which run a line is. These
are plain lines, in the colours and with the marks that the runs have in the other charts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from copilot.core.comparisons.document import QuantityBeside, SideBySide
from copilot.core.comparisons.params import as_number
from copilot.core.naming import is_fraction
from copilot.reporting.comparison_charts import LOG_FROM, colour_of, lay_out
from copilot.reporting.palette import DARK, LIGHT, ChartColours, run_mark
from copilot.reporting.words import difference_text, number, quantity_name, value_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_SETTINGS = 6
_TICKS = 8  # values of a text that have a tick; more would overlap
_WORD = 14  # characters


class _Scale(NamedTuple):
    """One upright: where each run crosses it (0 to 1, None where it has no value), and its ticks."""

    name: str
    places: list[float | None]
    said: list[str]
    ticks: list[tuple[float, str]]


def parallel_figure(
    beside: SideBySide, quantity: QuantityBeside, settings: Sequence[str], *, dark: bool = False
) -> Figure:
    """Each run as a line through the values of parameters to its best value and the gap there, the better upwards.

    Parameters
    ----------
    settings : sequence of str
        Names among ``beside.params.differ``; the first six are drawn.
    """
    from plotly.graph_objects import Figure

    colours, figure = DARK if dark else LIGHT, Figure()
    known = {d.name: d.values for d in beside.params.differ}
    scales = [_setting(name, known[name]) for name in settings[:MAX_SETTINGS]] + _reached(quantity)
    for i, scale in enumerate(scales):
        _add_upright(figure, scale, i, colours)
    for position, run in enumerate(quantity.runs):
        x = [i for i, scale in enumerate(scales) if scale.places[position] is not None]
        mark = run_mark(position)
        figure.add_scatter(
            x=x,
            y=[scales[i].places[position] for i in x],
            mode="lines+markers",
            name=escape(run.label[:40]),
            line={"color": colour_of(mark, dark), "width": 2},
            marker={"color": colour_of(mark, dark), "symbol": mark.symbol, "size": 9},
            hovertext=[f"{escape(scales[i].name)} {escape(scales[i].said[position])}" for i in x],
            hovertemplate=f"{escape(run.label)}<br>%{{hovertext}}<extra></extra>",
            showlegend=False,
        )
    lay_out(figure, colours, "")
    figure.update_layout(margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_xaxes(visible=False, range=[-0.1, len(scales) - 0.55], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-0.06, 1.06], fixedrange=True)
    return figure


def _add_upright(figure: Figure, scale: _Scale, i: int, colours: ChartColours) -> None:
    figure.add_shape(type="line", x0=i, x1=i, y0=0, y1=1, line={"color": colours.muted, "width": 1}, layer="below")
    name = scale.name if len(scale.name) <= 24 else f"{scale.name[:23]}…"
    title = {"x": i, "y": 1, "yshift": 26, "text": f"<b>{escape(name)}</b>", "xanchor": "left" if i == 0 else "center"}
    figure.add_annotation(**title, showarrow=False, font={"color": colours.text, "size": 13})
    for y, text in scale.ticks:
        figure.add_annotation(
            x=i,
            y=y,
            xshift=9,
            text=escape(text),
            xanchor="left",
            showarrow=False,
            font={"color": colours.muted, "size": 12},
            bgcolor=colours.paper,
            opacity=0.9,
        )


def _setting(name: str, values: Sequence[str | None]) -> _Scale:
    numbers = [None if v is None else as_number(v) for v in values]
    said = ["" if v is None else v[:40] for v in values]
    if all(n is not None for n, v in zip(numbers, values, strict=True) if v is not None):
        return _numeric(name, numbers, said, [number(n) if n is not None else "" for n in numbers])
    words = sorted({v for v in values if v is not None})
    at = {word: i / (len(words) - 1) if len(words) > 1 else 0.5 for i, word in enumerate(words)}
    named = words if len(words) <= _TICKS else [words[0], words[-1]]
    ticks = [(at[word], word if len(word) <= _WORD else f"{word[: _WORD - 1]}…") for word in named]
    return _Scale(name, [None if v is None else at[v] for v in values], said, ticks)


def _reached(quantity: QuantityBeside) -> list[_Scale]:
    name, kind = quantity_name(quantity.quantity), quantity.quantity
    best = [run.val_values.best if run.val_values else None for run in quantity.runs]
    gaps = [run.gap_at_best for run in quantity.runs]
    said = ["" if v is None else value_text(v, kind) for v in best]
    scales = [_numeric(f"best {name}", best, said, said, upside_down=not quantity.higher_is_better, log=False)]
    if any(gap is not None for gap in gaps):
        wide = ["" if v is None else difference_text(v, kind) for v in gaps]
        ticks = [text.replace(" points", " pts") for text in wide] if is_fraction(kind) else wide
        scales.append(_numeric("gap there", gaps, wide, ticks, upside_down=True, log=False))
    return scales


def _numeric(
    name: str,
    values: Sequence[float | None],
    said: list[str],
    words: list[str],
    *,
    upside_down: bool = False,
    log: bool = True,
) -> _Scale:
    there = [v for v in values if v is not None]
    wide = log and bool(there) and min(there) > 0 and max(there) > LOG_FROM * min(there)
    low, high = (min(there), max(there)) if there else (0.0, 1.0)

    def place(value: float) -> float:
        if high == low:
            return 0.5
        share = math.log(value / low) / math.log(high / low) if wide else (value - low) / (high - low)
        return 1 - share if upside_down else share

    places = [None if v is None else place(v) for v in values]
    marks = {p: word for p, word in zip(places, words, strict=True) if p is not None}
    ends = (0.0, 1.0) if len(marks) > 4 else tuple(marks)
    return _Scale(name, places, said, _apart([(p, marks[p]) for p in sorted(marks) if p in ends]))


def _apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Ticks that do not lie on each other; the first and the last stay."""
    kept = ticks[:1]
    for y, text in ticks[1:-1]:
        if y - kept[-1][0] > 0.1 and ticks[-1][0] - y > 0.1:
            kept.append((y, text))
    return kept + (ticks[-1:] if len(ticks) > 1 else [])
