"""Write docs/checks/: a page for each built-in check, from its docstring and thresholds, and their index.

Run it when a check has changed: .venv/bin/python scripts/write_check_pages.py
"""

from __future__ import annotations

from pathlib import Path

from copilot.analyzer import CopilotAnalyzer
from copilot.plugins import third_party_checks
from copilot.reporting.check_page import check_pages
from copilot.utils.config import Settings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "checks"


def pages() -> dict[str, str]:
    """Text by file name, at the default settings, whatever the environment holds and whichever plugins are here."""
    theirs = {check.code for check in third_party_checks()}
    own = CopilotAnalyzer(Settings.model_construct()).describe_checks()
    return check_pages([check for check in own if check.code not in theirs])


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
