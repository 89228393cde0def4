"""Background jobs on a page: submit one, follow it, read how it ended, run it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import streamlit as st
from pydantic import ValidationError

from copilot import jobs
from copilot.core.findings import Document
from copilot.errors import CopilotError
from copilot.jobs import Job
from copilot.reporting.words import relative_time
from copilot.ui import state
from copilot.ui.job_tray import job_name
from copilot.ui.notices import guard, plain
from copilot.utils.config import Settings
from copilot.utils.names import distinct

KEPT = 200
_FOLLOW_S = 1
_ROUND = "job-round-"
_ADDRESS = "job"
Kind = TypeVar("Kind", bound=Document)


class JobStyle(NamedTuple):
    word: str
    icon: str
    glyph: str
    color: str


JOB_STYLES = {
    "queued": JobStyle("Waiting", "schedule", "○", "gray"),
    "running": JobStyle("Running", "progress_activity", "◐", "blue"),
    "done": JobStyle("Done", "check_circle", "●", "green"),
    "failed": JobStyle("Failed", "error", "▲", "red"),
    "cancelled": JobStyle("Stopped", "stop_circle", "–", "gray"),
    "lost": JobStyle("Interrupted", "power_off", "◆", "yellow"),
}


def job_badge(job: Job) -> None:
    """The job's state: word, icon and colour."""
    style = JOB_STYLES[job.state]
    st.badge(style.word, icon=f":material/{style.icon}:", color=style.color)


def submit(kind: str, payload: dict[str, Any], settings: Settings | None = None) -> None:
    """Submit a job, with `settings` or those in force, and show it: the picker starts anew with the newest."""
    jobs.submit(kind, payload, settings or state.settings())
    state.start_worker()
    _show_newest(kind)


def pick_job(label: str, found: list[Job], names: dict[str, str]) -> str:
    """One of these jobs of one kind: the one in the address (``?job=``), else the newest. The choice is put there.

    A widget that is set by program can be set back by a fragment that refreshes at that moment; a new key cannot.
    """
    key = f"{found[0].kind}-{st.session_state.get(_ROUND + found[0].kind, 0)}"
    ids, named = [job.id for job in found], st.query_params.get(_ADDRESS)
    index = ids.index(named) if named in ids else 0
    chosen = st.selectbox(label, ids, index=index, format_func=distinct(names).get, key=key)
    if chosen == ids[0]:
        st.query_params.pop(_ADDRESS, None)
    elif chosen != named:
        st.query_params[_ADDRESS] = chosen
    return chosen


def _show_newest(kind: str) -> None:
    st.session_state[_ROUND + kind] = st.session_state.get(_ROUND + kind, 0) + 1
    st.query_params.pop(_ADDRESS, None)


def jobs_of(kind: str | None = None) -> list[Job]:
    """Jobs of a kind, newest first, without their results."""
    found = jobs.list_jobs(settings=state.settings(), limit=KEPT)
    return [job for job in found if kind in (None, job.kind)]


def when(job: Job) -> str:
    """When the job ended or was submitted, for instance "5 min ago"."""
    return relative_time((job.finished_at or job.created_at).isoformat(), datetime.now(UTC))


def duration(job: Job) -> str:
    """How long the job ran so far, for instance "1 min 5 s"; empty for one that never started."""
    if job.started_at is None:
        return ""
    seconds = round(((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{max(seconds, 0)} s"


def finished(job_id: str) -> Job | None:
    """The job with its result once it is done; before that its progress, after a failure the reason and Retry."""
    job = jobs.status(job_id, state.settings())
    if job.active:
        _follow(job.id)
    elif job.state == "done":
        return job
    else:
        _ended_early(job)
    return None


def result_as(job: Job, kind: type[Kind]) -> Kind | None:
    """A finished job's result as a document; where it cannot be read, what to do is shown."""
    try:
        return kind.model_validate(job.result)
    except ValidationError:
        with st.container(border=True, gap="small", key=f"unreadable-{job.id}"):
            st.markdown("**This result cannot be read.** Another version of MLOps Copilot made it, or it is damaged.")
            retry_button(job)
        return None


def retry_button(job: Job) -> None:
    """Submit the job once more."""
    st.button("Retry", key=f"retry-{job.id}", icon=":material/replay:", on_click=_attempt, args=(_retry, job))


def stop_button(job: Job, place: str = "page") -> None:
    """Cancel the job."""
    st.button(
        "Stop",
        key=f"{place}-stop-{job.id}",
        icon=":material/stop_circle:",
        on_click=_attempt,
        args=(jobs.cancel, job.id, state.settings()),
    )


def worker_state(running: int = 0) -> None:
    """Whether something runs the jobs, with a way to start it."""
    trouble = state.start_worker() if running else None
    if jobs.worker_pid():
        st.badge("Worker running", icon=":material/check_circle:", color="green")
    elif trouble:
        st.error(plain(trouble), icon=":material/power_off:")
    else:
        st.badge("No worker runs; one starts with the next job", icon=":material/bedtime:", color="gray")


@st.fragment(run_every=_FOLLOW_S)
def _follow(job_id: str) -> None:
    """Progress of an active job; when it has ended, the page runs again."""
    with guard("The progress"):
        job = jobs.status(job_id, state.settings())
        if not job.active:
            st.rerun()
        trouble = state.start_worker()
        with st.container(border=True, key=f"follow-{job.id}"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                job_badge(job)
                st.markdown(f"**{job_name(job.kind)}**", width="content")
                st.caption(duration(job), width="content")
                st.space("stretch")
                stop_button(job)
            st.progress(min(max(job.progress, 0.0), 1.0), text=plain(job.message, 120) or _waiting(job))
            if trouble and job.state == "queued":
                st.error(f"No worker takes this job. {plain(trouble)}", icon=":material/power_off:")
            st.caption("It goes on while you look elsewhere; the result stays on this page.")


def _waiting(job: Job) -> str:
    return "Waiting for the worker" if job.state == "queued" else "Starting"


def _ended_early(job: Job) -> None:
    """What happened, what to do, one button."""
    happened, _, todo = job.error.partition(". ")
    if job.state == "cancelled":
        happened, todo = "It was stopped", "Nothing of it was kept."
    with st.container(border=True, gap="small", key="ended-early"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            job_badge(job)
            st.caption(f"{job_name(job.kind)} · {when(job)}", width="content")
        st.markdown(f"**{plain(happened.rstrip('.'), 300)}.**")
        if todo:
            st.markdown(plain(todo, 600))
        retry_button(job)


def _retry(job: Job) -> None:
    jobs.retry(job.id, state.settings())
    state.start_worker()
    _show_newest(job.kind)


def _attempt(action: Any, *args: Any) -> None:
    """A button's action; an error of ours becomes a toast, since no page surrounds it."""
    try:
        action(*args)
    except CopilotError as error:
        st.toast(plain(error, 300), icon=":material/error:")
