"""Alerts to the outside: JSON to a webhook, or a command that gets it on stdin and in its environment."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from copilot.errors import InputError, ToolError
from copilot.utils.validators import clean_text, without_credentials

ENV_PREFIX = "MLOPS_COPILOT_"
ENV_LENGTH = 2000
ANSWER_BYTES = 4096


def check_webhook(url: str) -> str:
    """The address, if it is one of a web server.

    Raises
    ------
    InputError
        It is not.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        shown = clean_text(without_credentials(url), 120)
        raise InputError(f"The webhook is no web address: '{shown}'.", "It starts with http:// or https://.")
    return url


def check_command(command: str) -> list[str]:
    """A command line cut into words; no shell ever sees it.

    Raises
    ------
    InputError
        A quote is not closed, or there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"The command cannot be read: {error}.", "Close every quote.") from None
    if not words or shutil.which(words[0]) is None:
        name = clean_text(words[0], 80) if words else ""
        raise InputError(
            f"There is no program '{name}'.", "Pass a program and its arguments; it is not run by a shell."
        )
    return words


def post(url: str, text: str, timeout_s: float) -> None:
    """POST a JSON text. Redirects are not followed: the alert goes to the address that was given, or nowhere.

    Raises
    ------
    ToolError
        No answer in time, or one that is not a success.
    """
    host = clean_text(urlsplit(url).hostname or "")
    headers = {"Content-Type": "application/json", "User-Agent": "mlops-copilot"}
    try:
        with requests.post(
            url, data=text.encode(), headers=headers, timeout=timeout_s, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
            with contextlib.suppress(requests.RequestException):
                next(answer.iter_content(ANSWER_BYTES), b"")  # a server may mind if its answer is not taken
    except requests.Timeout:
        raise ToolError(f"The webhook at {host} did not answer within {timeout_s:g} s.") from None
    except (requests.RequestException, ValueError):  # their words would hold the address, and so its secret
        raise ToolError(f"The webhook at {host} could not be reached.", "Check the address.") from None
    if not 200 <= status < 300:
        raise ToolError(f"The webhook at {host} answered HTTP {status}.", "Check the address.")


def run_command(words: list[str], text: str, values: Mapping[str, Any], timeout_s: float) -> None:
    """Run a program with a JSON text on stdin and `values` as ``MLOPS_COPILOT_<NAME>`` in its environment.

    Raises
    ------
    ToolError
        It cannot be started, takes too long, or ends with another code than 0.
    """
    own = {f"{ENV_PREFIX}{k.upper()}": clean_text(v, ENV_LENGTH) for k, v in values.items() if v is not None}
    name = clean_text(words[0], 80)
    try:
        done = subprocess.run(
            words, input=text.encode(), env={**os.environ, **own}, capture_output=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"The command {name} took longer than {timeout_s:g} s and was ended.") from None
    except OSError as error:
        raise ToolError(f"The command {name} cannot be started: {error.strerror}.") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolError(
            f"The command {name} ended with code {done.returncode}: {clean_text(lines[-1] if lines else '-')}"
        )
