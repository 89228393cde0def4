"""The chain from data to run, and a pipeline's stages, drawn as SVG: boxes in columns, arrows, gaps as lines below.

Each box says its kind in words; links that are assumed are dashed. Colours stand as attributes and each part has a
class, so that a page's style sheet can give it the colours of its theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from copilot.core.lineage import Lineage, LineageNode
from copilot.core.pipelines import Pipeline
from copilot.reporting.layers import Layers, Spot, WayPoint, layers
from copilot.reporting.palette import LIGHT, ChartColours
from copilot.utils.validators import clean_text

MAX_BOXES = 60
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _LANE, _MARGIN = 184, 62, 66, 22, 24, 12
_CHAR, _SMALL = 8.5, 6.9  # rough widths of a letter at 13 and 11 px
_LINE = 34  # of one gap below the drawing
_FONT = "Inter, 'Segoe UI', Roboto, 'Liberation Sans', Arial, 'DejaVu Sans', sans-serif"
_WORDS = {
    "run": "run",
    "input": "logged dataset",
    "code": "commit",
    "stage": "stage",
    "data": "data",
    "version": "data version",
    "remote": "remote",
}
_DETAILS = {
    "run": ("status",),
    "input": ("context", "digest"),
    "code": ("message", "date"),
    "stage": ("command", "from"),
    "data": ("files", "md5"),
    "version": ("message", "tags"),
    "remote": ("address",),
}


class Box(NamedTuple):
    """A node as drawn: the word for its kind, its name, a line of detail, and what a pointer over it tells."""

    id: str
    kind: str
    word: str
    label: str
    detail: str = ""
    told: str = ""


class Arrow(NamedTuple):
    """A link as drawn."""

    source: str
    target: str
    label: str
    assumed: bool = False


def lineage_svg(lineage: Lineage, theme: ChartColours = LIGHT, *, ident: str = "lineage") -> str:
    """The chain of a run with its gaps.

    Parameters
    ----------
    lineage : Lineage
    theme : ChartColours, default the light ones
    ident : str
        Prefix of the ids inside; unique in the page.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    boxes = [_box(node) for node in lineage.nodes]
    arrows = [Arrow(link.source, link.target, link.label, link.certainty == "assumed") for link in lineage.links]
    gaps = [(gap.what, gap.hint) for gap in lineage.missing]
    return _drawing(boxes, arrows, gaps, theme, ident, "From the data to the run", lineage.summary)


def pipeline_svg(pipeline: Pipeline, theme: ChartColours = LIGHT, *, ident: str = "pipeline") -> str:
    """The stages of a pipeline and what flows between them; parameters as `lineage_svg`."""
    words = {"stage": "stage", "data": "tracked data", "import": "imported data"}
    boxes = [
        Box(
            stage.name,
            "stage" if stage.kind == "stage" else "data",
            words[stage.kind] + (", frozen" if stage.frozen else "") + ("" if stage.recorded else ", not run"),
            stage.name,
            stage.command or stage.source or ", ".join(out.path for out in stage.outs),
            stage.description or "",
        )
        for stage in pipeline.stages
    ]
    arrows = [Arrow(edge.source, edge.target, edge.path) for edge in pipeline.edges]
    told = f"{len(pipeline.stages)} stages and {len(pipeline.edges)} links at {pipeline.revision}."
    return _drawing(
        boxes, arrows, [(note, "") for note in pipeline.notes], theme, ident, "Stages of the pipeline", told
    )


def _box(node: LineageNode) -> Box:
    detail = next((node.facts[name] for name in _DETAILS[node.kind] if node.facts.get(name)), "")
    detail = f"{detail} files" if detail and detail == node.facts.get("files") else detail
    told = "; ".join(f"{name}: {value}" for name, value in node.facts.items())
    return Box(node.id, node.kind, _WORDS[node.kind], node.label, detail, told)


