"""One run: the verdict, why, what to do, and the evidence."""

import streamlit as st

from copilot.ui import run_view, state
from copilot.ui.curves import curves
from copilot.ui.frame import PAGE
from copilot.ui.notices import guard
from copilot.ui.pickers import pick_run

with guard("This run"):
    result = pick_run()
    if result is not None:
        analysis = result.analysis
        run_view.headline(analysis)
        run_view.figures(analysis)
        left, right = st.columns([3, 1.4], gap="medium")
        with left:
            curves(analysis)
        with right:
            run_view.why(analysis)
            run_view.downloads(analysis)
            st.page_link(PAGE["chat"], label="Ask about this run", icon=":material/forum:", query_params=state.link())
        run_view.what_to_do(analysis)
        run_view.findings(analysis)
        run_view.evidence_table(analysis, st.query_params.get("evidence"))
        run_view.warnings(analysis)
