"""The child that looks which images two sets hold: what a result follows from, and what an isolated process reads."""

from __future__ import annotations

from typing import Any

from copilot.errors import InputError
from copilot.integrations.examination.sets import open_set
from copilot.utils.supervise import Progress


def run(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Open image sets and forget them again: in a process of its own, since their files and functions are a person's.

    Parameters
    ----------
    payload : dict
        ``named`` (names of sets), ``sources`` and ``task`` as `open_set` takes them.
    progress : callable

    Returns
    -------
    dict
        ``data``: a fingerprint of each set. ``roots``: paths to read for each, or None where it is not on this machine.
    """
    data, paths = [], []
    for named in payload["named"]:
        progress(0.5, "Looking which images there are")
        images = open_set(named, payload["sources"], payload["task"])
        data.append(images.fingerprint())
        try:
            paths.append([str(path) for path in images.roots()])
        except InputError:
            paths.append(None)
    return {"data": data, "roots": paths}
