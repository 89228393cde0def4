"""One recommendation: what to do, why, what to expect, and the papers that show it."""

from __future__ import annotations

import streamlit as st

from copilot.core.findings import Recommendation
from copilot.reporting.words import paper_label, paper_link
from copilot.ui.notices import plain


def advice(item: Recommendation, lead: str = "") -> None:
    """Draw `item`; `lead` stands before its action, such as a number."""
    st.markdown(f"**{lead}{plain(item.action)}**")
    st.markdown(f"{plain(item.why)} {plain(item.expected_effect)}")
    if item.papers:
        st.caption("Shown in " + " · ".join(f"[{plain(paper_label(p))}]({paper_link(p)})" for p in item.papers))
