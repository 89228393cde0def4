"""A registered model over its versions: which is the best, and where it got worse."""

import streamlit as st

from copilot.ui import state, versions_view
from copilot.ui.compare_bar import compare_bar
from copilot.ui.frame import PAGE
from copilot.ui.notices import guard, notice
from copilot.ui.pickers import no_store

HINT = "Click a version to open its run. Tick two or more to compare them."


def show() -> None:
    if not state.settings().mlflow.tracking_uri:
        no_store()
        return
    names = [model.name for model in state.models()]
    if not names:
        notice(
            "deployed_code",
            "No registered models",
            "This store has none. Register one with `mlflow.register_model`, and its versions are compared here.",
        )
        return
    found = state.history(versions_view.pick_model(names)).comparison
    versions_view.headline(found)
    versions_view.sentences(found)
    versions_view.line(found)
    picked = versions_view.versions_table(found)
    if picked.opened:
        st.switch_page(PAGE["run"], query_params=state.link(picked.opened))
    if ids := compare_bar(picked.ticked, HINT):
        st.switch_page(PAGE["compare"], query_params=state.link() | {"runs": ",".join(ids)})


st.title("Models", anchor=False)
with guard("The model's versions"):
    show()
