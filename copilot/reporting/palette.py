"""Colours, icons and glyphs, one table for dashboard, reports and terminal. Never colour alone: each has a word too.

Hues and lightness were chosen so that verdicts stay apart under protanopia, deuteranopia and tritanopia (simulated as
in G. Machado et al., IEEE TVCG 15, 2009) and reach a contrast of 4.5 to 1 on the page. The tests measure both.
"""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """How one verdict, state or severity looks: Material icon, text glyph, colours, names of Streamlit's and Rich's."""

    icon: str
    glyph: str
    light: str
    dark: str
    streamlit: str
    rich: str


_RED = ("#a3141f", "#ff7b6e")
_AMBER = ("#976b00", "#f5cb52")
_VIOLET = ("#7034c4", "#bf90ff")
_GRAY = ("#6a7282", "#8d95a5")
_GREEN = ("#005f52", "#4fe0c0")
_BLUE = ("#1f5fbf", "#8ab4ff")

VERDICT_STYLES: dict[str, Style] = {
    "overfitting": Style("trending_up", "▲", *_RED, "red", "red"),
    "unstable": Style("bolt", "◆", *_AMBER, "yellow", "yellow"),
    "underfitting": Style("trending_down", "▼", *_VIOLET, "violet", "magenta"),
    "inconclusive": Style("help", "○", *_GRAY, "gray", "bright_black"),
    "healthy": Style("check_circle", "●", *_GREEN, "green", "green"),
}
STATE_STYLES: dict[str, Style] = {
    "issue": Style("error", "▲", *_RED, "red", "red"),
    "passed": Style("check_circle", "●", *_GREEN, "green", "green"),
    "not_applicable": Style("remove", "–", *_GRAY, "gray", "bright_black"),
    "skipped": Style("skip_next", "–", *_GRAY, "gray", "bright_black"),
    "ignored": Style("notifications_off", "–", *_GRAY, "gray", "bright_black"),
    "error": Style("report", "◆", *_AMBER, "yellow", "yellow"),
}
SEVERITY_STYLES: dict[str, Style] = {
    "high": Style("error", "▲", *_RED, "red", "red"),
    "medium": Style("warning", "◆", *_AMBER, "yellow", "yellow"),
    "low": Style("info", "○", *_BLUE, "blue", "blue"),
    "none": Style("check_circle", "●", *_GREEN, "green", "green"),
}


class ChartColours(NamedTuple):
    """Fixed colours of curves: the same split has the same colour everywhere."""

    train: str
    val: str
    best: str
    onset: str
    text: str
    muted: str
    grid: str
    paper: str


LIGHT = ChartColours("#2457c5", "#c2570c", _GREEN[0], _RED[0], "#1c2333", "#566076", "#dde1ea", "#ffffff")
DARK = ChartColours("#7ea6ff", "#ff9d5c", _GREEN[1], _RED[1], "#e7eaf1", "#a9b2c3", "#313a4e", "#12161f")


class RunMark(NamedTuple):
    """How one of several runs is told from the others: a colour, Plotly's symbol and the glyph that looks like it."""

    light: str
    dark: str
    symbol: str
    glyph: str


# Found by a search for hues that stay 25 apart (in CIELAB) for every eye, and 3 to 1 from the page.
_RUN_HUES = (
    ("#0a3ee5", "#717bfb"),
    ("#f56600", "#f06e36"),
    ("#00a06c", "#13ed91"),
    ("#a666e7", "#c5a3ff"),
    ("#674a00", "#f2d52e"),
    ("#4b357b", "#fffff3"),
    ("#c570ae", "#e18cba"),
    ("#7a033a", "#924a89"),
)
_RUN_SYMBOLS = (
    ("circle", "●"),
    ("square", "■"),
    ("triangle-up", "▲"),
    ("diamond", "◆"),
    ("triangle-down", "▼"),
    ("star", "★"),
    ("cross", "✚"),
)


def run_mark(position: int) -> RunMark:
    """The mark of the run at this place among the compared ones; the first 56 differ."""
    return RunMark(*_RUN_HUES[position % len(_RUN_HUES)], *_RUN_SYMBOLS[position % len(_RUN_SYMBOLS)])
