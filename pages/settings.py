"""Which store is read, what works, what is set, what the checks look for, and the jobs."""

import streamlit as st

from copilot.ui import settings_view
from copilot.ui.notices import guard

_PARTS = {
    "Health": settings_view.health,
    "Settings": settings_view.in_force,
    "Checks": settings_view.checks,
    "Jobs": settings_view.job_history,
}

st.title("Settings", anchor=False)
with guard("The store"):
    settings_view.store_picker()
part = st.segmented_control(
    "Part", list(_PARTS), default="Health", required=True, key="settings-part", label_visibility="collapsed"
)
with guard(f"{part}"):
    _PARTS[part]()
