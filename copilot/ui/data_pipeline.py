"""The DVC pipeline of a revision, and its parameters and metrics over revisions."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from copilot.core.pipelines import Pipeline, Value, ValueRow, ValueTable
from copilot.errors import CopilotError
from copilot.reporting.lineage_graph import pipeline_svg
from copilot.ui import data_view, state
from copilot.ui.data_lineage import svg, theme_colours
from copilot.ui.notices import guard, notice, plain
from copilot.utils.validators import clean_text

HEAD = "HEAD"
_REV, _REVS = "rev", "revs"
_FIRST, _MOST = 5, 20
_TITLES = {"params": "Parameters", "metrics": "Metrics"}


def pipeline() -> None:
    """The stages of a revision, and what differs between revisions."""
    known = _revisions()
    with guard("The pipeline"):
        _stages(_pick_revision(known))
    with guard("Parameters and metrics"):
        _values(known)


def _revisions() -> list[str]:
    """Versions of the data where a path is set; none otherwise, since others can be typed."""
    if not state.settings().dvc.data_path:
        return []
    try:
        return [version.revision for version in data_view.versions()]
    except CopilotError:  # the guards below tell what is wrong with the project
        return []


def _pick_revision(known: list[str]) -> str:
    asked = st.query_params.get(_REV) or HEAD
    options = list(dict.fromkeys([HEAD, *known, asked]))
    chosen = st.selectbox(
        "Revision",
        options,
        index=options.index(asked),
        format_func=_revision_name,
        accept_new_options=True,
        help="A tag, branch or commit; you can type one.",
        key="pipeline-rev",
        width=320,
    )
    chosen = (chosen or HEAD).strip()
    if chosen != asked:
        st.query_params[_REV] = chosen
    return chosen


def _revision_name(rev: str) -> str:
    return "HEAD (what is checked out)" if rev == HEAD else clean_text(rev, 60)


def _stages(rev: str) -> None:
    found = _pipeline(state.key(), rev)
    if not found.stages:
        notice(
            "account_tree",
            "Nothing is tracked in this revision",
            "Track the images with `dvc add`, or write the steps into `dvc.yaml`; then they appear here.",
            key="no-stages",
        )
    else:
        st.markdown(f"**{plain(_told(found), 200)}**")
        svg(pipeline_svg(found.model_copy(update={"notes": ()}), theme_colours()), _told(found))
        if not any(stage.kind == "stage" for stage in found.stages):
            st.caption("No stages yet: `dvc.yaml` would hold the steps from the data to the model.")
    for note in found.notes:
        st.caption(f":material/info: {plain(note, 300)}")
    if found.stages:
        _stage_table(found)


def _told(found: Pipeline) -> str:
    """How many stages and data sets there are."""
    steps = sum(stage.kind == "stage" for stage in found.stages)
    data = len(found.stages) - steps
    told = [f"{steps} {'stage' if steps == 1 else 'stages'}"] if steps else []
    told += [f"{data} tracked {'data set' if data == 1 else 'data sets'}"] if data else []
    return f"{' and '.join(told)} at {found.revision}"


@st.cache_resource(ttl=2 * state.FRESH_S, max_entries=16, show_spinner="Reading the pipeline...")
def _pipeline(key: tuple, rev: str) -> Pipeline:
    return state.analyzer().pipeline(rev)


def _stage_table(found: Pipeline) -> None:
    with st.expander("Stages in the order in which they run"):
        rows = [
            {
                "Stage": stage.name,
                "Command or source": stage.command or stage.source or "",
                "Reads": ", ".join(dep.path for dep in stage.deps),
                "Makes": ", ".join(out.path for out in stage.outs),
                "State": ", ".join([*(["frozen"] * stage.frozen), "has run" if stage.recorded else "has not run"]),
                "Defined in": stage.defined_in,
            }
            for stage in found.stages
        ]
        st.dataframe(
            [{name: clean_text(value, 300) for name, value in row.items()} for row in rows],
            hide_index=True,
            key="stage-table",
            alt="Stages with command, inputs and outputs",
        )


def _values(known: list[str]) -> None:
    st.subheader("Parameters and metrics over revisions", anchor=False)
    revs = _pick_revisions(known)
    if not revs:
        st.caption("Choose revisions: tags, branches or commits.")
        return
    tables = [_across(state.key(), tuple(revs), kind == "metrics") for kind in _TITLES]
    if not any(table.rows or table.notes for table in tables):
        st.caption(
            ":material/info: These revisions have neither parameters (`params.yaml`) nor metrics that DVC knows of. "
            "Name them in `dvc.yaml` to see here what changed."
        )
        return
    for table in tables:
        _table(table)


def _pick_revisions(known: list[str]) -> list[str]:
    """The revisions to look at, oldest first; in the address."""
    asked = [rev for rev in st.query_params.get(_REVS, "").split(",") if rev.strip()]
    usual = list(reversed(known[:_FIRST])) or [HEAD]
    options = list(dict.fromkeys([*reversed(known), HEAD, *asked]))
    chosen = st.multiselect(
        "Revisions",
        options,
        default=asked or usual,
        format_func=_revision_name,
        accept_new_options=True,
        max_selections=_MOST,
        placeholder="Choose or type revisions",
        key="pipeline-revs",
    )
    if chosen != (asked or usual):
        if chosen:
            st.query_params[_REVS] = ",".join(chosen)
        else:
            st.query_params.pop(_REVS, None)
    return chosen


@st.cache_resource(ttl=2 * state.FRESH_S, max_entries=16, show_spinner="Reading the revisions...")
def _across(key: tuple, revs: tuple[str, ...], metrics: bool) -> ValueTable:
    return state.analyzer().params_across(revs, metrics=metrics)


def _table(found: ValueTable) -> None:
    """A row a value, what changed first; a changed cell is bold and has a mark."""
    title = _TITLES[found.kind]
    changed = found.changed
    if found.rows:
        st.markdown(f"**{title}: {len(changed):,} of {len(found.rows):,} changed**")
        rows = [*changed, *(row for row in found.rows if not row.changed)]
        only = bool(changed) and st.toggle("Only what changed", value=True, key=f"only-{found.kind}")
        _drawn(found, list(changed) if only else rows)
    for note in found.notes:
        st.caption(f":material/info: {plain(note, 300)}")


def _drawn(found: ValueTable, rows: list[ValueRow]) -> None:
    names = _column_names(found.revisions)
    frame = pd.DataFrame([_cells(row, names) for row in rows])
    marks = [[_style(row, i) for i in range(len(names))] for row in rows]
    styled = frame.style.apply(lambda _: pd.DataFrame(marks, frame.index, names), axis=None, subset=names)
    st.dataframe(
        styled,
        hide_index=True,
        placeholder="",
        column_config={"Name": st.column_config.TextColumn(pinned=True, width=200)},
        key=f"values-{found.kind}",
        alt=f"{_TITLES[found.kind]} by revision; changed ones are marked",
    )


def _column_names(revisions: tuple[str, ...]) -> list[str]:
    """A name a revision; those that look alike get their place."""
    names = [clean_text(rev, 40) for rev in revisions]
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]


def _cells(row: ValueRow, names: list[str]) -> dict[str, str]:
    values = {name: f"{'● ' if _differs(row, i) else ''}{_said(v)}" for i, (name, v) in _numbered(names, row)}
    return {"Name": clean_text(row.name, 120), "File": clean_text(row.file, 120)} | values


def _numbered(names: list[str], row: ValueRow):
    return enumerate(zip(names, row.values, strict=True))


def _differs(row: ValueRow, i: int) -> bool:
    """Whether this value is another than that of the revision before."""
    if i == 0:
        return False
    before, here = row.values[i - 1], row.values[i]
    return before != here or isinstance(before, bool) is not isinstance(here, bool)


def _style(row: ValueRow, i: int) -> str:
    return "font-weight: 600" if _differs(row, i) else ""


def _said(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else clean_text(value, 120)
