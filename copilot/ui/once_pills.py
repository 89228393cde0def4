"""Pills that act once: a click is handed over a single time, and the pill is free again."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


def once_pills(label: str, options: Sequence[str], key: str, *, label_visibility: str = "visible") -> None:
    """Draw the pills; `taken` tells which was clicked.

    Clearing a pill by program is not enough: a fragment that refreshes at that moment sends the old click again. So
    each click is counted, a used round is ignored, and the next round has a key of its own.
    """
    turn = st.session_state.setdefault(f"{key}-turn", 0)
    st.pills(
        label,
        options,
        key=f"{key}-{turn}",
        on_change=_take,
        args=(key, turn),
        label_visibility=label_visibility,
    )


def taken(key: str) -> str:
    """The option that was just clicked, once; else an empty text. Known before the pills are drawn."""
    return st.session_state.pop(f"{key}-taken", "")


def _take(key: str, turn: int) -> None:
    if turn == st.session_state[f"{key}-turn"]:
        st.session_state[f"{key}-taken"] = st.session_state[f"{key}-{turn}"] or ""
        st.session_state[f"{key}-turn"] = turn + 1
