"""Choosing an experiment and a run; both live in the address, so that a link reopens them."""

from __future__ import annotations

import streamlit as st

from copilot.results import AnalysisResult
from copilot.ui import state
from copilot.ui.notices import notice
from copilot.ui.run_frame import ID, NAME
from copilot.ui.scans import scanned
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text


def pick_experiment() -> str | None:
    """The experiment to show; a picker where the store has several."""
    names = [e.name for e in state.experiments()]
    if not names:
        return None
    current = state.experiment()
    index = names.index(current) if current in names else 0
    chosen = st.selectbox("Experiment", names, index=index, format_func=clean_text, key="experiment-picker", width=320)
    if chosen != st.query_params.get("experiment"):
        st.query_params["experiment"] = chosen
    return chosen


def pick_run() -> AnalysisResult | None:
    """The run in the address, judged; a picker where none is named."""
    named = state.run_id()
    if named:
        return state.result(named)
    opened = st.session_state.get(state.OPENED, {})
    if not state.settings().mlflow.tracking_uri and not opened:
        no_store()
        return None
    choices = {i: clean_text(r.subject.run_name) for i, r in opened.items()}
    if state.settings().mlflow.tracking_uri and (name := pick_experiment()):
        frame = scanned(name).frame
        choices |= {} if frame.empty else dict(zip(frame[ID], frame[NAME], strict=True))
    if not choices:
        notice(
            "inbox",
            "No runs yet",
            "This experiment has no run with curves. Log some, or open a history file on the Runs page.",
        )
        return None
    choices = distinct(choices)  # Streamlit tells options apart by their words
    chosen = st.selectbox(
        "Run",
        list(choices),
        index=None,
        format_func=choices.get,
        placeholder="Choose a run",
        key="run-picker",
        width=320,
    )
    if chosen:
        st.query_params["run"] = chosen
        st.rerun()
    return None


def no_store() -> None:
    """Nothing to read from yet: the three ways on."""
    with st.container(border=True, key="no-store"):
        st.markdown("### :material/link_off: No MLflow store is set")
        st.markdown(
            "Set `MLFLOW_TRACKING_URI` or `mlflow.tracking_uri`, or start `mlops-copilot demo` for an example. "
            "A history file (CSV, JSON or TensorBoard) can be opened on the Runs page without MLflow."
        )
        from copilot.ui.frame import PAGE

        st.page_link(PAGE["settings"], label="Open Settings", icon=":material/settings:")
