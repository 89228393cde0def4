"""Deepchecks on a trained model and its images."""

import streamlit as st

from copilot.ui.model_checks import check_form, check_results
from copilot.ui.notices import guard

st.title("Model checks", anchor=False)
with guard("The form"):
    check_form()
with guard("The results"):
    check_results()
