"""Several runs side by side: their curves, what they reached, where they differ, what they say together."""

import streamlit as st

from copilot.results import AnalysisList
from copilot.ui import compare_view, state
from copilot.ui.compare_picker import MAX_RUNS, axis, baseline_id, choose_runs, pick_axis, pick_baseline
from copilot.ui.failed_runs import failed_runs
from copilot.ui.frame import PAGE
from copilot.ui.notices import guard, notice
from copilot.ui.pickers import no_store
from copilot.ui.together import together


def show() -> None:
    if not state.settings().mlflow.tracking_uri:
        no_store()
        return
    named = state.compared_ids()
    if len(named) < 2:
        st.caption("Choose the runs here, or tick them on the Runs page.")
        choose_runs({})
        return
    ids = named[:MAX_RUNS]
    results = state.compare(ids, baseline_id(ids), axis())
    if len(named) > MAX_RUNS:
        st.caption(f"The first {MAX_RUNS} of {len(named)} runs are shown.")
    failed_runs(results, "read", expanded=len(results) < 2)
    if len(results) < 2:
        st.caption("Only one of the runs can be shown, and a comparison takes two. Choose another.")
        choose_runs({r.subject.run_id: r.subject.run_name or "" for r in results}, results.failed)
        return
    compared(results)


def compared(results: AnalysisList) -> None:
    found = results.comparison
    beside = found.side_by_side
    compare_view.headline(found)
    names = dict(zip((r.run_id for r in found.runs), beside.labels, strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="compare-controls"):
        pick_baseline(names, found.subject.baseline)
        quantity = compare_view.pick_quantity(beside) if beside.quantities else None
        pick_axis(beside.axis)
        with st.popover("Change runs", icon=":material/edit:"):
            choose_runs(names)
    if quantity is None:
        notice("show_chart", "No curves to compare", "None of these runs logged a metric by epoch. Choose others.")
    else:
        compare_view.curves(beside, quantity)
        if opened := compare_view.reached(found, quantity):
            st.switch_page(PAGE["run"], query_params=state.link(opened))
    compare_view.differing(beside)
    if quantity is not None:
        compare_view.against(beside, quantity)
    together(found)


st.title("Compare", anchor=False)
with guard("The comparison"):
    show()
