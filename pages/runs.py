"""Every run of an experiment with its verdict; or a history file dropped in, without MLflow."""

import streamlit as st

from copilot.ui import state
from copilot.ui.frame import PAGE
from copilot.ui.history_drop import history_drop
from copilot.ui.notices import guard, notice, plain
from copilot.ui.pickers import no_store, pick_experiment
from copilot.ui.run_table import counts, filters, run_table


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
        table(filters(results))
    if results.failed:
        with st.expander(f"{len(results.failed)} runs could not be judged"):
            for run, reason in results.failed.items():
                st.markdown(f"- `{plain(run)}`: {plain(reason)}")


def table(kept) -> None:
    if not kept:
        notice("filter_alt_off", "No run matches", "Clear the search, or pick other verdicts.")
        return
    chosen = run_table(kept)
    if chosen:
        st.switch_page(PAGE["run"], query_params=state.link(chosen))


st.title("Runs")
with guard("The list of runs"):
    show()
with guard("The file"):
    history_drop()
