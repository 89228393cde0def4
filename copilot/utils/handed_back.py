"""Take what a child process left in its scratch folder, as if it meant harm: no links, no pipes, a limit on all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from pathlib import Path

from copilot.errors import ToolError

OUT = "out"
MAX_COLLECTED_BYTES = 200_000_000
_MAX_FILES = 1000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FOLLOW_NOTHING = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def read_file(path: Path, limit: int, *, folder: int | None = None) -> bytes | None:
    """Content of a regular file of at most `limit` bytes; None for anything else.

    Parameters
    ----------
    path : Path
    limit : int
        Bytes.
    folder : int, optional
        Descriptor of the folder that `path` counts from.
    """
    try:
        file = os.open(path, os.O_RDONLY | _FOLLOW_NOTHING | getattr(os, "O_BINARY", 0), dir_fd=folder)
    except OSError:
        return None
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1 or about.st_size > limit:
        os.close(file)
        return None
    with os.fdopen(file, "rb") as stream:
        content = stream.read(limit + 1)  # it may grow while it is read
    return content if len(content) <= limit else None


def collect(scratch: Path, into: Path, limit: int = MAX_COLLECTED_BYTES) -> list[Path]:
    """Copy the regular files of ``<scratch>/out`` to a folder, by name; what is of another kind is left.

    Raises
    ------
    ToolError
        They are more or larger than agreed.
    """
    copied: list[Path] = []
    into.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            folder, names = _opened(scratch / OUT, stack)
        except OSError:  # it left none, or something else in its place
            return []
        for name in sorted(filter(_NAME.fullmatch, names))[: _MAX_FILES + 1]:
            path = Path(name) if folder is not None else scratch / OUT / name
            size = _size(path, folder)
            if size > limit or len(copied) == _MAX_FILES:
                raise ToolError(
                    f"The step left more than {_MAX_FILES} files or {MAX_COLLECTED_BYTES / 1e6:g} MB.", "Use less data."
                )
            if size < 0 or (content := read_file(path, limit, folder=folder)) is None:
                continue
            limit -= len(content)
            copied.append(into / name)
            copied[-1].unlink(missing_ok=True)  # whatever lies there is replaced, not written through
            copied[-1].write_bytes(content)
    return copied


def remove(scratch: Path) -> None:
    """Remove a scratch folder, however it was left."""
    with contextlib.suppress(RecursionError):  # folders nested so deep that they cannot be walked stay
        shutil.rmtree(scratch, ignore_errors=True)


def _opened(folder: Path, stack: contextlib.ExitStack) -> tuple[int | None, list[str]]:
    if os.open not in os.supports_dir_fd:  # Windows
        return None, os.listdir(folder)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NOTHING)
    stack.callback(os.close, opened)
    return opened, os.listdir(opened)


def _size(path: Path, folder: int | None) -> int:
    """Bytes of a regular file; -1 for anything else."""
    try:
        about = os.stat(path, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return -1
    return about.st_size if stat.S_ISREG(about.st_mode) else -1
