"""Starts Streamlit on the dashboard. Use `mlops-copilot dashboard`."""

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

if __name__ == "__main__":
    # Else a link straight to a page, opened before app.py ran once, would show the page without its frame.
    PagesManager.uses_pages_directory = False
    main()
