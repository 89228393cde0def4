"""Curve charts drawn as SVG, for the HTML and the PDF report: no script, no outside request, readable without colour.

Colours stand as attributes, so that the drawing works anywhere; each part has a class too, so that a page's style sheet
can give it the colours of its theme.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from copilot.core.findings import Analysis, Diagnosis, PairRecord
from copilot.reporting.palette import LIGHT, ChartColours
from copilot.reporting.scales import Scale, kept_points, stretches
from copilot.reporting.words import axis_label, capital, epoch_text, gap_text, quantity_name, value_text

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 46, 42
_CHAR = 6.3  # rough width of a letter at 12 px
_MARKER = 3.2
_FONT = "Inter, 'Segoe UI', Roboto, 'Liberation Sans', Arial, 'DejaVu Sans', sans-serif"


def curve_svg(
    analysis: Analysis,
    pair: PairRecord,
    theme: ChartColours = LIGHT,
    *,
    width: int = 720,
    height: int = 300,
    ident: str = "chart",
    hover: bool = False,
) -> str:
    """A drawn chart of one quantity by epoch.

    Parameters
    ----------
    analysis : Analysis
    pair : PairRecord
        One of ``analysis.history.pairs``.
    theme : ChartColours, default the light ones
    width, height : int
        Size in pixels; the drawing scales with its box.
    ident : str
        Prefix of the ids inside; unique in the page.
    hover : bool, default False
        Put the values into ``data-hover``, as JSON, for a page's script.

    Returns
    -------
    str
        An ``<svg>`` element; empty if neither side has a value.
    """
    if all(v is None for side in (pair.train, pair.val) for v in side):
        return ""
    return _Chart(analysis, pair, theme, width, height).svg(ident, hover)


class _Chart:
    """One chart: its scales, and the parts from back to front."""

    def __init__(self, analysis: Analysis, pair: PairRecord, theme: ChartColours, width: int, height: int) -> None:
        self.diagnosis, self.epochs, self.pair, self.theme = analysis.diagnosis, analysis.history.epochs, pair, theme
        self.width, self.height = width, height
        self.right, self.base = width - _RIGHT, height - _BOTTOM
        self.x = Scale.of_epochs(self.epochs, _LEFT, self.right)
        self.y = Scale.of_values([*pair.train, *pair.val], pair.quantity, self.base, _TOP)
        marks = (self.diagnosis.best_epoch, self.diagnosis.onset_epoch)
        self.kept = kept_points(self.epochs, (pair.train, pair.val), marks)
        self.sides = [
            (kind, word, side, colour)
            for kind, word, side, colour in (
                ("val", "validation", pair.val, theme.val),
                ("train", "training", pair.train, theme.train),
            )
            if any(v is not None for v in side)
        ]

    def svg(self, ident: str, hover: bool) -> str:
        data = f' data-hover="{escape(self._hover())}"' if hover else ""
        parts = [*self._onset(), *self._axes(), *self._gap(), *self._curves(), *self._best(), *self._legend()]
        return (
            f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'role="img" aria-labelledby="{ident}-title {ident}-desc" '
            f'font-family="{_FONT}" font-size="12"{data}>'
            f'<title id="{ident}-title">{escape(self._title())}</title>'
            f'<desc id="{ident}-desc">{escape(describe_curves(self.diagnosis, self.epochs, self.pair))}</desc>'
            f"{''.join(parts)}</svg>"
        )

    def _title(self) -> str:
        sides = " and ".join(word for _, word, *_ in reversed(self.sides))
        return f"{capital(sides)} {quantity_name(self.pair.quantity)} by epoch"

    def _axes(self) -> list[str]:
        grid, muted = self.theme.grid, self.theme.muted
        parts = []
        for value, label in self.y.ticks(5):
            at = f"{self.y(value):.1f}"
            parts.append(f'<path class="grid" d="M{_LEFT} {at}H{self.right}" stroke="{grid}" fill="none"/>')
            parts.append(_text(_LEFT - 8, self.y(value) + 4, label, muted, "end"))
        for value, label in self.x.ticks(max(3, self.width // 90)):
            parts.append(_text(self.x(value), self.base + 18, label, muted, "middle"))
        middle = (_TOP + self.base) / 2
        name = axis_label(self.pair.quantity) + (", log scale" if self.y.log else "")
        parts.append(_text((_LEFT + self.right) / 2, self.height - 6, "epoch", muted, "middle"))
        parts.append(_text(13, middle, name, muted, "middle", turn=True))
        return parts

    def _onset(self) -> list[str]:
        onset = self.diagnosis.onset_epoch
        if onset is None:
            return []
        start, colour = self.x(onset), self.theme.onset
        size = f'width="{max(self.right - start, 2):.1f}" height="{self.base - _TOP}"'
        return [
            f'<rect class="onset" x="{start:.1f}" y="{_TOP}" {size} fill="{colour}" fill-opacity="0.08"/>',
            f'<path class="onset-edge" d="M{start:.1f} {_TOP}V{self.base}" stroke="{colour}" '
            'stroke-opacity="0.35" fill="none"/>',
            _text(self.right, self._onset_row(), self._onset_label(), colour, "end", kind="onset-label"),
        ]

    def _onset_label(self) -> str:
        return f"overfitting from {epoch_text(self.diagnosis.onset_epoch)}"

    def _onset_row(self) -> float:
        """Above the plot, or inside it where the best epoch's label needs the place."""
        best = self.diagnosis.best_epoch
        crowded = best is not None and self.x(best) + 4 > self.right - len(self._onset_label()) * _CHAR
        return _TOP + 15 if crowded else _TOP - 7

    def _best(self) -> list[str]:
        best = self.diagnosis.best_epoch
        if best is None:
            return []
        at, label = self.x(best), f"best {epoch_text(best)}"
        fits, colour = at - len(label) * _CHAR > _LEFT, self.theme.best
        place, anchor = (at, "end") if fits else (at - 2, "start")
        return [
            f'<path class="best" d="M{at:.1f} {_TOP - 4}V{self.base}" stroke="{colour}" stroke-width="1.6" '
            'stroke-dasharray="1.5 3.5" stroke-linecap="round" fill="none"/>',
            _text(place, _TOP - 7, label, colour, anchor, kind="best-label"),
        ]

    def _gap(self) -> list[str]:
        train, val = self.pair.train, self.pair.val
        both = [None if t is None or v is None else 0.0 for t, v in zip(train, val, strict=True)]
        areas = []
        for run in stretches(both, self.kept):
            there = [self._point(i, train) for i in run]
            back = [self._point(i, val) for i in reversed(run)]
            if len(run) > 1:
                areas.append(f"M{'L'.join(there + back)}Z")
        if not areas:
            return []
        return [f'<path class="gap" d="{"".join(areas)}" fill="{self.theme.val}" fill-opacity="0.09"/>']

    def _curves(self) -> list[str]:
        return [part for kind, _, side, colour in self.sides for part in self._curve(kind, side, colour)]

    def _curve(self, kind: str, side: Sequence[float | None], colour: str) -> list[str]:
        runs = stretches(side, self.kept)
        path = "".join(f"M{'L'.join(self._point(i, side) for i in run)}" for run in runs if len(run) > 1)
        look = f'fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"'
        alone = {run[0] for run in runs if len(run) == 1} | {runs[-1][-1]}
        return ([f'<path class="{kind}" d="{path}" {look}/>'] if path else []) + [
            _marker(kind, self.x(self.epochs[i]), self.y(side[i]), colour) for i in sorted(alone)
        ]

    def _point(self, i: int, side: Sequence[float | None]) -> str:
        return f"{self.x(self.epochs[i]):.1f} {self.y(side[i]):.1f}"

    def _legend(self) -> list[str]:
        parts, at = [], float(_LEFT)
        for kind, word, _, colour in reversed(self.sides):
            parts.append(
                f'<path class="{kind}" d="M{at:.0f} 14H{at + 22:.0f}" stroke="{colour}" stroke-width="2" fill="none"/>'
            )
            parts.append(_marker(kind, at + 11, 14, colour))
            parts.append(_text(at + 28, 18, word, self.theme.text, "start", kind="ink"))
            at += 28 + len(word) * _CHAR + 16
        if len(self.sides) == 2:
            look = f'fill="{self.theme.val}" fill-opacity="0.18"'
            parts.append(f'<rect class="gap-key" x="{at:.0f}" y="8" width="16" height="12" {look}/>')
            parts.append(_text(at + 22, 18, "gap", self.theme.text, "start", kind="ink"))
        return parts

    def _hover(self) -> str:
        """Per kept epoch: place, epoch, and each side's place and text; shares of width and height."""
        rows = []
        for i in self.kept:
            sides = [
                None
                if side[i] is None
                else [round(self.y(side[i]) / self.height, 4), value_text(side[i], self.pair.quantity)]
                for side in (self.pair.train, self.pair.val)
            ]
            if any(sides):
                gap = gap_text(self.pair.train[i], self.pair.val[i], self.pair.quantity, self.pair.higher_is_better)
                place = round(self.x(self.epochs[i]) / self.width, 4)
                rows.append([place, epoch_text(self.epochs[i]), *sides, gap])
        return json.dumps({"top": _TOP / self.height, "base": self.base / self.height, "rows": rows})


