"""Choosing a run of the experiment; the choice lives in the address."""

from __future__ import annotations

import streamlit as st

from copilot.errors import CopilotError
from copilot.ui import state
from copilot.ui.notices import plain
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

_MOST = 1_000


def run_names(ids: tuple[str, ...] = ()) -> dict[str, str]:
    """Runs of the experiment by id, newest first, with what people call them; `ids` are there in any case.

    Raises
    ------
    CopilotError
        The store cannot be read.
    """
    experiment = state.experiment()
    if not state.settings().mlflow.tracking_uri or not experiment:
        return {run_id: clean_text(run_id, 60) for run_id in ids}
    found = {run.run_id: clean_text(run.name, 60) for run in state.runs(experiment, _MOST)}
    return distinct({**{run_id: clean_text(run_id, 60) for run_id in ids if run_id not in found}, **found})


def run_field(label: str, key: str, parameter: str, *, help: str = "") -> str | None:
    """A run, or none: the one that `parameter` of the address names at first. Without a store nothing is drawn."""
    if not state.settings().mlflow.tracking_uri:
        return None
    asked = st.query_params.get(parameter) or None
    try:
        names = run_names((asked,) if asked else ())
    except CopilotError as error:
        st.caption(f":material/cloud_off: The runs cannot be listed: {plain(error)}")
        return asked
    options = list(names)
    chosen = st.selectbox(
        label,
        options,
        index=options.index(asked) if asked else None,
        format_func=names.get,
        placeholder="No run" if options else "This experiment has no runs",
        disabled=not options,
        help=help or None,
        key=key,
        width=420,
    )
    if chosen == asked:
        return chosen
    if chosen:
        st.query_params[parameter] = chosen
    else:
        st.query_params.pop(parameter, None)
    st.rerun()  # the links of the header were drawn with the other run
