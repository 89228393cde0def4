"""One finished set of model checks against another: accuracies, then a table of findings, what changed first."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from copilot.core.findings import Analysis, Evidence
from copilot.jobs import Job
from copilot.reporting.palette import SEVERITY_STYLES, STATE_STYLES
from copilot.reporting.words import evidence_interval, evidence_value
from copilot.ui.model_checks_beside import Beside, beside, difference_in_words, measured
from copilot.ui.model_checks_models import checked_name, suite_name
from copilot.ui.notices import plain

GAPS = "OVF301"
_ACCURACIES = (
    ("train_accuracy", "Training accuracy", "off"),  # of itself neither good nor bad
    ("val_accuracy", "Validation accuracy", "normal"),
    ("accuracy_gap", "Gap", "inverse"),
)
_ASKED = (
    ("train", "training images"),
    ("test", "validation images"),
    ("suite", "suite"),
    ("probes", "probes"),
)
_WIDTHS = {
    "Finding": 190,
    "Change": 115,
    "Better or worse": 165,
    "Here": 125,
    "There": 125,
    "Number": 150,
    "Number here": 180,
    "Number there": 180,
}
_ROW_PX, _MOST_ROWS = 35, 16


def compared(job: Job, here: Analysis, other: Job, there: Analysis) -> None:
    """Draw the comparison of `job` with `other`, the older view of the matter."""
    ours, theirs = plain(checked_name(job), 80), plain(checked_name(other), 80)
    rows = beside(here, there)
    st.subheader("Compared", anchor=False)
    st.markdown(f"**{_in_words(rows)}** Here: {ours}. There: {theirs}.")
    if differing := _differently_asked(job, other):
        st.caption(
            f":material/info: They were asked differently: other {differing}. Read the numbers with that in mind."
        )
    _accuracies(here, there)
    if not rows:
        st.caption("Neither set has findings to compare.")
        return
    _table(rows)
    st.caption("Better and worse are told where a number has a direction; “maybe” where the intervals overlap.")


def _in_words(rows: list[Beside]) -> str:
    counts = {word: sum(row.change == word for row in rows) for word in ("new issue", "graver", "milder")}
    gone = sum(row.change == "no longer an issue" for row in rows)
    told = [f"{counts['new issue']} new"] if counts["new issue"] else []
    told += [f"{gone} no longer there"] if gone else []
    told += [f"{counts[word]} {word}" for word in ("graver", "milder") if counts[word]]
    return f"Issues: {', '.join(told)}." if told else "No issue came or went."


def _differently_asked(job: Job, other: Job) -> str:
    """In what the two differ beside the model, in words."""
    names = [words for name, words in _ASKED if _asked(job, name) != _asked(other, name)]
    return ", ".join(names)


def _asked(job: Job, name: str) -> Any:
    value = job.payload.get(name)
    return suite_name(str(value)) if name == "suite" and value else value


def _accuracies(here: Analysis, there: Analysis) -> None:
    pairs = [(measured(here, GAPS, n), measured(there, GAPS, n), label, colour) for n, label, colour in _ACCURACIES]
    pairs = [pair for pair in pairs if pair[0] or pair[1]]
    if not pairs:
        st.caption("Accuracies: the probe of class gaps ran on neither of them.")
        return
    with st.container(horizontal=True, gap="small", key="check-accuracies"):
        for ours, theirs, label, colour in pairs:
            _accuracy(label, ours, theirs, colour)


def _accuracy(label: str, ours: Evidence | None, theirs: Evidence | None, colour: Any) -> None:
    delta = difference_in_words(ours, theirs) if ours and theirs else None
    between = "; ".join(
        f"{who}: {evidence_value(e)}{f', {evidence_interval(e)}' if evidence_interval(e) else ''}"
        for who, e in (("here", ours), ("there", theirs))
        if e
    )
    st.metric(
        label,
        evidence_value(ours) if ours else "not measured",
        delta.replace("−", "-") if delta else None,  # Streamlit's arrow goes by the sign
        delta_color=colour,
        delta_description=f"against {evidence_value(theirs)}" if theirs else "there: not measured",
        help=plain(between, 300),
        border=True,
        width=220,
    )


def _table(rows: list[Beside]) -> None:
    frame = pd.DataFrame([_cells(row) for row in rows])
    dark = st.context.theme.type == "dark"
    good, bad = STATE_STYLES["passed"], SEVERITY_STYLES["high"]
    colours = [_colour(row, good, bad, dark) for row in rows]
    styled = frame.style.apply(lambda _: colours, subset=["Better or worse"])
    st.dataframe(
        styled,
        hide_index=True,
        column_config={
            name: st.column_config.TextColumn(width=width, pinned=name == "Finding") for name, width in _WIDTHS.items()
        },
        placeholder="",
        height="content" if len(rows) <= _MOST_ROWS else _ROW_PX * (_MOST_ROWS + 1),
        key="checks-beside",
        alt="Findings of both sets of checks with their states, main numbers and changes",
    )


def _cells(row: Beside) -> dict[str, str]:
    values = (
        f"{row.code} {row.title}",
        "" if row.change == "same" else row.change,
        _direction(row),
        row.here,
        row.there,
        row.number,
        row.number_here,
        row.number_there,
    )
    return dict(zip(_WIDTHS, values, strict=True))


def _direction(row: Beside) -> str:
    if row.better is None:
        return row.difference
    word = "better" if row.better else "worse"
    return f"{'▲' if row.better else '▼'} {'' if row.sure else 'maybe '}{word} {row.difference}"


def _colour(row: Beside, good: Any, bad: Any, dark: bool) -> str:
    if row.better is None or not row.sure:
        return ""
    style = good if row.better else bad
    return f"color: {style.dark if dark else style.light}; font-weight: 600"
