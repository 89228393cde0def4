"""Colours, icons and glyphs, one table for dashboard, reports and terminal. Never colour alone: each has a word too.

The hues follow the colour-blind-safe palette of B. Wong (Nature Methods 8, 2011), darkened or lightened for contrast.
"""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """How one verdict, state or severity looks: Material icon, text glyph, colours, Streamlit's and Rich's colour names."""

    icon: str
    glyph: str
    light: str
    dark: str
    streamlit: str
    rich: str


_RED = ("#b3261e", "#ff8a80")
_ORANGE = ("#a4520a", "#ffb068")
_BLUE = ("#1f5fbf", "#8ab4ff")
_GREEN = ("#0b6b50", "#63d3ae")
_GRAY = ("#5b6475", "#a9b2c3")
_VIOLET = ("#7a3e9d", "#d3a3ef")

VERDICT_STYLES: dict[str, Style] = {
    "overfitting": Style("trending_up", "▲", *_RED, "red", "red"),
    "unstable": Style("bolt", "◆", *_ORANGE, "orange", "yellow"),
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
    "error": Style("report", "◆", *_ORANGE, "orange", "yellow"),
}
SEVERITY_STYLES: dict[str, Style] = {
    "high": Style("error", "▲", *_RED, "red", "red"),
    "medium": Style("warning", "◆", *_ORANGE, "orange", "yellow"),
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
    grid: str
    paper: str


LIGHT = ChartColours("#2457c5", "#c2570c", "#0b6b50", "#b3261e", "#1c2333", "#dde1ea", "#ffffff")
DARK = ChartColours("#7ea6ff", "#ff9d5c", "#63d3ae", "#ff8a80", "#e7eaf1", "#313a4e", "#12161f")
