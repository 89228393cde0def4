"""The parts of the Compare page: curves over each other, what each run reached, where the runs differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from copilot.core.comparisons.document import (
    ComparedRun,
    Comparison,
    Differences,
    Extremes,
    QuantityBeside,
    SideBySide,
)
from copilot.core.comparisons.leaderboard import ORDERS, leaderboard
from copilot.core.naming import is_fraction
from copilot.reporting.comparison_charts import LEGEND_UP_TO, overlay_figure, setting_figure
from copilot.reporting.palette import VERDICT_STYLES, run_mark
from copilot.reporting.parallel_chart import MAX_SETTINGS, parallel_figure
from copilot.reporting.words import (
    difference_text,
    duration_text,
    epoch_text,
    quantity_name,
    value_text,
    verdict_label,
)
from copilot.ui.notices import plain

_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"], "responsive": True}
_CLEAR_UP_TO = 6  # runs up to which training curves do not hide those of validation
_MOST_ROWS = 14  # of a table; more are scrolled to
_TALL = 520  # pixels
_POINTS_FROM = 5  # runs from which a setting is drawn against what came of it


def headline(found: Comparison) -> None:
    """The answer first: which run is the best, and which has the smallest gap."""
    beside, quantity = found.side_by_side, found.subject.quantity
    labels = dict(zip((r.run_id for r in found.runs), beside.labels, strict=True))
    by_best, by_gap = (leaderboard(found, by)[0] for by in ORDERS)
    if quantity is None or by_best.best_value is None:
        st.markdown("**None of these runs validated a metric that they could be compared by.**")
        return
    value, name = value_text(by_best.best_value, quantity), plain(quantity_name(quantity))
    text = f"**{plain(labels[by_best.run_id])} reaches the best validation {name}: {value}** at epoch "
    text += f"{epoch_text(by_best.best_epoch)}."
    if by_gap.gap is not None:
        smallest = "It also has" if by_gap.run_id == by_best.run_id else f"{plain(labels[by_gap.run_id])} has"
        text += f" {smallest} the smallest gap to training: {difference_text(by_gap.gap, quantity)}."
    st.markdown(text.replace(" %", "\u00a0%"))


def pick_quantity(beside: SideBySide) -> QuantityBeside:
    """Choose one of the quantities, of which there must be one; that of the comparison stands first."""
    if len(beside.quantities) == 1:
        return beside.quantities[0]
    names = [q.quantity for q in beside.quantities]
    chosen = st.selectbox("Metric", names, format_func=quantity_name, key="compare-quantity", width=200)
    return next(q for q in beside.quantities if q.quantity == chosen)


def curves(beside: SideBySide, quantity: QuantityBeside) -> None:
    """The curves of all runs in one chart."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        training = st.toggle(
            "Training curves", value=len(beside.labels) <= _CLEAR_UP_TO, key="compare-training", help="Thin and dotted."
        )
        log_scale = st.toggle("Log scale", key="compare-log")
    name = quantity_name(quantity.quantity)
    if not any(run.val_values or (training and run.train_values) for run in quantity.runs):
        st.caption(f"No run has a validation curve of {plain(name)}. Training curves show what there is.")
        return
    dark = st.context.theme.type == "dark"
    figure = overlay_figure(beside, quantity, training=training, log_scale=log_scale, dark=dark)
    figure.update_layout(height=440)
    st.plotly_chart(figure, config=_CONFIG, key="compare-curves", alt=f"{name} of {len(beside.labels)} runs")
    legend = "" if len(beside.labels) <= LEGEND_UP_TO else "The table below names the marks. "
    lines = f"{legend}Solid: validation, its best value marked." + (" Dotted: training." if training else "")
    st.caption(f"{lines}{' Values between logged ones are interpolated.' if quantity.interpolated else ''}")
    if beside.off_axis:
        with st.expander(f"{len(beside.off_axis)} not on this axis", icon=":material/info:"):
            for label, reason in beside.off_axis.items():
                st.markdown(f"- {plain(label)}: {plain(reason)}")


def reached(found: Comparison, quantity: QuantityBeside) -> str | None:
    """What each run reached, a row a run, with the mark that it has in the chart; the run that was clicked."""
    beside, dark = found.side_by_side, st.context.theme.type == "dark"
    marks = [run_mark(i) for i in range(len(beside.labels))]
    frame = pd.DataFrame([_row(found, run, i, quantity, beside) for i, run in enumerate(found.runs)])
    frame = frame.drop(columns=[c for c in frame if c not in ("Mark", "Run") and frame[c].isna().all()])
    colours = [f"color: {m.dark if dark else m.light}; font-weight: 700" for m in marks]
    styled = frame.style.apply(lambda _: colours, subset=["Mark"])
    if "Verdict" in frame:
        verdicts = [VERDICT_STYLES.get(run.verdict or "") for run in found.runs]
        words = [f"color: {v.dark if dark else v.light}; font-weight: 600" if v else "" for v in verdicts]
        styled = styled.apply(lambda _: words, subset=["Verdict"])
    clicked = st.dataframe(
        styled,
        hide_index=True,
        column_config=_columns(quantity, beside.unit),
        placeholder="",
        on_select="rerun",
        selection_mode="single-cell",
        height=_height(len(frame)),
        key="compare-reached",
        alt="Compared runs with verdict, best and last values, and gaps",
    ).selection.cells
    return found.runs[clicked[0][0]].run_id if clicked else None


def _height(rows: int) -> int | str:
    return "content" if rows <= _MOST_ROWS else _TALL


