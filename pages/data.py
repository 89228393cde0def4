"""The data: its versions, a check of a split, what is in a set, and where a run's data came from."""

import streamlit as st

from copilot.ui import data_describe, data_lineage, data_pipeline, data_split, data_view, state
from copilot.ui.data_drift import images_moved
from copilot.ui.frame import PAGE
from copilot.ui.notices import guard, notice, plain


def versions() -> None:
    path = state.settings().dvc.data_path
    if not path:
        wanted = notice(
            "folder_off",
            "No data set is named",
            "Set `dvc.repo` (a Git repository with DVC) and `dvc.data_path` (the tracked folder of images) in the "
            "settings, and every version of the data appears here. Checking and describing images works without.",
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
    with guard("The comparison of the images"):
        images_moved(comparison)
    data_view.pictures(comparison)
    data_view.files(comparison)


VIEWS = {
    "versions": ("Versions", versions),
    "split": ("Check a split", data_split.check_split),
    "describe": ("Describe", data_describe.describe),
    "lineage": ("Lineage", data_lineage.lineage),
    "pipeline": ("Pipeline", data_pipeline.pipeline),
}


def pick_view() -> str:
    """What to look at; in the address, without the first one."""
    usual, asked = next(iter(VIEWS)), st.query_params.get("view")
    chosen = st.segmented_control(
        "View",
        list(VIEWS),
        default=asked if asked in VIEWS else usual,
        required=True,
        format_func=lambda name: VIEWS[name][0],
        key="data-view",
        label_visibility="collapsed",
    )
    chosen = chosen if chosen in VIEWS else usual
    if chosen != (asked or usual):
        st.query_params["view"] = chosen
    return chosen


st.title("Data", anchor=False)
title, show = VIEWS[pick_view()]
with guard("The data"):
    show()