def describe_curves(diagnosis: Diagnosis, epochs: Sequence[float], pair: PairRecord) -> str:
    """The chart in words, for people who do not see it: first and last values, best epoch, onset."""
    sentences = []
    for word, side in (("training", pair.train), ("validation", pair.val)):
        there = [(e, v) for e, v in zip(epochs, side, strict=True) if v is not None]
        if there:
            ends = [f"{value_text(v, pair.quantity)} at epoch {epoch_text(e)}" for e, v in (there[0], there[-1])]
            sentences.append(f"{capital(word)} {quantity_name(pair.quantity)} goes from {ends[0]} to {ends[1]}.")
    if diagnosis.best_epoch is not None:
        sentences.append(f"The best epoch is {epoch_text(diagnosis.best_epoch)}.")
    if diagnosis.onset_epoch is not None:
        sentences.append(f"Overfitting starts at epoch {epoch_text(diagnosis.onset_epoch)}.")
    return " ".join(sentences)


def _text(x: float, y: float, text: str, colour: str, anchor: str, *, kind: str = "tick", turn: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}'
    return f'<text class="{kind}" {place} fill="{colour}">{escape(text)}</text>'


def _marker(kind: str, x: float, y: float, colour: str) -> str:
    """Validation ends in a disc, training in a square: the two can be told apart without colour."""
    if kind == "val":
        return f'<circle class="val-mark" cx="{x:.1f}" cy="{y:.1f}" r="{_MARKER}" fill="{colour}"/>'
    side = 2 * _MARKER - 0.4
    place = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
    return f'<rect class="train-mark" {place} fill="{colour}"/>'
