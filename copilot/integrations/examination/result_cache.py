"""Results of examinations by what they follow from: a folder each, written beside and moved into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copilot.utils.validators import home_folder

KEPT, KEPT_BYTES = 400, 4 * 1024**3  # entries and their size; the oldest go first
ABANDONED_S = 86_400.0
_RESULT = "result.json"


@dataclass(frozen=True)
class Step:
    """The result of a step, the folder of its files, and whether it had to be computed."""

    result: dict[str, Any]
    folder: Path
    computed: bool


def key_of(parts: Mapping[str, Any]) -> str:
    """A key for JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:40]


def content_of(paths: Iterable[Path]) -> str:
    """SHA-256 of files, and of every file below folders with its name; where they lie does not matter."""
    found: dict[str, str] = {}
    for number, path in enumerate(paths):
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        root = path.parent if path.is_file() else path
        found |= {f"{number}/{file.relative_to(root).as_posix()}": _digest(file) for file in files}
    return key_of(found)


def cached(
    kind: str,
    key: str,
    compute: Callable[[Path], tuple[dict[str, Any], bool]],
    *,
    spare: Path,
    is_whole: Callable[[dict[str, Any]], bool] = lambda result: True,
    refresh: bool = False,
) -> Step:
    """The result of a step, from the cache or computed.

    Parameters
    ----------
    kind : str
        What the step is called; its entries lie in a folder of that name.
    key : str
    compute : callable
        Gets an empty folder for its files; returns the result, and whether it is worth keeping.
    spare : Path
        Folder for the files of a result that is not kept; it must not exist.
    is_whole : callable, optional
        Whether a kept result is of the form that it must have; one that is not is computed again.
    refresh : bool, default False
        Compute it again.
    """
    place = home_folder() / "examinations" / kind / key
    if not refresh and (known := _read(place / _RESULT)) is not None and is_whole(known):
        with contextlib.suppress(OSError):
            os.utime(place)
        return Step(known, place, False)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    try:
        result, keep = compute(beside)
        if keep:
            (beside / _RESULT).write_text(json.dumps(result), encoding="utf-8")
            _move(beside, place)
        else:
            shutil.move(beside, spare)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _forget_oldest(place.parent)
    return Step(result, place if keep else spare, True)


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
            if entry.name.startswith(".") and entry.stat().st_mtime < time.time() - ABANDONED_S:
                shutil.rmtree(entry, ignore_errors=True)  # of a process that was killed
            size = sum(file.stat().st_size for file in entry.iterdir())
            entries.append((entry.stat().st_mtime, size, entry))
    room = KEPT_BYTES
    for number, (_, size, entry) in enumerate(sorted(entries, reverse=True)):
        room -= size
        if number >= KEPT or room < 0:
            shutil.rmtree(entry, ignore_errors=True)
