"""What to check and how: a model or its predictions, two sets of images, a suite, probes. All of it is in the address.

So a reload, or a link that is passed on, opens the form as it was left.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from copilot.core.checks.describe import describe
from copilot.errors import CopilotError
from copilot.ui import jobs_view, state
from copilot.ui.image_set_field import image_set_field, is_there
from copilot.ui.model_checks_models import NONE, models, suite_name
from copilot.ui.notices import plain
from copilot.utils.config import Settings
from copilot.utils.validators import clean_text

KIND = "validate"
MODEL, FILES = "A model", "Files of its predictions"
TRAIN_NAMES, VAL_NAMES = ("train", "training"), ("val", "valid", "validation", "test")
_IN_ADDRESS = {"bind": "query-params"}
_FILE_HELP = (
    "CSV: a column `image` and one a class, or `image`, `predicted` and `confidence`. An .npz with `probabilities` in "
    "the order of the images, or COCO results (.json). Nothing of the model itself runs."
)


def check_form(fresh: bool) -> None:
    """The form; folded once there is something to read below it, unless `fresh`."""
    with st.expander("New checks", expanded=fresh, icon=":material/add_task:", key="check-form"):
        what = st.segmented_control(
            "What to check",
            [MODEL, FILES],
            default=MODEL,
            required=True,
            key="check-what",
            label_visibility="collapsed",
            **_IN_ADDRESS,
        )
        asked = _pick_files() if what == FILES else _pick_model()
        logged = bool(asked.get("model_uri")) and bool(state.settings().mlflow.tracking_uri)
        left, right = st.columns(2)
        with left:
            train = image_set_field("Training images", "check-train", TRAIN_NAMES, empty_allowed=logged)
        with right:
            test = image_set_field("Validation images", "check-val", VAL_NAMES, empty_allowed=logged)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="check-how"):
            suite = _pick_suite()
            with st.popover("More options", icon=":material/tune:"):
                options, samples = _options()
            missing = _missing(what, asked, (train, test), logged) or _nothing(suite, options)
            start = st.button("Start", type="primary", icon=":material/play_arrow:", disabled=bool(missing))
        _below(missing, suite, options)
        if start:
            named = {name: text for name, text in (("train", train), ("test", test)) if text}
            jobs_view.submit(KIND, {**asked, **named, "suite": suite, **options}, _sampled(samples))
            st.rerun()  # the page's other parts were drawn, or folded, before the job was there


def _pick_model() -> dict[str, Any]:
    try:
        choices, trouble = models(), ""
    except CopilotError as error:
        choices, trouble = {}, str(error)
    model = st.selectbox(
        "Model",
        list(choices),
        index=0 if choices else None,
        format_func=lambda uri: choices.get(uri, clean_text(uri)),
        accept_new_options=True,
        placeholder="Choose a model, or type an address or a file",
        help="A run, a registered version, or what you type: `runs:/ID/model`, `models:/NAME/3`, `models:/NAME@ALIAS`, "
        "or the path of an exported program (.pt2).",
        key="check-model",
        **_IN_ADDRESS,
    )
    if trouble:
        st.caption(f":material/cloud_off: The store's models cannot be listed: {plain(trouble)}")
    return {"model_uri": model.strip()} if model and model.strip() else {}


def _pick_files() -> dict[str, Any]:
    files = []
    for column, which in zip(st.columns(2), ("training", "validation"), strict=True):
        with column:
            typed = st.text_input(
                f"Predictions for the {which} images",
                placeholder="/path/to/predictions.csv",
                help=_FILE_HELP,
                key=f"check-said-{which}",
                **_IN_ADDRESS,
            )
            files.append((typed or "").strip())
            if files[-1] and not is_there(files[-1]):
                st.caption(f":red[:material/error: There is no such file:] {plain(files[-1], 120)}")
    return {"predictions": files} if all(files) else {}


def _pick_suite() -> str:
    analyzer = state.analyzer()
    suites, usual = [*analyzer.suites(), NONE], analyzer.settings.deepchecks.suite
    return st.selectbox(
        "Deepchecks suite",
        suites,
        index=suites.index(usual) if usual in suites else 0,
        format_func=suite_name,
        help="Checks of the images and of the model's scores, by Deepchecks.",
        key="check-suite",
        width=380,
        **_IN_ADDRESS,
    )


def _options() -> tuple[dict[str, Any], int | None]:
    """What differs from the settings: arguments of `validate`, and how many images to look at."""
    analyzer, settings = state.analyzer(), state.settings()
    usual, chosen = settings.probes.run, []
    st.markdown("**Probes**", help="What the model itself is asked. Each costs some time.")
    for probe in analyzer.probes:
        claim = describe(probe).claim
        ticked = st.checkbox(
            plain(probe.title, 60),
            value=not usual or probe.name in usual,
            help=f"{probe.code}: {plain(claim, 400)}" if claim else probe.code,
            key=f"probe-{probe.name}",
            **_IN_ADDRESS,
        )
        chosen += [probe.name] if ticked else []
    if not analyzer.probes:
        st.caption("No probe is installed.")
    samples = st.number_input(
        "Images of each set, at most",
        min_value=20,
        max_value=100_000,
        value=None,
        step=100,
        placeholder="As in the settings",
        help=f"In the settings: {settings.probes.max_samples:,} for probes, {settings.deepchecks.max_samples:,} for "
        "Deepchecks. Larger sets are sampled at random, the same images each time.",
        key="check-samples",
        **_IN_ADDRESS,
    )
    refresh = st.checkbox("Do it again, though nothing has changed", key="check-again", **_IN_ADDRESS)
    everything = len(chosen) == len(analyzer.probes)
    probes = {} if everything and chosen and not usual else {"probes": chosen or [NONE]}
    return {**probes, **({"refresh": True} if refresh else {})}, samples


def _sampled(samples: int | None) -> Settings | None:
    """The settings with that number of images; None for those in force."""
    if samples is None:
        return None
    settings = state.settings()
    changed = {
        name: getattr(settings, name).model_copy(update={"max_samples": int(samples)})
        for name in ("probes", "deepchecks")
    }
    return settings.model_copy(update=changed)


def _missing(what: str | None, asked: dict[str, Any], sets: tuple[str, str], logged: bool) -> str:
    """What must be filled in before anything can run; empty when all is there."""
    if not asked:
        return "Name the two files of predictions to begin." if what == FILES else "Choose a model to begin."
    if not all(map(is_there, (f for f in asked.get("predictions", ())))):
        return "The files of predictions are not there."
    if not all(sets) and not logged:
        return "Name two sets of images to begin."
    if not all(is_there(named) for named in sets if named):
        return "One of the sets of images is not there."
    return ""


def _nothing(suite: str, options: dict[str, Any]) -> str:
    return (
        "Choose a suite or a probe: there is nothing to run."
        if (suite, options.get("probes")) == (NONE, [NONE])
        else ""
    )


def _below(missing: str, suite: str, options: dict[str, Any]) -> None:
    """What is missing, or what the button starts."""
    if missing:
        st.caption(f":material/info: {missing}")
        return
    names = options.get("probes")
    probes = "no probes" if names == [NONE] else f"{len(names)} probes" if names else "all probes"
    tool = "without Deepchecks" if suite == NONE else "with Deepchecks (AGPL) in a process of its own"
    st.caption(f"Runs {probes}, {tool}, within the limits of memory and time in the settings. Takes a few minutes.")
