"""The table of judged runs: what needs attention first, sparklines, filter and search, a click opens."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from copilot.core.comparisons.document import Comparison
from copilot.core.comparisons.leaderboard import ORDERS, LeaderboardRow, Order
from copilot.core.naming import is_fraction
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import quantity_name, verdict_label
from copilot.ui.run_frame import ATTENTION, ID, NAME, chip, matching, ranked, shown

ROW, TALL = 38, 640  # pixels
MOST_ROWS = 15  # more are scrolled to


def counts(verdicts: Iterable[str]) -> None:
    """One card a verdict."""
    many = Counter(verdicts)
    with st.container(horizontal=True, gap="small", key="verdict-counts"):
        for verdict in ATTENTION:
            style = VERDICT_STYLES[verdict]
            label = f":{style.streamlit}[:material/{style.icon}:] {verdict_label(verdict)}"
            st.metric(label, f"{many[verdict]:,}", border=True, width="stretch")


def filters(frame: pd.DataFrame, compared: Comparison | None) -> tuple[pd.DataFrame, Order | None]:
    """Pills by verdict, the order, and a search over names, ids, verdicts and causes; the rows that are left."""
    left, middle, right = st.columns([4, 3.2, 3], vertical_alignment="top")
    there = set(frame["verdict"])
    present = [verdict for verdict in ATTENTION if verdict in there]
    wanted = left.pills("Verdict", present, selection_mode="multi", format_func=verdict_label, key="verdict-filter")
    with middle:
        order = pick_order(compared)
    text = right.text_input("Search", placeholder="Name, run id, cause", key="run-search", icon=":material/search:")
    return matching(frame, wanted, text), order


def pick_order(compared: Comparison | None) -> Order | None:
    """What the table is ordered by: None is what needs attention first."""
    if compared is None or compared.subject.quantity is None:
        return None
    best = f"Best {quantity_name(compared.subject.quantity)}"
    words = {"attention": "Needs attention", "best": best, "gap": "Smallest gap"}
    chosen = st.segmented_control(
        "Order", list(words), default="attention", required=True, format_func=words.get, key="run-order"
    )
    return chosen if chosen in ORDERS else None


class Picked(NamedTuple):
    """What was chosen in the table: the id of the run whose cell was clicked, and names by id of the ticked ones."""

    opened: str | None
    ticked: dict[str, str]


def run_table(frame: pd.DataFrame, board: Sequence[LeaderboardRow] = ()) -> Picked:
    """Draw the table: a click on a cell opens, ticks gather runs to compare.

    With a `board` its order and its values are shown, else what needs attention comes first.
    """
    rows = (ranked(frame, board) if board else frame).reset_index(drop=True)  # else the index is sent along
    # No Styler: it costs seconds for thousands of rows.
    selected = st.dataframe(
        shown(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        column_config=_columns() | _board_columns(board),
        placeholder="",
        height="content" if len(rows) <= MOST_ROWS else TALL,
        row_height=ROW,
        key=_table_key(rows[ID]),
        alt="Runs with verdict, confidence, gap, best epoch, onset, validation curve and likely cause",
    ).selection
    opened = rows[ID].iloc[selected.cells[0][0]] if selected.cells else None
    ticked = rows.iloc[list(selected.rows)]
    return Picked(opened, dict(zip(ticked[ID], ticked[NAME], strict=True)))


def _table_key(ids: Iterable[str]) -> str:
    """Changes with the rows: ticks are kept by position, and must not pass to other runs."""
    return f"runs-table-{zlib.crc32(' '.join(ids).encode()):08x}"


def _board_columns(board: Sequence[LeaderboardRow]) -> dict:
    if not board:
        return {}
    c, quantity = st.column_config, board[0].quantity or ""
    share, name = is_fraction(quantity), quantity_name(quantity)
    return {
        "Likely cause": c.TextColumn(width=205),  # makes room for the rank
        "Rank": c.NumberColumn(format="%d", width=60, help="Equal values share a rank."),
        "Best": c.NumberColumn(f"Best {name}", format="%.1f %%" if share else "%.4g", help="On validation."),
        "Gap": c.NumberColumn(
            format="%.1f pts" if share else "%.3g", width=85, help=f"Of {name}, at the best epoch; positive is worse."
        ),
    }


def verdict_column(width: int = 130) -> object:
    """A chip a verdict: glyph, word and colour."""
    colours = [VERDICT_STYLES[verdict].light for verdict in ATTENTION]  # also on dark: the words are white
    return st.column_config.MultiselectColumn(width=width, options=[chip(v) for v in ATTENTION], color=colours)


def _columns() -> dict:
    c = st.column_config
    return {
        "Verdict": verdict_column(),
        "Run": c.TextColumn(width=140, help="Click a cell to open its run."),
        "Confidence": c.ProgressColumn(format="percent", min_value=0.0, max_value=1.0, width=110),
        "Gap": c.NumberColumn(
            format="%.1f pts", width=80, help="Score gap between training and validation at the end, in points of 100."
        ),
        "Best": c.NumberColumn(format="%.3f", width=70, help="Validation value at the best epoch."),
        "Best epoch": c.NumberColumn(format="%.10g", width=85),
        "Onset": c.NumberColumn(format="%.10g", width=65, help="Epoch from which validation gets worse for good."),
        "Validation curve": c.LineChartColumn(width=130),
        "Likely cause": c.TextColumn(width=275),
        "Finished": c.DatetimeColumn(format="distance", width=105),
    }
