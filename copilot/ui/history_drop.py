"""A history file dropped in: analysed for this session, without MLflow; nothing is kept on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from copilot.ui import state
from copilot.utils.validators import safe_file_name

_KINDS = ["csv", "tsv", "txt", "json", "jsonl"]


def history_drop() -> None:
    """The uploader; a file that can be read opens as a run."""
    from copilot.ui.frame import PAGE

    empty = not state.settings().mlflow.tracking_uri
    with st.expander("Open a history file without MLflow", icon=":material/upload_file:", expanded=empty):
        file = st.file_uploader(
            "CSV or JSON of curves: Keras, Lightning, Ultralytics, timm, or columns such as train_loss and val_loss",
            type=_KINDS,
            key="history-file",
        )
        if file is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / safe_file_name(file.name, "history.csv")
            path.write_bytes(file.getvalue())
            result = state.analyzer().analyze_history(path)
        key = f"file-{file.file_id}"
        st.session_state.setdefault(state.OPENED, {})[key] = result
        st.page_link(
            PAGE["run"],
            label=f"Open the analysis: {result.diagnosis.verdict}",
            icon=":material/show_chart:",
            query_params={"run": key},
        )
