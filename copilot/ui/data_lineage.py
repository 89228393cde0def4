"""Where a run's data came from, which runs used which version, and what moved in the data between two runs."""

from __future__ import annotations

import base64
from collections import defaultdict
from html import escape

import streamlit as st

from copilot.core.lineage import DataChange, Lineage, MissingLink, RunsByVersion
from copilot.reporting.lineage_graph import lineage_svg
from copilot.reporting.palette import DARK, LIGHT
from copilot.ui import data_view, state
from copilot.ui.data_runs import run_field, run_names
from copilot.ui.notices import guard, notice, plain
from copilot.ui.pickers import no_store, pick_experiment
from copilot.utils.validators import clean_text

_KINDS = {
    "run": "Run",
    "input": "Logged data set",
    "code": "Commit",
    "stage": "Stage",
    "data": "Data",
    "version": "Data version",
    "remote": "Remote",
}
_MOST_NAMES = 8
_FITS = "display:block;max-width:max(100%,680px)"


def lineage() -> None:
    """The chain of a run, runs by version, and the change between two runs."""
    if not state.settings().mlflow.tracking_uri:
        no_store()
        return
    with st.container(horizontal=True, gap="small", key="lineage-pickers"):
        if pick_experiment() is None:
            notice("inbox", "No experiments yet", "Log a run with MLflow, or start `mlops-copilot demo`.")
            return
        run = run_field("Run", "lineage-run", "run")
    with guard("The lineage"):
        _of_run(run)
    with guard("The runs by version"):
        _by_version()
    with guard("The change between two runs"):
        _between(run)


def svg(drawing: str, told: str) -> None:
    """A drawing as a picture: as wide as there is room, on a phone scrolled sideways. `told` says what it shows."""
    data = base64.b64encode(drawing.encode()).decode()
    picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(clean_text(told, 600))}" style="{_FITS}">'
    st.html(f'<div style="overflow-x:auto">{picture}</div>')


def theme_colours():
    """The chart colours of the theme in use."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def missing(gaps: tuple[MissingLink, ...]) -> None:
    """What is not known, each with what to do about it."""
    for gap in gaps:
        with st.container(horizontal=True, gap="small", vertical_alignment="top"):
            st.markdown(":yellow[:material/link_off:]", width="content")
            st.markdown(f"**{plain(gap.what, 300)}** {plain(gap.hint, 400)}")


def _of_run(run: str | None) -> None:
    if run is None:
        notice(
            "account_tree",
            "Choose a run",
            "Its chain appears here: the data that it read, the version and remote of that data, and its commit.",
        )
        return
    found = _lineage(state.key(), run)
    st.markdown(f"**{plain(_first_sentence(found), 500)}**")
    # The gaps stand below in full; the drawing would cut them.
    svg(lineage_svg(found.model_copy(update={"missing": ()}), theme_colours()), found.summary)
    if any(link.certainty == "assumed" for link in found.links):
        st.caption("Dashed: it follows only if nothing was left uncommitted.")
    if found.missing:
        st.markdown(f"**{len(found.missing)} of its links {'is' if len(found.missing) == 1 else 'are'} not known**")
        missing(found.missing)
    with st.expander("All that is known"):
        rows = [
            {"What": _KINDS[node.kind], "Name": clean_text(node.label, 120), "Detail": name, "Value": value}
            for node in found.nodes
            for name, value in (node.facts or {"": ""}).items()
        ]
        st.dataframe(
            [{key: clean_text(value, 300) for key, value in row.items()} for row in rows],
            hide_index=True,
            key="lineage-facts",
            alt="Everything that is known of the chain",
        )


@st.cache_resource(ttl=state.FRESH_S, max_entries=32, show_spinner="Following the data back...")
def _lineage(key: tuple, run: str) -> Lineage:
    return state.analyzer().lineage(run)


def _first_sentence(found: Lineage) -> str:
    """The summary without the gaps, which are listed below it."""
    said = found.summary
    for gap in found.missing:
        said = said.replace(gap.what, "")
    return said.strip()


def _by_version() -> None:
    st.subheader("Runs by version of the data", anchor=False)
    experiment = state.experiment()
    if not experiment:
        return
    found = _runs_by_data(state.key(), experiment)
    names = run_names()
    if found.versions:
        st.markdown(plain(found.summary, 400))
        _versions_table(found, names)
    elif not found.unknown:
        st.caption("This experiment has no runs yet.")
    if found.unknown:
        _unknown(found, names)


@st.cache_resource(ttl=2 * state.FRESH_S, max_entries=8, show_spinner="Looking up the data of the runs...")
def _runs_by_data(key: tuple, experiment: str) -> RunsByVersion:
    return state.analyzer().runs_by_data(experiment)


def _versions_table(found: RunsByVersion, names: dict[str, str]) -> None:
    rows = [
        {
            "Version": clean_text(row.version.revision, 40),
            "Date": row.version.date,
            "Message": clean_text(row.version.message, 120),
            "Files": row.version.n_files,
            "How many": len(row.run_ids),
            "Runs": [names.get(run, clean_text(run, 12)) for run in row.run_ids],
        }
        for row in found.versions
    ]
    c = st.column_config
    st.dataframe(
        rows,
        hide_index=True,
        key="runs-by-version",
        placeholder="",
        column_config={
            "Version": c.TextColumn(width=120, pinned=True),
            "Date": c.DatetimeColumn(format="distance", width=110),
            "Message": c.TextColumn(width=260),
            "Files": c.NumberColumn(format="localized", width=80),
            "How many": c.NumberColumn(width=90),
            "Runs": c.ListColumn(width="large"),
        },
        alt="Versions of the data with the runs that used each",
    )


def _unknown(found: RunsByVersion, names: dict[str, str]) -> None:
    """Runs whose data is not known, by the reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for run, why in found.unknown.items():
        by_reason[why].append(names.get(run, clean_text(run, 12)))
    many = f"{len(found.unknown):,} {'run' if len(found.unknown) == 1 else 'runs'}"
    with st.expander(f"Of {many} the data is not known", icon=":material/link_off:"):
        for why, runs in by_reason.items():
            more = f" and {len(runs) - _MOST_NAMES:,} more" if len(runs) > _MOST_NAMES else ""
            st.markdown(f"**{plain(why, 300)}**  \n{plain(', '.join(runs[:_MOST_NAMES]), 400)}{more}")


def _between(run: str | None) -> None:
    st.subheader("Between two runs", anchor=False)
    if run is None:
        st.caption("Choose a run above first, then another one here.")
        return
    other = run_field("Compare its data with that of", "lineage-other", "other")
    if other is None:
        st.caption("What moved in the data from that run to this one: files, and images by class.")
        return
    if other == run:
        st.caption(":material/info: It is the same run. Choose another one.")
        return
    found = _change(state.key(), other, run)
    if found.comparison is not None:
        data_view.what_moved(found.comparison)
        data_view.class_charts(found.comparison)
    else:
        st.markdown(f"**{plain(found.summary, 500)}**")
    missing(found.missing)


@st.cache_resource(ttl=2 * state.FRESH_S, max_entries=16, show_spinner="Comparing the data of the two runs...")
def _change(key: tuple, run_a: str, run_b: str) -> DataChange:
    return state.analyzer().data_change(run_a, run_b)
