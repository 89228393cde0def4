"""The judged runs as a frame: what the table shows, and what it is filtered and ordered by. Made once a scan."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from copilot.core.comparisons.leaderboard import LeaderboardRow
from copilot.core.naming import is_fraction
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import cause_label, verdict_label
from copilot.results import AnalysisResult
from copilot.utils.validators import clean_text

ATTENTION = ("unstable", "overfitting", "underfitting", "inconclusive", "healthy")  # the first needs it most
ID, NAME = "id", "Run"
_HIDDEN = (ID, "verdict", "text")
_OFTEN_EMPTY = ("Onset", "Gap", "Best")


def chip(verdict: str) -> str:
    """A verdict as the table has it: glyph and word."""
    return f"{VERDICT_STYLES[verdict].glyph} {verdict_label(verdict)}"


def run_frame(results: Sequence[AnalysisResult]) -> pd.DataFrame:
    """A row a run, what needs attention first: the table's columns, and id, verdict and text to search."""
    frame = pd.DataFrame([_row(r) for r in results])
    if frame.empty:
        return frame
    frame["Finished"] = pd.to_datetime(frame["Finished"], utc=True, errors="coerce", format="ISO8601")
    order = frame["verdict"].map(ATTENTION.index)
    return frame.iloc[np.lexsort((-frame["Confidence"], order))].reset_index(drop=True)


def matching(frame: pd.DataFrame, verdicts: Collection[str], text: str) -> pd.DataFrame:
    """The rows with one of the verdicts (none: any) and with the text in name, id, verdict or causes."""
    wanted = text.strip().lower()
    kept = frame["verdict"].isin(list(verdicts)) if verdicts else pd.Series(True, index=frame.index)
    return frame[kept & frame["text"].str.contains(wanted, regex=False)] if wanted else frame[kept]


def ranked(frame: pd.DataFrame, board: Sequence[LeaderboardRow]) -> pd.DataFrame:
    """The rows in the leaderboard's order with its values: by one quantity for all, whatever a diagnosis followed."""
    times = 100 if board and is_fraction(board[0].quantity or "") else 1
    columns = ("Rank", "Best", "Best epoch", "Gap")
    values = pd.DataFrame(
        [(row.rank, row.best_value, row.best_epoch, row.gap) for row in board],
        columns=columns,
        index=[row.run_id for row in board],
        dtype=float,
    )
    values[["Best", "Gap"]] *= times
    places = dict(zip(values.index, range(len(values)), strict=True))
    ordered = frame.iloc[np.argsort(frame[ID].map(places).fillna(len(places)), kind="stable")]
    own = values.reindex(ordered[ID]).set_axis(ordered.index)
    ordered = ordered.assign(**{name: own[name] for name in columns})
    return ordered[["Rank", *ordered.columns.drop("Rank")]]


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """What the table shows of the rows: without columns that are empty."""
    empty = [c for c in _OFTEN_EMPTY if frame[c].isna().all()]
    return frame.drop(columns=[*_HIDDEN, *empty])


def _row(result: AnalysisResult) -> dict:
    d, subject, seen = result.diagnosis, result.subject, result.glance
    name, causes = clean_text(subject.run_name or subject.run_id, 60), [cause_label(c.cause) for c in d.causes]
    return {
        ID: str(subject.run_id),
        "verdict": d.verdict,
        "text": " ".join((str(subject.run_name), str(subject.run_id), d.verdict, *causes)).lower(),
        "Verdict": [chip(d.verdict)],
        NAME: name,
        "Confidence": round(d.confidence, 2),
        "Gap": np.nan if seen.gap is None else seen.gap * 100,
        "Best": np.nan if seen.best_value is None else seen.best_value,
        "Best epoch": np.nan if d.best_epoch is None else float(d.best_epoch),
        "Onset": np.nan if d.onset_epoch is None else float(d.onset_epoch),
        "Validation curve": np.asarray(seen.curve, np.float32),  # half of what is sent to the browser
        "Likely cause": "" if d.causes[0].cause == "none" else causes[0],
        "Finished": subject.finished_at,
    }
