"""A trained model and its images: what probes and Deepchecks find, and how that compares with earlier checks."""

import streamlit as st

from copilot.ui.jobs_view import jobs_of
from copilot.ui.model_checks_form import KIND, check_form
from copilot.ui.model_checks_results import check_results
from copilot.ui.notices import guard

st.title("Model checks", anchor=False)
with guard("The form"):
    check_form(fresh=not jobs_of(KIND))
with guard("The results"):
    check_results(jobs_of(KIND))
