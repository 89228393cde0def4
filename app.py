"""The dashboard: navigation and nothing else."""

import streamlit as st

from copilot.ui.frame import PAGES, frame

page = st.navigation(PAGES, position="hidden")
frame(page)
page.run()
