"""What people type, and text that comes from outside: URIs, paths, names, sizes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from copilot.errors import InputError

_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u061c\ud800-\udfff\U000e0000-\U000e007f]+"
)
_PLAIN = re.compile(r"[!-~]*")  # most names: nothing to clean
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_SECRET_QUERY = re.compile(r"(?i)([?&][^=&\s]*(?:key|token|secret|password|signature)[^=&\s]*=)[^&\s]+")


def home_folder() -> Path:
    """The one folder that holds state: ``MLOPS_COPILOT_HOME``, else the user's data folder. Made if missing.

    Raises
    ------
    InputError
        It cannot be made.
    """
    named = os.environ.get("MLOPS_COPILOT_HOME")
    home = Path(named).expanduser() if named else Path(platformdirs.user_data_dir("mlops-copilot", appauthor=False))
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(
            f"The home folder {clean_text(home)} cannot be made: {reason}.",
            "Set MLOPS_COPILOT_HOME to a folder you may write to.",
        ) from error
    return home


def clean_text(text: object, limit: int = 200) -> str:
    """One line of outside text: control and direction characters become spaces, long text is cut with an ellipsis."""
    line = str(text)
    if not _PLAIN.fullmatch(line):
        line = " ".join(_CONTROL.sub(" ", line).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def without_credentials(text: str) -> str:
    """`text` with user names, passwords and keys taken out of any address in it."""
    if "@" not in text and "=" not in text:  # nearly always
        return text
    return _SECRET_QUERY.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def safe_file_name(text: str, fallback: str = "run") -> str:
    """A file name made from outside text: letters, digits, dot, dash and underscore, at most 80 characters."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:80]
    return name or fallback
