"""Ticked runs: where to go with them."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from copilot.ui.notices import plain
from copilot.utils.names import distinct

HINT = "Click a run to open it. Tick two or more to compare them."


def compare_bar(ticked: Mapping[str, str], hint: str = HINT) -> tuple[str, ...]:
    """The bar below the table; the ids of the ticked runs (names by id) once their comparison is asked for."""
    names = distinct(ticked)
    if len(names) < 2:
        one = next(iter(names.values()), None)
        st.caption(f"{plain(one)} is ticked. Tick one more to compare the two." if one else hint)
        return ()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare-bar"):
        asked = st.button(f"Compare {len(names)} runs", icon=":material/compare_arrows:", type="primary", key="compare")
        st.caption(plain(", ".join(names.values()), 160), width="content")
    return tuple(names) if asked else ()
