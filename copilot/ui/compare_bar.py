"""Ticked runs: open the one, or compare several with one of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from copilot.core.comparisons.document import Comparison
from copilot.results import AnalysisResult
from copilot.ui import state
from copilot.utils.names import distinct
from copilot.utils.validators import clean_text

_ASKED = "compared"  # session: the ids that were last compared, the baseline first
HINT = "Click a run to open it. Tick two or more to compare them."


def compare_bar(ticked: Sequence[AnalysisResult]) -> Comparison | None:
    """The bar below the table; the comparison of the ticked runs once it was asked for."""
    names = distinct({r.analysis.subject.run_id: _name(r) for r in ticked})
    if len(names) < 2:
        one = next(iter(names.values()), None)
        st.caption(f"{one} is ticked. Tick one more to compare the two." if one else HINT)
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare-bar"):
        baseline = st.selectbox("Compare with", list(names), format_func=names.get, key="baseline-picker", width=260)
        ids = (baseline, *(i for i in names if i != baseline))
        if st.button(f"Compare {len(ids)} runs", icon=":material/compare_arrows:", type="primary", key="compare"):
            st.session_state[_ASKED] = ids
    return state.compare(ids).comparison if st.session_state.get(_ASKED) == ids else None


def _name(result: AnalysisResult) -> str:
    subject = result.analysis.subject
    return clean_text(subject.run_name or subject.run_id, 60)
