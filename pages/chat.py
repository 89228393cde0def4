"""Questions about one run, answered from its evidence."""

import streamlit as st

from copilot.ui import state
from copilot.ui.chat_view import chat, column, question_box
from copilot.ui.notices import guard
from copilot.ui.pickers import pick_run

body, result = column(), None
with body:
    st.title("Chat", anchor=False)
    if not state.run_id():
        st.caption("Choose the run that the questions are about.")
    with guard("The run"):
        result = pick_run()
if result is not None:
    question = question_box()
    with body, guard("The chat"):
        chat(result, st.query_params["run"], question)
