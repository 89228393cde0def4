"""Files that the application needs beside its code: the dashboard's script and pages, and the prompts."""

from __future__ import annotations

from pathlib import Path

from copilot.errors import ToolError

_PACKAGE = Path(__file__).resolve().parents[1]


def app_folder() -> Path:
    """The folder that holds ``app.py``, ``pages/`` and ``prompts/``: in the wheel ``copilot/_app``, else the checkout.

    Raises
    ------
    ToolError
        The installation is incomplete.
    """
    for folder in (_PACKAGE / "_app", _PACKAGE.parent):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder
    raise ToolError("The dashboard's files are missing from this installation.", "Install mlops-copilot again.")
