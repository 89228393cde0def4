"""Every run of an experiment with its verdict; or a history file dropped in, without MLflow."""

import streamlit as st

from copilot.ui import state
from copilot.ui.compare_bar import compare_bar
from copilot.ui.failed_runs import failed_runs
from copilot.ui.frame import PAGE
from copilot.ui.history_drop import history_drop
from copilot.ui.notices import guard, notice
from copilot.ui.pickers import no_store, pick_experiment
from copilot.ui.run_table import counts, filters, run_table
from copilot.ui.scans import Scanned, older_runs, read_again, scanned
from copilot.ui.together import together


def show() -> None:
    if not state.settings().mlflow.tracking_uri:
        no_store()
        return
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="runs-head")
    with row:
        name = pick_experiment()
    if name is None:
        notice(
            "inbox", "No experiments yet", "This store is empty. Log a run with MLflow, or start `mlops-copilot demo`."
        )
        return
    found = scanned(name)
    with row:
        headline(name, found)
    if not found.results:
        notice("inbox", "No runs with curves", "This experiment has no run that logged a metric by epoch.")
    else:
        counts(found.frame["verdict"])
        table(found)
        if found.more:
            older_runs(name)
        if found.results.comparison is not None:
            together(found.results.comparison)
    failed_runs(found.results)


def headline(name: str, found: Scanned) -> None:
    """How many runs there are, and how many to look at."""
    attention = sum(r.diagnosis.verdict != "healthy" for r in found.results)
    many = "1 run" if len(found.results) == 1 else f"{len(found.results):,} runs"
    needs = "needs" if attention == 1 else "need"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.caption(f"{many} · {attention:,} {needs} attention", width="content")
        st.button(
            "Read again",
            icon=":material/refresh:",
            type="tertiary",
            on_click=read_again,
            args=(name,),
            help="Reads and judges every run again, also those that have not changed.",
            key="read-again-button",
        )


@st.fragment
def table(found: Scanned) -> None:
    """The table; opens a clicked run, or the comparison of the ticked ones. A filter redraws nothing but this."""
    kept, order = filters(found.frame, found.results.comparison)
    if kept.empty:
        notice("filter_alt_off", "No run matches", "Clear the search, or pick other verdicts.")
        return
    picked = run_table(kept, found.board(order) if order else ())
    if picked.opened:
        st.switch_page(PAGE["run"], query_params=state.link(picked.opened))
    if ids := compare_bar(picked.ticked):
        st.switch_page(PAGE["compare"], query_params=state.link() | {"runs": ",".join(ids)})


st.title("Runs")
with guard("The list of runs"):
    show()
with guard("The file"):
    history_drop()