def _drawing(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    gaps: Sequence[tuple[str, str]],
    theme: ChartColours,
    ident: str,
    title: str,
    told: str,
) -> str:
    left_out = len(boxes) - MAX_BOXES
    gaps = [*gaps, (f"{left_out:,} further boxes were left out.", "")] if left_out > 0 else gaps
    boxes = boxes[:MAX_BOXES]
    laid = layers([box.id for box in boxes], [(arrow.source, arrow.target) for arrow in arrows])
    places, height = _places(laid)
    width = max(2 * _MARGIN + len(laid.columns) * (_WIDTH + _ACROSS) - _ACROSS, 680)
    parts = [part for arrow in arrows for part in _arrow(arrow, laid, places, theme, ident)]
    parts += [part for box in boxes for part in _drawn(box, *places[box.id], theme)]
    parts += [part for at, gap in enumerate(gaps) for part in _gap(gap, height + at * _LINE, width, theme)]
    height += len(gaps) * _LINE + (_MARGIN if gaps else 0)
    return (
        f'<svg class="lineage" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'style="max-width:100%;height:auto" role="img" aria-labelledby="{ident}-title {ident}-desc" '
        f'font-family="{_FONT}" font-size="13">'
        f'<title id="{ident}-title">{escape(title)}</title><desc id="{ident}-desc">{_safe(told, 2000)}</desc>'
        f'<defs><marker id="{ident}-tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="tip" d="M0 0L8 4L0 8Z" fill="{theme.muted}"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _places(laid: Layers) -> tuple[dict[Spot, tuple[float, float]], float]:
    """The left end and the middle line of each box and lane, and the height of it all; columns are centred."""
    tall = [sum(map(_room, column)) for column in laid.columns]
    highest, places = max(tall, default=0.0), {}
    for x, (column, used) in enumerate(zip(laid.columns, tall, strict=True)):
        y = _MARGIN + (highest - used) / 2
        for spot in column:
            places[spot] = _MARGIN + x * (_WIDTH + _ACROSS), y + _room(spot) / 2
            y += _room(spot)
    return places, highest + 2 * _MARGIN


def _room(spot: Spot) -> float:
    return _LANE if isinstance(spot, WayPoint) else _HEIGHT + _DOWN


def _drawn(box: Box, x: float, middle: float, theme: ChartColours) -> list[str]:
    y = middle - _HEIGHT / 2
    colour = _colour(box.kind, theme)
    told = f"<title>{_safe(f'{box.label} ({box.word}). {box.told}', 500)}</title>"
    inside = _WIDTH - 24
    return [
        f'<g class="box {box.kind}">{told}<rect class="paper" x="{x:.0f}" y="{y:.0f}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="8" fill="{theme.paper}" stroke="{theme.grid}" stroke-width="1.4"/>'
        f'<rect class="{box.kind}-bar" x="{x:.0f}" y="{y + 8:.0f}" width="4" height="{_HEIGHT - 16}" rx="2" '
        f'fill="{colour}"/>',
        _text(x + 14, y + 18, _clipped(box.word, inside, _SMALL), colour, size=11, kind=f"{box.kind}-word"),
        _text(x + 14, y + 36, _clipped(box.label, inside, _CHAR), theme.text, weight=600, kind="ink"),
        _text(x + 14, y + 52, _clipped(box.detail, inside, _SMALL), theme.muted, size=11, kind="muted"),
        "</g>",
    ]


def _arrow(
    arrow: Arrow, laid: Layers, places: dict[Spot, tuple[float, float]], theme: ChartColours, ident: str
) -> list[str]:
    """A curve from box to box, level where it crosses a column; its word lies before the last box."""
    path = laid.paths.get((arrow.source, arrow.target))
    if path is None:
        return []
    drawn = ""
    for a, b in pairwise(path):
        (x, y), (to_x, to_y) = places[a], places[b]
        x += _WIDTH
        bend = max((to_x - x) / 2, 28)
        start = f"L{x:.0f} {y:.0f}" if drawn else f"M{x:.0f} {y:.0f}"
        drawn += f"{start}C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    dashes = ' stroke-dasharray="5 4"' if arrow.assumed else ""
    word = f"{arrow.label}, assumed" if arrow.assumed else arrow.label
    shown = _clipped(arrow.label, _ACROSS - 8, 5.4)
    halo = f' text-anchor="middle" stroke="{theme.paper}" stroke-width="3" paint-order="stroke"'
    return [
        f'<path class="link" d="{drawn}" fill="none" stroke="{theme.muted}" stroke-width="1.4"{dashes} '
        f'marker-end="url(#{ident}-tip)"><title>{_safe(word, 200)}</title></path>',
        _text((x + to_x) / 2, (y + to_y) / 2 - 4, shown, theme.muted, size=10, kind="muted", more=halo),
    ]


def _gap(gap: tuple[str, str], y: float, width: float, theme: ChartColours) -> list[str]:
    what, hint = gap
    room = width - 2 * _MARGIN - 20
    return [
        _text(_MARGIN, y + 16, "◆", theme.val, kind="gap-mark"),
        _text(_MARGIN + 20, y + 15, _clipped(what, room, 7.2), theme.text, size=12, kind="ink"),
        _text(_MARGIN + 20, y + 29, _clipped(hint, room, _SMALL), theme.muted, size=11, kind="muted"),
    ]


def _colour(kind: str, theme: ChartColours) -> str:
    found = {"run": theme.text, "code": theme.muted, "stage": theme.val, "remote": theme.best}
    return found.get(kind, theme.train)


def _clipped(text: str, room: float, char: float) -> str:
    """Text that fits `room` pixels; wide letters (Chinese, Japanese) count twice."""
    text, used = clean_text(text, 300), 0.0
    for at, letter in enumerate(text):
        used += char * (1.8 if ord(letter) > 0x2E7F else 1)
        if used > room:
            return f"{text[: max(at - 1, 0)]}…"
    return text


def _safe(text: str, limit: int) -> str:
    return escape(clean_text(text, limit))


def _text(
    x: float, y: float, text: str, colour: str, *, size: int = 13, weight: int = 400, kind: str = "ink", more: str = ""
) -> str:
    if not text:
        return ""
    place = f'x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}"'
    return f'<text class="{kind}" {place} fill="{colour}"{more}>{escape(text)}</text>'
