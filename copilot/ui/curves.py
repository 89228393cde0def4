"""The curves of a run: training and validation with the best epoch, the onset and the gap."""

from __future__ import annotations

import streamlit as st

from copilot.core.findings import Analysis
from copilot.reporting.charts import curve_figure

_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"], "responsive": True}


def curves(analysis: Analysis) -> None:
    """The leading pair large, the others as small multiples."""
    pairs = analysis.history.pairs
    if not pairs:
        st.caption("This run logged no curves.")
        return
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        log_scale = st.toggle("Log scale", key="log-scale")
        smooth = st.toggle("Smooth", key="smooth", help="A moving mean; the raw values stay as thin lines.")
    _chart(analysis, 0, log_scale, smooth, height=380)
    side_by_side = min(len(pairs) - 1, 2)
    for start in range(1, len(pairs), 2):
        for column, index in zip(st.columns(side_by_side), range(start, min(start + 2, len(pairs))), strict=False):
            with column:
                _chart(analysis, index, log_scale, smooth, height=260)


def _chart(analysis: Analysis, index: int, log_scale: bool, smooth: bool, height: int) -> None:
    pair = analysis.history.pairs[index]
    dark = st.context.theme.type == "dark"
    figure = curve_figure(analysis, pair, log_scale=log_scale, smoothing=5 if smooth else 0, dark=dark)
    figure.update_layout(height=height)
    st.plotly_chart(
        figure, config=_CONFIG, key=f"curve-{index}", alt=f"Training and validation {pair.quantity} by epoch"
    )
