"""The table of judged runs: what needs attention first, sparklines, filter and search, a click opens."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from copilot.core.comparisons.document import Comparison
from copilot.core.comparisons.leaderboard import ORDERS, LeaderboardRow, Order
from copilot.core.findings import VERDICTS
from copilot.core.naming import is_fraction
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import cause_label, quantity_name, relative_time, verdict_label
from copilot.results import AnalysisResult
from copilot.utils.validators import clean_text

_ATTENTION = {"unstable": 0, "overfitting": 1, "underfitting": 2, "inconclusive": 3, "healthy": 4}


def counts(results: list[AnalysisResult]) -> None:
    """One card a verdict."""
    with st.container(horizontal=True, gap="small", key="verdict-counts"):
        for verdict in sorted(VERDICTS, key=_ATTENTION.get):
            style = VERDICT_STYLES[verdict]
            number = sum(r.diagnosis.verdict == verdict for r in results)
            st.metric(
                f":{style.streamlit}[:material/{style.icon}:] {verdict_label(verdict)}",
                number,
                border=True,
                width="stretch",
            )


def filters(results: list[AnalysisResult]) -> list[AnalysisResult]:
    """Pills by verdict and a search over names, ids, causes and findings."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    present = [v for v in sorted(VERDICTS, key=_ATTENTION.get) if any(r.diagnosis.verdict == v for r in results)]
    wanted = left.pills("Verdict", present, selection_mode="multi", format_func=verdict_label, key="verdict-filter")
    text = (
        right.text_input("Search", placeholder="Name, run id, cause", key="run-search", icon=":material/search:")
        .strip()
        .lower()
    )
    kept = [r for r in results if not wanted or r.diagnosis.verdict in wanted]
    return [r for r in kept if not text or text in _haystack(r)]


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
    """What was chosen in the table: the run whose cell was clicked, and the ticked ones."""

    opened: str | None
    ticked: list[AnalysisResult]


def run_table(results: list[AnalysisResult], board: Sequence[LeaderboardRow] = ()) -> Picked:
    """Draw the table: a click on a cell opens, ticks gather runs to compare.

    With a `board` its order and its values are shown, else what needs attention comes first.
    """
    rows = {row.run_id: row for row in board}
    places = {run_id: i for i, run_id in enumerate(rows)}
    ordered = sorted(
        results,
        key=lambda r: (
            places.get(r.subject.run_id, len(places)),
            _ATTENTION[r.diagnosis.verdict],
            -r.diagnosis.confidence,
        ),
    )
    frame = pd.DataFrame([_row(r) | _placed(rows.get(r.subject.run_id)) for r in ordered])
    frame = frame[["Rank", *frame.columns.drop("Rank")]] if "Rank" in frame else frame
    shown = frame.drop(columns=[c for c in ("Onset", "Gap", "Best") if frame[c].isna().all()])
    selected = st.dataframe(
        shown.style.apply(
            lambda _: [f"color: {_colour(r)}; font-weight: 600" for r in ordered], subset=["Verdict"]
        ).format("{:g}", subset=["Best epoch", *(c for c in ("Rank", "Onset") if c in shown)], na_rep=""),
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        column_config=_columns() | _board_columns(board),
        placeholder="",
        height=min(38 * (len(frame) + 1) + 2, 640),
        row_height=38,
        key=_table_key(ordered),
        alt="Runs with verdict, confidence, gap, best epoch, onset, validation curve and likely cause",
    ).selection
    opened = ordered[selected.cells[0][0]].subject.run_id if selected.cells else None
    return Picked(opened, [ordered[row] for row in selected.rows])


def _placed(row: LeaderboardRow | None) -> dict:
    """What the leaderboard says of a run: by one quantity for all, whatever the diagnosis followed."""
    if row is None:
        return {}
    times = 100 if is_fraction(row.quantity or "") else 1
    best, gap = (np.nan if v is None else v * times for v in (row.best_value, row.gap))
    return {"Rank": row.rank, "Best": best, "Best epoch": row.best_epoch, "Gap": gap}


def _board_columns(board: Sequence[LeaderboardRow]) -> dict:
    if not board:
        return {}
    c, quantity = st.column_config, board[0].quantity or ""
    share, name = is_fraction(quantity), quantity_name(quantity)
    return {
        "Likely cause": c.TextColumn(width=205),  # makes room for the rank
        "Rank": c.NumberColumn(width=60, help="Equal values share a rank."),
        "Best": c.NumberColumn(f"Best {name}", format="%.1f %%" if share else "%.4g", help="On validation."),
        "Gap": c.NumberColumn(
            format="%.1f pts" if share else "%.3g", width=85, help=f"Of {name}, at the best epoch; positive is worse."
        ),
    }


def _table_key(ordered: list[AnalysisResult]) -> str:
    """Changes with the rows: ticks are kept by position, and must not pass to other runs."""
    ids = " ".join(str(r.subject.run_id) for r in ordered)
    return f"runs-table-{zlib.crc32(ids.encode()):08x}"


def _colour(result: AnalysisResult) -> str:
    style = VERDICT_STYLES[result.diagnosis.verdict]
    return style.dark if st.context.theme.type == "dark" else style.light


def _haystack(result: AnalysisResult) -> str:
    d, s = result.diagnosis, result.subject
    return " ".join(map(str, (s.run_name, s.run_id, d.verdict, *(cause_label(c.cause) for c in d.causes)))).lower()


def _row(result: AnalysisResult) -> dict:
    d, subject, seen = result.diagnosis, result.subject, result.glance
    return {
        "Verdict": f"{VERDICT_STYLES[d.verdict].glyph} {verdict_label(d.verdict)}",
        "Run": clean_text(subject.run_name or subject.run_id, 60),
        "Confidence": round(d.confidence, 2),
        "Gap": np.nan if seen.gap is None else seen.gap * 100,
        "Best": np.nan if seen.best_value is None else seen.best_value,
        "Best epoch": d.best_epoch,
        "Onset": d.onset_epoch,
        "Validation curve": seen.curve,
        "Likely cause": "" if d.causes[0].cause == "none" else cause_label(d.causes[0].cause),
        "Finished": relative_time(subject.finished_at, datetime.now(UTC)) if subject.finished_at else "",
    }


def _columns() -> dict:
    c = st.column_config
    return {
        "Verdict": c.TextColumn(width=125),
        "Run": c.TextColumn(width=140, help="Click a cell to open its run."),
        "Confidence": c.ProgressColumn(format="percent", min_value=0.0, max_value=1.0, width=110),
        "Gap": c.NumberColumn(
            format="%.1f pts", width=80, help="Score gap between training and validation at the end, in points of 100."
        ),
        "Best": c.NumberColumn(format="%.3f", width=70, help="Validation value at the best epoch."),
        "Best epoch": c.NumberColumn(width=85),
        "Onset": c.NumberColumn(width=65, help="Epoch from which validation gets worse for good."),
        "Validation curve": c.LineChartColumn(width=130),
        "Likely cause": c.TextColumn(width=275),
        "Finished": c.TextColumn(width=95),
    }
