"""Every run of an experiment with its verdict; or a history file dropped in, without MLflow."""

import streamlit as st

from copilot.results import AnalysisList, AnalysisResult
from copilot.ui import state
from copilot.ui.compare_bar import compare_bar
from copilot.ui.frame import PAGE
from copilot.ui.history_drop import history_drop
from copilot.ui.notices import guard, notice, plain
from copilot.ui.pickers import no_store, pick_experiment
from copilot.ui.run_table import counts, filters, pick_order, run_table
from copilot.ui.together import together


def show() -> None:
    if not state.settings().mlflow.tracking_uri:
        no_store()
        return
    name = pick_experiment()
    if name is None:
        notice(
            "inbox", "No experiments yet", "This store is empty. Log a run with MLflow, or start `mlops-copilot demo`."
        )
        return
    results = state.scan(name)
    attention = sum(r.diagnosis.verdict != "healthy" for r in results)
    st.caption(f"{plain(name)} · {len(results)} runs · {attention} need attention")
    if not results:
        notice("inbox", "No runs with curves", "This experiment has no run that logged a metric by epoch.")
    else:
        counts(results)
        table(filters(results), results)
        if results.comparison is not None:
            together(results.comparison)
    if results.failed:
        with st.expander(f"{len(results.failed)} runs could not be judged"):
            for run, reason in results.failed.items():
                st.markdown(f"- `{plain(run)}`: {plain(reason)}")


def table(kept: list[AnalysisResult], results: AnalysisList) -> None:
    """The table; opens a clicked run, or the comparison of the ticked ones."""
    if not kept:
        notice("filter_alt_off", "No run matches", "Clear the search, or pick other verdicts.")
        return
    order = pick_order(results.comparison)
    picked = run_table(kept, results.leaderboard(order) if order else ())
    if picked.opened:
        st.switch_page(PAGE["run"], query_params=state.link(picked.opened))
    if ids := compare_bar(picked.ticked):
        st.switch_page(PAGE["compare"], query_params=state.link() | {"runs": ",".join(ids)})


st.title("Runs")
with guard("The list of runs"):
    show()
with guard("The file"):
    history_drop()
