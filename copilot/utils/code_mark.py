"""A mark of this package's code, for caches: what was computed by other code is computed again."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def code_mark() -> str:
    """Changes with the installed version, and with the files of a checkout."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(file for file in root.rglob("*") if file.suffix in (".py", ".json"))
    return hashed(_version(), [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files])


def hashed(*told: Any) -> str:
    """A short hash of plain values."""
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _version() -> str:
    try:
        return version("mlops-copilot")
    except PackageNotFoundError:
        return ""
