"""Versions of the data, and what moved between two of them."""

import streamlit as st

from copilot.ui import data_view, state
from copilot.ui.frame import PAGE
from copilot.ui.notices import guard, notice, plain


def show() -> None:
    path = state.settings().dvc.data_path
    if not path:
        wanted = notice(
            "folder_off",
            "No data set is named",
            "Set `dvc.repo` (a Git repository with DVC) and `dvc.data_path` (the tracked folder of images) in the "
            "settings, and every version of the data appears here.",
            button="Open Settings",
            key="no-data",
        )
        if wanted:
            st.switch_page(PAGE["settings"], query_params=state.link())
        return
    found = data_view.versions()
    st.caption(f"{plain(path)} · {len(found)} version{'' if len(found) == 1 else 's'}")
    data_view.versions_table(found)
    st.subheader("What moved", anchor=False)
    chosen = data_view.pick_two(found)
    if chosen:
        with guard("The comparison"):
            compare(*chosen)


def compare(before: str, after: str) -> None:
    comparison = data_view.comparison(before, after)
    data_view.what_moved(comparison)
    data_view.class_charts(comparison)
    data_view.pictures(comparison)
    data_view.files(comparison)


st.title("Data", anchor=False)
with guard("The data"):
    show()
