"""Which models can be checked, and what people call them and the sets of checks that were run."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from copilot.errors import CopilotError
from copilot.jobs import Job
from copilot.ui import state
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

NONE = "none"
SUITES = {
    "computer_vision": "Computer vision: model and images",
    "data_integrity": "Data integrity: odd images and labels",
    "train_test_validation": "Train against validation: drift and leaks",
    "model_evaluation": "Model evaluation: scores and weak spots",
    "full": "Everything that Deepchecks has",
    NONE: "None: probes only",
}
_MAX_RUNS = 200


def models() -> dict[str, str]:
    """Model address -> what people call it; the errors of the store."""
    return _models(state.key(), state.experiment(), state.run_id())


@st.cache_data(ttl=state.FRESH_S, max_entries=8, show_spinner="Reading the models...")
def _models(key: tuple, experiment: str | None, run: str | None) -> dict[str, str]:
    """The run in the address first, then registered versions, then other runs."""
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


def checked_name(job: Job) -> str:
    """What a job looked at, as people call it: a model, or the files of its predictions."""
    if files := job.payload.get("predictions"):
        return clean_text(f"predictions {' and '.join(dict.fromkeys(PurePath(str(f)).name for f in files))}", 120)
    uri = clean_text(job.payload.get("model_uri") or "a model", 120)
    try:
        return models().get(uri, uri)
    except CopilotError:
        return uri


def suite_name(suite: str) -> str:
    return SUITES.get(suite, clean_text(suite.replace("_", " "), 60))


def checks_label(job: Job) -> str:
    """Without the job's state: a select box keeps the words that a value had when it was chosen."""
    suite = str(job.payload.get("suite") or "")
    words = ("probes only" if suite == NONE else clean_text(suite.replace("_", " "), 40)) if suite else ""
    parts = (checked_name(job), words, f"{job.created_at:%d %b %Y, %H:%M} UTC")
    return clean_text(" · ".join(filter(None, parts)), 160)
