"""The parts of the Models page: what the versions say, a line over them, a row a version."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd
import streamlit as st

from copilot.core.comparisons.document import Comparison, VersionRow
from copilot.core.naming import is_fraction
from copilot.reporting.version_chart import versions_figure
from copilot.reporting.words import quantity_name
from copilot.ui.notices import plain
from copilot.ui.run_frame import chip
from copilot.ui.run_table import MOST_ROWS, ROW, TALL, Picked, verdict_column
from copilot.utils.validators import clean_text

_CONFIG = {"displaylogo": False, "displayModeBar": False, "responsive": True}
_TOLD = 3  # versions that got worse
_JUDGED = {True: "▼ worse", False: "● no worse", None: ""}


def pick_model(names: list[str]) -> str:
    """The model in the address, else the first; a picker where the store has several."""
    named = st.query_params.get("model")
    index = names.index(named) if named in names else 0
    chosen = st.selectbox("Model", names, index=index, format_func=clean_text, key="model-picker", width=320)
    if chosen != named:
        st.query_params["model"] = chosen
    return chosen


def headline(found: Comparison) -> None:
    """The answer first: how many versions, the best one, and which got worse."""
    st.markdown(f"**{plain(found.model_history.summary, 600)}**".replace(" %", "\u00a0%"))


def line(found: Comparison) -> None:
    """The best value over the versions, from two of them on."""
    history, quantity = found.model_history, found.subject.quantity
    if quantity is None or sum(row.best_value is not None for row in history.versions) < 2:
        return
    figure = versions_figure(history, quantity, dark=st.context.theme.type == "dark")
    figure.update_layout(height=300)
    st.plotly_chart(figure, config=_CONFIG, key="versions-line", alt=f"Best {quantity_name(quantity)} by version")
    better = "Higher" if found.subject.higher_is_better else "Lower"
    worse = " Triangle: got worse beyond the noise." if any(row.worse for row in history.versions) else ""
    st.caption(f"{better} is better. Star: the best version.{worse}")


def versions_table(found: Comparison) -> Picked:
    """A row a version, the newest first: a click opens its run, ticks gather versions to compare."""
    history, quantity = found.model_history, found.subject.quantity or ""
    rows = list(reversed(history.versions))
    frame = pd.DataFrame([_row(row, quantity, history.best) for row in rows])
    frame = frame.drop(columns=[c for c in frame if c not in ("Version", "Run") and frame[c].map(_is_empty).all()])
    selected = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        column_config=_columns(quantity),
        placeholder="",
        row_height=ROW,
        height="content" if len(rows) <= MOST_ROWS else TALL,
        key=f"versions-{zlib.crc32(f'{history.model} {len(rows)}'.encode()):08x}",
        alt="Versions with stage, verdict, best value, gap, change, and whether they got worse",
    ).selection
    opened = rows[selected.cells[0][0]].run_id if selected.cells else None
    ticked = [rows[i] for i in selected.rows]
    return Picked(opened, {row.run_id: f"Version {row.version}" for row in ticked if row.run_id})


def sentences(found: Comparison) -> None:
    """What is said of single versions, the newest first: the last ones that got worse, the rest folded."""
    rows = list(reversed(found.model_history.versions))
    worse = [row for row in rows if row.worse]
    for row in worse[:_TOLD]:
        st.markdown(f":red[:material/trending_down:] {_spaced(row.sentence)}")
    told = {row.version for row in worse[:_TOLD]}
    rest = [(row, row.reason or row.sentence) for row in rows if row.version not in told]
    rest = [(row, text) for row, text in rest if text]
    if rest:
        label = "About the other versions" if told else "About the versions"
        with st.expander(label, icon=":material/info:", expanded=not any(row.best_value for row in rows)):
            for row, text in rest:
                st.markdown(f"- Version {plain(row.version)}: {_spaced(text)}")


def _spaced(text: str) -> str:
    return plain(text, 600).replace(" %", "\u00a0%")


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value == [] or (isinstance(value, float) and np.isnan(value))


def _row(row: VersionRow, quantity: str, best: str | None) -> dict:
    times = 100 if is_fraction(quantity) else 1
    named = [row.stage, *(f"@{alias}" for alias in row.aliases)]

    def scaled(value: float | None) -> float:
        return np.nan if value is None else value * times

    return {
        "Version": row.version,
        "Stage": ", ".join(clean_text(name, 40) for name in named if name),
        "Run": clean_text(row.run_name or row.run_id or "", 60),
        "Verdict": [chip(row.verdict)] if row.verdict else [],
        "Best": scaled(row.best_value),
        "Best epoch": np.nan if row.best_epoch is None else float(row.best_epoch),
        "Gap": scaled(row.gap),
        "Change": scaled(row.change),
        "To the best": np.nan if row.version == best else scaled(row.change_to_best),
        "Judged": "★ the best" if row.version == best else _JUDGED[row.worse],
    }


def _columns(quantity: str) -> dict:
    c, share, name = st.column_config, is_fraction(quantity), quantity_name(quantity)
    value, difference = ("%.1f %%", "%+.1f pts") if share else ("%.4g", "%+.3g")
    gap = "%.1f pts" if share else "%.3g"
    return {
        "Version": c.TextColumn(width=75),
        "Stage": c.TextColumn("Stage, aliases", width=150),
        "Run": c.TextColumn(width=190, help="Click a cell to open its run."),
        "Verdict": verdict_column(),
        "Best": c.NumberColumn(f"Best {name}".strip(), format=value, help="The best validation value."),
        "Best epoch": c.NumberColumn(format="%.10g", width=85),
        "Gap": c.NumberColumn(format=gap, width=85, help="Validation against training there; positive is worse."),
        "Change": c.NumberColumn(format=difference, width=90, help="Against the version before."),
        "To the best": c.NumberColumn(format=difference, width=95, help="Against the best version."),
        "Judged": c.TextColumn(width=110, help="Against the version before: worse beyond the noise, or not."),
    }
