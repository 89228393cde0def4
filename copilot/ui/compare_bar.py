"""Ticked runs: where to go with them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from copilot.results import AnalysisResult
from copilot.ui.notices import plain
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

HINT = "Click a run to open it. Tick two or more to compare them."


def compare_bar(ticked: Sequence[AnalysisResult]) -> tuple[str, ...]:
    """The bar below the table; the ids of the ticked runs once their comparison is asked for."""
    names = distinct({r.subject.run_id: _name(r) for r in ticked})
    if len(names) < 2:
        one = next(iter(names.values()), None)
        st.caption(f"{plain(one)} is ticked. Tick one more to compare the two." if one else HINT)
        return ()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare-bar"):
        asked = st.button(f"Compare {len(names)} runs", icon=":material/compare_arrows:", type="primary", key="compare")
        st.caption(plain(", ".join(names.values()), 160), width="content")
    return tuple(names) if asked else ()


def _name(result: AnalysisResult) -> str:
    subject = result.subject
    return clean_text(subject.run_name or subject.run_id, 60)
