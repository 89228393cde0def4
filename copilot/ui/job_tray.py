"""Background jobs, seen from every page: how many run, how far they are, cancel."""

from __future__ import annotations

import streamlit as st

from copilot import jobs
from copilot.errors import CopilotError
from copilot.ui import state
from copilot.ui.notices import plain

EVERY_S = 2
_WORDS = {
    "analyze_model": "Analysis",
    "scan": "Scan",
    "validate": "Model checks",
    "compare_data": "Data comparison",
    "data_drift": "Comparison of images",
    "inspect_data": "Checks of a split",
    "describe_data": "Description of images",
    "research": "Paper search",
    "report": "Report",
}


def job_name(kind: str) -> str:
    return _WORDS.get(kind, kind)


def job_tray() -> None:
    """A button with the number of running jobs; inside, each with its progress and a way to stop it.

    It draws itself again only while jobs run: a timer that fires while a page is left takes the next page's place.
    """
    st.fragment(_tray, run_every=EVERY_S if _active() else None)()


def _active() -> list[jobs.Job]:
    try:
        return jobs.list_jobs(active_only=True, settings=state.settings())
    except CopilotError:
        return []


def _tray() -> None:
    active = _active()
    label = f"{len(active)} running" if active else "No jobs"
    with st.popover(label, icon=":material/hourglass_top:" if active else ":material/task_alt:", type="tertiary"):
        if not active:
            st.caption("Long work, such as model checks, runs here and goes on while you look elsewhere.")
        for job in active:
            st.progress(
                min(max(job.progress, 0.0), 1.0), text=f"{job_name(job.kind)}: {plain(job.message, 80) or 'waiting'}"
            )
            st.button(
                "Stop",
                key=f"stop-{job.id}",
                icon=":material/stop_circle:",
                on_click=jobs.cancel,
                args=(job.id, state.settings()),
            )
