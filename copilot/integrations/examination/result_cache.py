"""Results of examinations by what they follow from: a folder each, written beside and moved into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from copilot.utils.validators import home_folder

KEPT = 400  # entries; the oldest go first
_RESULT = "result.json"


def key_of(parts: Mapping[str, Any]) -> str:
    """A key for JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:40]


def content_of(path: Path) -> str:
    """SHA-256 of a file, or of every file below a folder with its name."""
    if path.is_file():
        return _digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return key_of({file.relative_to(path).as_posix(): _digest(file) for file in files})


def cached(
    kind: str, key: str, compute: Callable[[Path], dict[str, Any] | None], refresh: bool = False
) -> tuple[dict[str, Any] | None, Path | None, bool]:
    """The result of a step, from the cache or computed.

    Parameters
    ----------
    kind : str
        What the step is called; its entries lie in a folder of that name.
    key : str
    compute : callable
        Gets an empty folder for its files and returns the result, or None for one that is not worth keeping.
    refresh : bool, default False
        Compute it again.

    Returns
    -------
    result : dict or None
    folder : Path or None
        Where its files lie; None where nothing was kept.
    computed : bool
    """
    place = home_folder() / "examinations" / kind / key
    if not refresh and (known := _read(place / _RESULT)) is not None:
        with contextlib.suppress(OSError):
            os.utime(place)
        return known, place, False
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    try:
        result = compute(beside)
        if result is None:
            return None, None, True
        (beside / _RESULT).write_text(json.dumps(result), encoding="utf-8")
        _move(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _forget_oldest(place.parent)
    return result, place, True


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(file: Path) -> dict[str, Any] | None:
    """None where there is no such file, or what is in it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _move(beside: Path, place: Path) -> None:
    """Into place; what is there is damaged, was asked for again, or another process was faster with the same."""
    old = beside.with_name(f"{beside.name}-old")
    with contextlib.suppress(OSError):
        place.rename(old)
    try:
        beside.rename(place)
    except OSError:
        if _read(place / _RESULT) is None:
            raise
    shutil.rmtree(old, ignore_errors=True)


def _forget_oldest(folder: Path) -> None:
    entries = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            entries.append((entry.stat().st_mtime, entry))
    for _, entry in sorted(entries, reverse=True)[KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)