def _row(found: Comparison, run: ComparedRun, i: int, quantity: QuantityBeside, beside: SideBySide) -> dict:
    curves, times = quantity.runs[i], 100 if is_fraction(quantity.quantity) else 1
    base = " (baseline)" if run.run_id == found.subject.baseline else ""
    style = VERDICT_STYLES.get(run.verdict or "")
    return {
        "Mark": run_mark(i).glyph,
        "Run": beside.labels[i] + base,
        "Verdict": f"{style.glyph} {verdict_label(run.verdict)}" if style else None,
        "Best": _scaled(_value(curves.val_values, "best"), times),
        "At": _at(curves.best_at, beside.unit),
        "Last": _scaled(_value(curves.val_values, "last"), times),
        "Last train": _scaled(_value(curves.train_values, "last"), times),
        "Gap at best": _scaled(curves.gap_at_best, times),
        "Gap at end": _scaled(curves.gap_at_end, times),
    }


def _value(found: Extremes | None, name: str) -> float | None:
    return getattr(found, name) if found else None


def _scaled(value: float | None, times: int) -> float:
    return np.nan if value is None else value * times


def _at(place: float | None, unit: str) -> float | str | None:
    return place if place is None or unit != "s" else duration_text(place)


def _columns(quantity: QuantityBeside, unit: str) -> dict:
    c, share = st.column_config, is_fraction(quantity.quantity)
    value, gap = ("%.1f %%", "%.1f pts") if share else ("%.4g", "%.3g")
    better = "highest" if quantity.higher_is_better else "lowest"
    at = {"epoch": "Best epoch", "step": "Best step", "s": "Best after"}[unit]
    return {
        "Mark": c.TextColumn("", width=36, help="As in the chart."),
        "Run": c.TextColumn(width=190, help="Click a cell to open its run."),
        "Verdict": c.TextColumn(width=125),
        "Best": c.NumberColumn("Best validation", format=value, help=f"The {better} validation value."),
        "At": c.TextColumn(at) if unit == "s" else c.NumberColumn(at, format="%.10g"),
        "Last": c.NumberColumn("Last validation", format=value),
        "Last train": c.NumberColumn("Last training", format=value),
        "Gap at best": c.NumberColumn(format=gap, help="Validation against training there; positive is worse."),
        "Gap at end": c.NumberColumn(format=gap, help="The same over the last tenth of training."),
    }


def differing(beside: SideBySide) -> None:
    """Parameters, data and tags that are not the same in all runs, then those that are, folded."""
    st.subheader("What differs", anchor=False)
    parts = (("", beside.params), ("Data: ", beside.datasets), ("Tag: ", beside.tags))
    rows = [(f"{kind}{d.name}", d.values, d.identifies) for kind, found in parts for d in found.differ]
    rows.sort(key=lambda row: row[2])
    if rows:
        _settings(rows, beside.labels)
    else:
        st.caption("The runs logged the same parameters, data and tags.")
    left_out = sum(found.left_out for _, found in parts)
    if left_out:
        st.caption(f"{left_out} more names are not shown.")
    _same(parts)


def _settings(rows: Sequence[tuple[str, tuple[str | None, ...], bool]], labels: Sequence[str]) -> None:
    table = [{"name": name, **{f"run {i}": v for i, v in enumerate(values)}} for name, values, _ in rows]
    config = {f"run {i}": st.column_config.TextColumn(label, width=150) for i, label in enumerate(labels)}
    config["name"] = st.column_config.TextColumn("Setting", width=170, pinned=True)
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        column_config=config,
        placeholder="",
        height=_height(len(rows)),
        key="compare-settings",
        alt="Settings that differ between the runs",
    )


def _same(parts: Sequence[tuple[str, Differences]]) -> None:
    rows = [{"Setting": f"{kind}{name}", "Value": v} for kind, found in parts for name, v in found.same.items()]
    if rows:
        with st.expander(f"{len(rows)} the same in all runs"):
            st.dataframe(rows, hide_index=True, key="compare-same", alt="Settings that all runs share")


def against(beside: SideBySide, quantity: QuantityBeside) -> None:
    """A parameter against the best value and the gap, from five runs on."""
    settings = [d for d in beside.params.differ if not d.identifies and len(set(d.values) - {None}) > 1]
    names = [
        d.name for d in sorted(settings, key=lambda d: -min(len(set(d.values) - {None}), 3))
    ]  # points over columns
    if len(beside.labels) < _POINTS_FROM or not names or not any(run.val_values for run in quantity.runs):
        return
    st.subheader("What came of it", anchor=False)
    if len(names) > 1:
        _parallel(beside, quantity, names)
    setting = st.selectbox("Parameter", names, key="compare-setting", width=260)
    dark = st.context.theme.type == "dark"
    kinds = ["best", *(["gap"] if any(run.gap_at_best is not None for run in quantity.runs) else [])]
    for column, by in zip(st.columns(len(kinds)), kinds, strict=True):
        with column:
            figure = setting_figure(beside, quantity, setting, by, dark=dark)
            figure.update_layout(height=300)
            what = "Gap" if by == "gap" else "Best value"
            st.plotly_chart(figure, config=_CONFIG, key=f"compare-by-{by}", alt=f"{what} against {setting}")


def _parallel(beside: SideBySide, quantity: QuantityBeside, names: Sequence[str]) -> None:
    figure = parallel_figure(beside, quantity, names, dark=st.context.theme.type == "dark")
    figure.update_layout(height=380)
    with st.container(key="parallel"):  # scrolled sideways on a phone
        st.plotly_chart(
            figure,
            config=_CONFIG | {"displayModeBar": False},
            key="compare-parallel",
            alt="Parameters of each run with its best value and gap",
        )
    left = f" {len(names) - MAX_SETTINGS} more parameters differ." if len(names) > MAX_SETTINGS else ""
    st.caption(f"A line is a run, with the mark of the table above. At the right, higher is better.{left}")
