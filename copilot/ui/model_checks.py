"""Deepchecks on a model and its images: what to look at, and what was found."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from copilot.core.findings import Analysis, Finding
from copilot.errors import CopilotError
from copilot.jobs import Job
from copilot.reporting.palette import STATE_STYLES
from copilot.ui import jobs_view, state
from copilot.ui.finding_card import finding_card
from copilot.ui.notices import notice, plain
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

KIND = "validate"
_FAMILY = "OVF5"
_MAX_RUNS = 200
_SUITES = {
    "computer_vision": "Computer vision: model and images",
    "data_integrity": "Data integrity: odd images and labels",
    "train_test_validation": "Train against validation: drift and leaks",
    "model_evaluation": "Model evaluation: scores and weak spots",
}
_GROUPS = (
    ("issue", "Issues", "These need a look."),
    ("error", "Could not run", "The check itself stopped; the others are not affected."),
    ("passed", "Passed", ""),
    ("not_applicable", "Do not apply", ""),
    ("skipped", "Skipped", ""),
    ("ignored", "Muted", ""),
)


def check_form() -> None:
    """Model, suite and image folders; the button submits the job."""
    with st.container(border=True, key="check-form"):
        left, right = st.columns(2)
        with left:
            model = _pick_model()
        with right:
            suite = _pick_suite()
        left, right = st.columns(2)
        with left:
            train = _folder("Training images", ("train", "training"))
        with right:
            test = _folder("Validation images", ("val", "valid", "validation", "test"))
        ready = bool(model and Path(train).expanduser().is_dir() and Path(test).expanduser().is_dir())
        pressed = st.button("Run checks", type="primary", icon=":material/fact_check:", disabled=not ready)
        if not ready:
            st.caption(":material/info: Choose a model and two folders of images to begin.")
        st.caption(
            "Takes about a minute. Deepchecks is AGPL-licensed and runs in a process of its own, within the limits of "
            "memory and time in the settings."
        )
        if pressed:
            payload = {"model_uri": model.strip(), "train": train.strip(), "test": test.strip(), "suite": suite}
            jobs_view.submit(KIND, payload)


def check_results() -> None:
    """The chosen set of checks: its progress, what it found, or why it failed."""
    found = jobs_view.jobs_of(KIND)
    if not found:
        notice(
            "fact_check",
            "No model was checked yet",
            "The checks look at the model's mistakes and compare its training with its validation images: "
            "drift, new classes, weak kinds of images.",
        )
        return
    st.subheader("Results", anchor=False)
    chosen = jobs_view.pick_job("Checks that were run", found, {job.id: _job_label(job) for job in found})
    job = jobs_view.finished(chosen)
    if job:
        _show(job, Analysis.model_validate(job.result))


def _show(job: Job, analysis: Analysis) -> None:
    findings = [f for f in analysis.findings if f.code.startswith(_FAMILY)]
    groups = {name: [f for f in findings if f.state == name] for name, *_ in _GROUPS}
    issues, name = len(groups["issue"]), plain(_model_name(job), 120)
    count = "No check" if not issues else f"{issues} of {len(findings)} checks"
    st.markdown(f"**{count} found an issue with {name}.**")
    with st.container(horizontal=True, gap="small", key="check-counts"):
        for state_name, title, _ in _GROUPS:
            if groups[state_name]:
                style = STATE_STYLES[state_name]
                label = f":{style.streamlit}[:material/{style.icon}:] {title}"
                st.metric(label, len(groups[state_name]), border=True, width=150)
    st.caption(f"Finished {jobs_view.when(job)}, took {jobs_view.duration(job)}")
    for state_name, title, words in _GROUPS:
        if groups[state_name]:
            _group(title, words, groups[state_name], analysis, folded=state_name not in ("issue", "error"))


def _group(title: str, words: str, findings: list[Finding], analysis: Analysis, folded: bool) -> None:
    known = analysis.evidence_by_id()
    if folded:
        with st.expander(f"{title}: {len(findings)}"):
            for finding in findings:
                finding_card(finding, known)
        return
    st.subheader(title, anchor=False)
    st.caption(words)
    rank = ("high", "medium", "low", "none")
    for finding in sorted(findings, key=lambda f: rank.index(f.severity)):
        finding_card(finding, known)


def _pick_model() -> str:
    try:
        choices, trouble = _models(state.key(), state.experiment(), state.run_id()), ""
    except CopilotError as error:
        choices, trouble = {}, str(error)
    model = st.selectbox(
        "Model",
        list(choices),
        index=0 if choices else None,
        format_func=lambda uri: choices.get(uri, clean_text(uri)),
        accept_new_options=True,
        placeholder="Choose a model, or type an address or a file",
        help="A run, a registered version, or what you type: runs:/ID/model, models:/NAME/3, models:/NAME@ALIAS, "
        "or the path of an exported program (.pt2).",
        key="check-model",
    )
    if trouble:
        st.caption(f":material/cloud_off: The store's models cannot be listed: {plain(trouble)}")
    return model or ""


@st.cache_data(ttl=state.FRESH_S, max_entries=8, show_spinner="Reading the models...")
def _models(key: tuple, experiment: str | None, run: str | None) -> dict[str, str]:
    """Model address -> what people call it: the run in the address first, then registered versions, then other runs."""
    if not state.settings().mlflow.tracking_uri:
        return {}
    source, choices = state.analyzer().source, {}
    runs = {r.run_id: r for r in (source.runs(experiment, limit=_MAX_RUNS) if experiment else ())}
    chosen = runs.pop(run, None)
    if chosen and chosen.model_uris:
        choices[chosen.model_uris[0]] = f"Run {clean_text(chosen.name, 60)}"
    for model in source.registered_models():
        for version in model.versions:
            names = f" ({', '.join(version.aliases)})" if version.aliases else ""
            label = clean_text(f"{model.name} version {version.version}{names}", 100)
            choices[f"models:/{model.name}/{version.version}"] = label
    choices |= {r.model_uris[0]: f"Run {clean_text(r.name, 60)}" for r in runs.values() if r.model_uris}
    return distinct(choices)


def _pick_suite() -> str:
    analyzer = state.analyzer()
    suites, usual = list(analyzer.suites()), analyzer.settings.deepchecks.suite
    return st.selectbox(
        "Checks",
        suites,
        index=suites.index(usual) if usual in suites else 0,
        format_func=lambda name: _SUITES.get(name, name),
        key="check-suite",
    )


def _folder(label: str, names: tuple[str, ...]) -> str:
    """A folder's path, filled in where the data of the settings has one of `names`."""
    dvc = state.settings().dvc
    root = Path(dvc.repo or ".").expanduser() / dvc.data_path if dvc.data_path else None
    usual = next((root / name for name in names if (root / name).is_dir()), "") if root else ""
    typed = st.text_input(
        label,
        value=str(usual),
        placeholder="/path/to/images",
        help="A folder on the machine that runs the dashboard, with one folder of images a class.",
        key=f"folder-{names[0]}",
    )
    if typed.strip() and not Path(typed.strip()).expanduser().is_dir():
        st.caption(f":red[:material/error: There is no such folder:] {plain(typed, 120)}")
    return (typed or "").strip()


def _model_name(job: Job) -> str:
    uri = str(job.payload.get("model_uri", ""))
    try:
        return _models(state.key(), state.experiment(), state.run_id()).get(uri, uri)
    except CopilotError:
        return uri


def _job_label(job: Job) -> str:
    """Without the job's state: a select box keeps the words that a value had when it was chosen."""
    suite = str(job.payload.get("suite", "")).replace("_", " ")
    return clean_text(f"{_model_name(job)} · {suite} · {job.created_at:%d %b %Y, %H:%M} UTC", 160)
