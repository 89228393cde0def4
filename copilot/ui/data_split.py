"""Looking in a split's images for causes of overfitting: what to look at, all of it in the address."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from copilot.ui import jobs_view
from copilot.ui.data_findings import split_results
from copilot.ui.data_runs import run_field
from copilot.ui.image_set_field import image_set_field, is_there
from copilot.ui.model_checks_form import TRAIN_NAMES, VAL_NAMES
from copilot.ui.notices import guard, plain

KIND = "inspect_data"
_IN_ADDRESS = {"bind": "query-params"}
_FILE_HELP = (
    "What a model said of the validation images. CSV: a column `image` and one a class, or `image`, `predicted` and "
    "`confidence`; or an .npz with `probabilities` in the order of the images. With it, wrong labels are found better."
)
_GROUPS_HELP = (
    "A regular expression that finds the patient, video or camera in an image's name, for instance `patient_(\\d+)`. "
    "A group with images on both sides of the split leaks."
)


def check_split() -> None:
    """The form, then what the chosen checks found."""
    found = jobs_view.jobs_of(KIND)
    with guard("The form"):
        _form(fresh=not found)
    with guard("The results"):
        split_results(found)


def _form(fresh: bool) -> None:
    with st.expander("New checks", expanded=fresh, icon=":material/add_task:", key="split-form"):
        run = run_field(
            "Run (optional)",
            "split-run",
            "run",
            help="The run that was trained on these images: the findings then stand beside those of its curves.",
        )
        left, right = st.columns(2)
        with left:
            train = image_set_field("Training images", "data-train", TRAIN_NAMES, empty_allowed=bool(run))
            predictions = _predictions()
        with right:
            val = image_set_field("Validation images", "data-val", VAL_NAMES, empty_allowed=bool(run))
            groups = _groups_pattern()
        missing = _missing(run, (train, val), predictions, groups)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            start = st.button(
                "Start", type="primary", icon=":material/play_arrow:", disabled=bool(missing), key="split-start"
            )
            refresh = st.checkbox("Measure known images again", key="split-again", **_IN_ADDRESS)
        st.caption(
            f":material/info: {missing}"
            if missing
            else "Looks for images that are on both sides, wrong labels, poor images, few or uneven validation images. "
            "Images that were measured before are not measured again."
        )
        if start:
            asked = {"train": train, "val": val, "run_id": run, "predictions": predictions, "groups_pattern": groups}
            submit({**asked, "refresh": refresh})


def submit(asked: dict[str, Any]) -> None:
    """Start the checks with what was filled in."""
    jobs_view.submit(KIND, {name: value for name, value in asked.items() if value})
    st.rerun()  # the form was drawn unfolded before the job was there


def _predictions() -> str:
    typed = st.text_input(
        "Predictions (optional)",
        placeholder="/path/to/predictions.csv",
        help=_FILE_HELP,
        key="data-said",
        **_IN_ADDRESS,
    )
    named = (typed or "").strip()
    if named and not is_there(named):
        st.caption(f":red[:material/error: There is no such file:] {plain(named, 120)}")
    return named


def _groups_pattern() -> str:
    typed = st.text_input(
        "Groups in the names (optional)",
        placeholder=r"patient_(\d+)",
        help=_GROUPS_HELP,
        key="data-groups",
        **_IN_ADDRESS,
    )
    return (typed or "").strip()


def _missing(run: str | None, sets: tuple[str, str], predictions: str, groups: str) -> str:
    """What must be filled in or mended before anything can run; empty when all is there."""
    if not all(sets) and not run:
        return "Name two sets of images to begin, or choose the run that was trained on them."
    if not all(is_there(named) for named in sets if named):
        return "One of the sets of images is not there."
    if predictions and not is_there(predictions):
        return "The file of predictions is not there."
    try:
        re.compile(groups)
    except re.error as error:
        return f"The pattern of groups is no regular expression: {plain(error, 120)}."
    return ""
