"""The frame around every page: our own header with navigation, experiment, tracking state and jobs."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from copilot.errors import CopilotError
from copilot.ui import state
from copilot.ui.job_tray import job_tray
from copilot.utils.resources import app_folder

_FOLDER = app_folder() / "pages"
_SCREENS = (
    ("runs", "Runs", "table_rows"),
    ("run", "Run", "show_chart"),
    ("compare", "Compare", "compare_arrows"),
    ("models", "Models", "deployed_code_history"),
    ("model_checks", "Model checks", "fact_check"),
    ("data", "Data", "database"),
    ("research", "Research", "menu_book"),
    ("chat", "Chat", "forum"),
    ("settings", "Settings", "settings"),
)
PAGES = [
    st.Page(_FOLDER / f"{name}.py", title=title, icon=f":material/{icon}:", url_path=name, default=name == "runs")
    for name, title, icon in _SCREENS
]
PAGE = dict(zip((name for name, *_ in _SCREENS), PAGES, strict=True))
# Hide what belongs to Streamlit's own chrome, and keep the header calm on a phone.
_STYLE = """
<style>
[data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: 1320px; padding-left: 2.5rem; padding-right: 2.5rem; }
.st-key-header { border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); padding-bottom: .35rem; }
.st-key-header [data-testid="stPageLink-NavLink"] { padding: .2rem .45rem; }
.st-key-verdict-counts > *, .st-key-figures > * { min-width: 9rem; }
@media (min-width: 641px) { .st-key-verdict-counts > *, .st-key-figures > * { flex: 1 1 0; } }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: .9rem; padding-right: .9rem; }
  .st-key-header [data-testid="stPageLink-NavLink"] { padding: .15rem .3rem; }
  .st-key-parallel { overflow-x: auto; }
  .st-key-parallel > * { min-width: 40rem; }
  .st-key-pictures { flex-wrap: nowrap; overflow-x: auto; }
  .st-key-verdict-counts { gap: .4rem; }
  .st-key-verdict-counts > * { min-width: 7.2rem; }
  .st-key-verdict-counts [data-testid="stMetric"] > div { padding: .45rem .5rem; }
}
</style>
"""


def frame(page: StreamlitPage) -> None:
    """Draw the header of `page`."""
    st.set_page_config(page_title=f"{page.title} · MLOps Copilot", page_icon=":material/monitoring:", layout="wide")
    st.html(_STYLE)
    with st.container(key="header", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown("**:material/monitoring: MLOps Copilot**", width="content")
            _where()
            st.space("stretch")
            with st.container(width="content"):
                job_tray()
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            for target in PAGES:
                st.page_link(target, query_params=state.link())


def _where() -> None:
    """Which store is read, and whether it answers."""
    try:
        uri = state.settings().mlflow.tracking_uri
        text = state.analyzer().source.public_uri if uri else "no tracking URI"
        state.experiments() if uri else None
        icon, color = ("database", "green") if uri else ("link_off", "gray")
    except CopilotError as error:
        text, icon, color = error.message, "cloud_off", "red"
    st.badge(
        _short(text),
        icon=f":material/{icon}:",
        color=color,
        help="The MLflow store that is read. Change it under Settings.",
    )


def _short(text: str, limit: int = 48) -> str:
    from copilot.ui.notices import plain

    return plain(text if len(text) <= limit else "…" + text[-limit + 1 :], limit)
