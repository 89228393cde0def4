"""Naming a set of images: a text of any of the accepted forms, and what these are."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from copilot.ui import state
from copilot.ui.notices import plain

AS_LOGGED = "As the run logged them"
_NO_PATH = re.compile(r"(dvc|mlflow):.*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.DOTALL)
_FORMS = (
    ("a folder", "one folder of images a class; or images beside labels or masks", "data/train"),
    ("a table", "CSV or TSV with a path and a label a row", "train.csv"),
    ("arrays", "an .npz with images and labels", "digits.npz#train"),
    ("COCO", "a .json of annotations, images beside it", "instances_val.json"),
    ("YOLO", "its data.yaml, and which split", "data.yaml#val"),
    ("DVC", "a tracked folder as a revision had it", "dvc:v1.2:images/train"),
    ("MLflow", "a data set that a run logged", "mlflow:RUN_ID#training"),
)
FORMS = "\n".join(f"- **{name}**: {what}, `{example}`" for name, what, example in _FORMS)


def image_set_field(label: str, key: str, names: tuple[str, ...], *, empty_allowed: bool) -> str:
    """A field for a set of images, filled in where the data folder of the settings has one of `names`.

    Paths that are not there are told at once; whether the rest opens is told by the job.
    """
    typed = st.text_input(
        label,
        value=str(_usual(names) or ""),
        placeholder=AS_LOGGED if empty_allowed else "/path/to/images",
        help=f"On the machine that runs the dashboard:\n{FORMS}\n\n`#SPLIT` after a path chooses a split."
        + (f"\n\nLeft empty: {AS_LOGGED[0].lower()}{AS_LOGGED[1:]}." if empty_allowed else ""),
        key=key,
        bind="query-params",
    )
    named = (typed or "").strip()
    if named and not is_there(named):
        st.caption(f":red[:material/error: There is no such file or folder:] {plain(named, 120)}")
    return named


def is_there(named: str) -> bool:
    """False for a path, with or without a split behind it, that names nothing."""
    if _NO_PATH.fullmatch(named):
        return True
    paths = [Path(text).expanduser() for text in (named, named.rpartition("#")[0]) if text]
    try:
        return any(path.exists() for path in paths)
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def _usual(names: tuple[str, ...]) -> Path | None:
    dvc = state.settings().dvc
    root = Path(dvc.repo or ".").expanduser() / dvc.data_path if dvc.data_path else None
    return next((root / name for name in names if (root / name).is_dir()), None) if root else None
