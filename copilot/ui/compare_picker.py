"""Which runs to compare, with which of them, and on which axis; all of it lives in the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import streamlit as st

from copilot.core.comparisons.document import AXES
from copilot.ui import state
from copilot.ui.notices import notice
from copilot.ui.pickers import pick_experiment
from copilot.ui.scans import limit
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

MAX_RUNS = 24


def choose_runs(names: Mapping[str, str], gone: Collection[str] = ()) -> None:
    """Pick runs of an experiment; those in the address are picked already, but for those that are `gone`.

    `names` tells them by id, where they are known.
    """
    experiment = pick_experiment()
    if experiment is None:
        notice(
            "inbox", "No experiments yet", "This store is empty. Log a run with MLflow, or start `mlops-copilot demo`."
        )
        return
    found = {r.run_id: clean_text(r.name, 60) for r in state.runs(experiment, limit(experiment))}
    chosen = [i for i in state.compared_ids() if i not in gone]
    options = distinct({**found, **{i: names.get(i) or found.get(i) or clean_text(i, 60) for i in chosen}})
    if len(options) < 2:
        notice("inbox", "Nothing to compare yet", "This experiment has fewer than two runs. Pick another one.")
        return
    picked = st.multiselect(
        "Runs",
        list(options),
        default=[i for i in chosen if i in options][:MAX_RUNS],
        format_func=options.get,
        max_selections=MAX_RUNS,
        placeholder="Choose two runs or more",
        key="compare-runs",
    )
    label = f"Compare {len(picked)} runs" if len(picked) > 1 else "Choose two runs or more"
    if st.button(label, icon=":material/compare_arrows:", type="primary", disabled=len(picked) < 2, key="compare-go"):
        st.query_params["runs"] = ",".join(picked)
        if st.query_params.get("baseline") not in picked:
            st.query_params.pop("baseline", None)
        st.rerun()


def baseline_id(ids: tuple[str, ...]) -> str:
    """The run that the address names as baseline, else the first."""
    named = st.query_params.get("baseline")
    return named if named in ids else ids[0]


def pick_baseline(names: Mapping[str, str], current: str) -> None:
    """Choose what the others are measured against."""
    options = list(names)
    chosen = st.selectbox(
        "Baseline",
        options,
        index=options.index(current) if current in options else 0,
        format_func=names.get,
        key="baseline-picker",
        width=260,
        help="The run that the others are measured against.",
    )
    if chosen != current:
        st.query_params["baseline"] = chosen
        st.rerun()


def axis() -> str:
    """The axis in the address, else epochs."""
    named = st.query_params.get("axis")
    return named if named in AXES else AXES[0]


def pick_axis(current: str) -> None:
    """Choose what curves are aligned by."""
    chosen = st.segmented_control(
        "Axis",
        AXES,
        default=current,
        required=True,
        format_func=str.capitalize,
        key="compare-axis",
        help="Epochs, logged steps, or the time since each run's start.",
    )
    if chosen and chosen != current:
        st.query_params["axis"] = chosen
        st.rerun()
