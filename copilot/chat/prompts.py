"""Prompt and answer texts from ``prompts/``: one file a text, its placeholders checked when it is loaded."""

from __future__ import annotations

import string
from functools import cache

from copilot.errors import ToolError
from copilot.utils.resources import app_folder


@cache
def load_prompt(name: str, placeholders: tuple[str, ...] = ()) -> str:
    """The text of ``prompts/<name>.md``.

    Parameters
    ----------
    name : str
        For instance ``answers/when``.
    placeholders : tuple of str
        The names that will be filled in; the file may use these and no others.

    Raises
    ------
    ToolError
        The file is missing, or has a placeholder that nobody fills.
    """
    path = app_folder() / "prompts" / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8").strip()
        used = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except (OSError, ValueError) as error:
        raise ToolError(f"The prompt {name} cannot be read: {error}", "Install mlops-copilot again.") from error
    if unknown := used - set(placeholders):
        raise ToolError(f"The prompt {name} has unknown placeholders: {', '.join(sorted(unknown))}.", "Mend the file.")
    return text
