"""Papers that show a remedy: asked of arXiv and Semantic Scholar, kept in a library."""

import streamlit as st

from copilot.ui.notices import guard
from copilot.ui.paper_list import library_line, search_box, search_results

st.title("Research", anchor=False)
with guard("The search"):
    search_box()
with guard("The papers"):
    search_results()
with guard("The library"):
    library_line()
