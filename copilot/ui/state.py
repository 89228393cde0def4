"""What pages share: the analyzer, the run and experiment in the address, cached reads, the background worker."""

from __future__ import annotations

import os
from collections import deque

import streamlit as st

from copilot.analyzer import CopilotAnalyzer
from copilot.errors import CopilotError
from copilot.jobs import WorkerProcess
from copilot.results import AnalysisList, AnalysisResult
from copilot.ui.notices import plain
from copilot.utils.config import ExecutorSettings, Settings, find_settings_file, load_settings
from copilot.utils.logging import no_telemetry, set_up_logging

FRESH_S = 30
_TOLD = "told-notes"  # session
OPENED = "opened"  # session: histories dropped in, by their id


def settings() -> Settings:
    """The settings in force; a changed file, environment or address is seen at the next run of the page."""
    return analyzer().settings


def analyzer() -> CopilotAnalyzer:
    return _analyzer(*key())


def key() -> tuple:
    """What an analyzer depends on; also the key of everything that is read through it."""
    path = find_settings_file()
    stamp = path.stat().st_mtime if path else 0.0
    environment = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(("MLOPS_COPILOT_", "MLFLOW_"))))
    return str(path) if path else None, stamp, environment, st.session_state.get("tracking_uri")


@st.cache_resource(max_entries=8, show_spinner=False)
def _analyzer(path: str | None, stamp: float, environment: tuple, tracking_uri: str | None) -> CopilotAnalyzer:
    no_telemetry()
    set_up_logging()
    overrides = {"mlflow": {"tracking_uri": tracking_uri}} if tracking_uri else None
    settings = load_settings(path, overrides)
    if settings.executor.address is None:
        settings.executor = ExecutorSettings()  # processes that are started from a page run the page again
    return CopilotAnalyzer(settings, note=_notes().append)


@st.cache_resource(show_spinner=False)
def _notes() -> deque[str]:
    """The last lines for the person, such as that a damaged cache was made anew."""
    return deque(maxlen=20)


def tell_notes() -> None:
    """Show each line for the person once in a session."""
    told = st.session_state.setdefault(_TOLD, set())
    for line in dict.fromkeys(_notes()):
        if line not in told:
            told.add(line)
            st.toast(plain(line), icon=":material/info:", duration="long")


def start_worker() -> str | None:
    """Start the background worker unless one runs; the reason if it cannot."""
    try:
        _worker(key()).start()
    except CopilotError as error:
        return str(error)
    return None


@st.cache_resource(max_entries=2, show_spinner=False)
def _worker(key: tuple) -> WorkerProcess:
    return WorkerProcess(_analyzer(*key).settings)


def run_id() -> str | None:
    """The run in the address (``?run=``)."""
    return st.query_params.get("run") or None


def link(run: str | None = None) -> dict[str, str]:
    """Query parameters that keep the experiment and the run on the way to another page."""
    kept = {name: st.query_params[name] for name in ("experiment", "run", "runs", "model") if name in st.query_params}
    return {**kept, "run": run} if run else kept


def experiment() -> str | None:
    """The experiment in the address, else the one of the settings."""
    return st.query_params.get("experiment") or settings().mlflow.experiment_name


def compared_ids() -> tuple[str, ...]:
    """The runs to compare that the address names (``?runs=a,b,c``)."""
    named = st.query_params.get("runs", "").split(",")
    return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))


def compare(ids: tuple[str, ...], baseline: str, axis: str) -> AnalysisList:
    """The named runs side by side, and against one of them; kept for half a minute."""
    return _compare(key(), ids, baseline, axis)


@st.cache_resource(ttl=FRESH_S, max_entries=16, show_spinner="Comparing runs...")
def _compare(key: tuple, ids: tuple[str, ...], baseline: str, axis: str) -> AnalysisList:
    return _analyzer(*key).compare(ids, baseline=baseline, axis=axis)


def runs(name: str, limit: int) -> list:
    """The newest runs of an experiment without their curves; kept for half a minute."""
    return _runs(key(), name, limit)


@st.cache_resource(ttl=FRESH_S, max_entries=8, show_spinner="Reading the list of runs...")
def _runs(key: tuple, name: str, limit: int) -> list:
    return _analyzer(*key).source.runs(name, limit=limit)


def models() -> list:
    """The registered models of the store with their versions; kept for half a minute."""
    return _models(key())


@st.cache_resource(ttl=FRESH_S, max_entries=8, show_spinner="Reading the registered models...")
def _models(key: tuple) -> list:
    return _analyzer(*key).source.registered_models()


def history(model: str) -> AnalysisList:
    """A registered model over its versions; kept for half a minute."""
    return _history(key(), model)


@st.cache_resource(ttl=FRESH_S, max_entries=16, show_spinner="Reading the model's versions...")
def _history(key: tuple, model: str) -> AnalysisList:
    return _analyzer(*key).history(model)


def result(run: str) -> AnalysisResult:
    """The analysis of one run, or of a history file that was dropped in."""
    opened = st.session_state.get(OPENED, {})
    return opened[run] if run in opened else _result(key(), run)


@st.cache_resource(ttl=FRESH_S, max_entries=64, show_spinner="Reading the run...")
def _result(key: tuple, run: str) -> AnalysisResult:
    return _analyzer(*key).analyze_model(run)


def experiments() -> list:
    """The experiments of the store."""
    return _experiments(key())


@st.cache_resource(ttl=FRESH_S, max_entries=8, show_spinner=False)
def _experiments(key: tuple) -> list:
    return _analyzer(*key).source.experiments()


def forget() -> None:
    """Read all but scans again."""
    for cached in (_compare, _runs, _result, _experiments, _models, _history):
        cached.clear()
