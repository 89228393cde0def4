"""Settings and health: which store is read, what works, what is set and where from, what the checks look for."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

from copilot.core.checks.describe import CheckDescription
from copilot.errors import CopilotError
from copilot.health import HealthItem
from copilot.jobs import Job
from copilot.reporting.words import capital, number
from copilot.ui import jobs_view, state
from copilot.ui.job_tray import job_name
from copilot.ui.notices import notice, plain
from copilot.utils.config import Settings, find_settings_file
from copilot.utils.validators import clean_text, home_folder, without_credentials

_URI = "tracking_uri"  # session: the store chosen here, read by `state`
_SHOWN_JOBS = 25
_SECTIONS = {"mlflow": "MLflow", "dvc": "DVC", "models": "Loading models", "store": "Our store", "server": "Dashboard"}
# On a phone a table scrolls sideways; its last column, which holds sentences, must not become a tower of words.
_STYLE = """<style>
@media (max-width: 640px) { [data-testid="stTable"] td:last-child { min-width: 14rem; } }
</style>"""
_STATES = {
    "failed": ("Failed", "error", "red"),
    "off": ("Not set up", "do_not_disturb_on", "gray"),
    "ok": ("Works", "check_circle", "green"),
}


def store_picker() -> None:
    """The MLflow store that is read, and another one for this session."""
    own, chosen = state.settings().mlflow.tracking_uri, st.session_state.get(_URI)
    with st.container(border=True, key="store-picker"):
        words = f"`{clean_text(without_credentials(own)).replace('`', '')}`" if own else "none is set"
        st.markdown(f"**MLflow store:** {words}{' (this session only)' if chosen else ''}")
        with st.form("store", border=False):
            left, right = st.columns([5, 1], vertical_alignment="bottom")
            typed = left.text_input(
                "Read another store in this session",
                placeholder="http://host:5000, sqlite:///path/to/mlflow.db or the folder mlruns",
                key="store-typed",
                icon=":material/database:",
            )
            pressed = right.form_submit_button("Try and use", width="stretch")
        if pressed and typed.strip():
            _use(typed.strip())
        if chosen:
            st.button("Back to the store of the settings", icon=":material/undo:", on_click=_forget_choice)


def health() -> None:
    """Everything that was looked at, what needs mending first."""
    items = _health(state.key())
    failed = sum(item.state == "failed" for item in items)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = (
            "Everything that is set up works."
            if not failed
            else f"{failed} of {len(items)} need{'s' * (failed == 1)} mending."
        )
        st.markdown(f"**{words}**", width="content")
        st.space("stretch")
        st.button("Look again", icon=":material/refresh:", type="tertiary", on_click=_health.clear)
    order = list(_STATES)
    with st.container(gap="xsmall"):
        for item in sorted(items, key=lambda i: order.index(i.state)):
            _health_row(item)


@st.cache_data(ttl=state.FRESH_S, max_entries=8, show_spinner="Looking at everything...")
def _health(key: tuple) -> list[HealthItem]:
    return state.analyzer().health()


def in_force() -> None:
    """Every setting with its value, where it comes from and what it does."""
    file = find_settings_file()
    where = f"`{plain_code(file.resolve())}`" if file else "no settings file"
    st.caption(
        f"Read from {where}, `MLOPS_COPILOT_*` variables and the defaults. "
        f"State is kept in `{plain_code(home_folder())}`."
    )
    public = state.settings().public()
    for name, field in Settings.model_fields.items():
        usual = field.default.model_dump(mode="json")
        rows = [
            {
                "Setting": key,
                "Value": _words(value),
                "From": _origin(name, key, value, usual[key]),
                "What it is": field.annotation.model_fields[key].description or "",
            }
            for key, value in public[name].items()
        ]
        changed = sum(row["From"] != "default" for row in rows)
        title = f"{_SECTIONS.get(name, capital(name))}{f' · {changed} changed' if changed else ''}"
        with st.expander(title, expanded=bool(changed)):
            _table(rows, f"Settings of {name}")


def checks() -> None:
    """What each check looks for, with the thresholds in force."""
    st.caption(
        "Change a threshold under `detection.checks.CODE`; mute a check, with a reason, under `detection.ignore`."
    )
    for check in state.analyzer().describe_checks():
        _check(check)


def job_history() -> None:
    """The newest jobs with their state, and a way to run them again."""
    found = jobs_view.jobs_of()
    jobs_view.worker_state(sum(job.active for job in found))
    if not found:
        notice("hourglass_empty", "No jobs yet", "Model checks and paper searches run as jobs, and are listed here.")
        return
    for job in found[:_SHOWN_JOBS]:
        _job_row(job)
    if len(found) > _SHOWN_JOBS:
        st.caption(f"The newest {_SHOWN_JOBS} of {len(found)}.")


def _use(uri: str) -> None:
    """Read `uri` from now on if it answers; else say why not and keep the old one."""
    before = st.session_state.get(_URI)
    st.session_state[_URI] = uri
    try:
        with st.spinner("Asking the store..."):
            found = state.experiments()
    except CopilotError as error:
        st.session_state[_URI] = before
        st.error(f"**{plain(error.message)}** {plain(error.hint)}", icon=":material/link_off:")
        return
    st.toast(f"Reading {len(found)} experiment{'' if len(found) == 1 else 's'} now.", icon=":material/check_circle:")
    _left_behind()
    st.rerun()


def _forget_choice() -> None:
    st.session_state.pop(_URI, None)
    _left_behind()


def _left_behind() -> None:
    """Experiment and run belong to the store that was read before."""
    for name in ("experiment", "run"):
        st.query_params.pop(name, None)


def _health_row(item: HealthItem) -> None:
    word, icon, color = _STATES[item.state]
    with st.container(border=item.state == "failed", gap="xsmall", key=f"health-{item.name}"):
        badge = f":{color}-badge[:material/{icon}: {word}]"
        st.markdown(f"{badge} **{plain(item.name)}** · {plain(item.detail)}")
        if item.hint:
            st.caption(f":material/build: {plain(item.hint)}")


def _origin(section: str, key: str, value: Any, usual: Any) -> str:
    """Where a setting comes from."""
    names = {name.upper() for name in os.environ}
    if (section, key) == ("mlflow", "tracking_uri") and st.session_state.get(_URI):
        return "this session"
    if {f"MLOPS_COPILOT_{section}__{key}".upper(), f"MLOPS_COPILOT_{section}".upper()} & names:
        return "environment"
    if value == usual:
        return "default"
    file = find_settings_file()
    return clean_text(file.name, 60) if file else "MLFLOW_TRACKING_URI"


def _words(value: Any) -> str:
    if value is None or value in ([], {}):
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return clean_text(", ".join(map(str, value)), 300)
    if isinstance(value, dict):
        return clean_text("; ".join(f"{k}: {_words(v)}" for k, v in value.items()), 300)
    return number(value) if isinstance(value, float) else clean_text(value, 300)


def _check(check: CheckDescription) -> None:
    muted = " · muted" if check.muted else ""
    with st.expander(f"**{check.code}** {plain(check.title)}{muted}"):
        if check.muted:
            st.badge(f"Muted: {plain(check.muted, 120)}", icon=":material/notifications_off:", color="gray")
        if check.claim:
            st.markdown(f"**{plain(check.claim, 500)}**")
        for heading, text in check.sections():
            st.markdown(f"**{heading}**  \n" + "\n\n".join(plain(p, 2000) for p in text.split("\n\n")))
        rows = [
            {
                "Threshold": t.name,
                "Value": _words(t.value),
                "Default": _words(t.default) if t.value != t.default else "",
                "What it is": t.description,
            }
            for t in check.thresholds
        ]
        if rows:
            _table(rows, f"Thresholds of {check.code}")


def _table(rows: list[dict[str, str]], alt: str) -> None:
    """A small table; a column without a word in it is left out."""
    kept = [name for name in rows[0] if any(row[name] for row in rows)]
    cells = [{name: plain(row[name], 400) for name in kept} for row in rows]
    st.html(_STYLE)
    st.table(cells, border="horizontal", hide_index=True, alt=alt)


def _job_row(job: Job) -> None:
    subject = next((str(v) for k, v in job.payload.items() if k in ("model_uri", "about", "experiment", "path")), "")
    with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            jobs_view.job_badge(job)
            st.markdown(f"**{plain(job_name(job.kind))}** {plain(subject, 100)}", width="content")
            took = f", took {jobs_view.duration(job)}" if job.finished_at and job.started_at else ""
            st.caption(f"{jobs_view.when(job)}{took}", width="content")
            st.space("stretch")
            if job.active:
                jobs_view.stop_button(job, "history")
            elif job.state != "done":
                jobs_view.retry_button(job)
        if job.error and job.state != "cancelled":
            st.caption(plain(job.error, 400))


def plain_code(text: object) -> str:
    """Outside text between backticks."""
    return clean_text(text, 300).replace("`", "")
