"""DVC projects below a folder: several in one repository, repositories side by side, submodules."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from copilot.core.datasets import DataProject, printable
from copilot.errors import InputError, MissingExtraError
from copilot.utils.validators import clean_text

try:
    from dvc.config import Config
    from dvc.exceptions import DvcException
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

MAX_DEPTH = 8
MAX_FOLDERS = 100_000
_SKIPPED = {".git", ".dvc", "node_modules", "__pycache__", ".venv", "venv", ".tox", "site-packages"}


def find_projects(folder: str | Path, *, depth: int = MAX_DEPTH) -> list[DataProject]:
    """The DVC projects in `folder` and below it, by path; links are not followed.

    Parameters
    ----------
    folder : str or Path
    depth : int, default 8
        Most folders between `folder` and a project.

    Raises
    ------
    InputError
        There is no such folder.
    """
    top = Path(os.path.realpath(Path(folder).expanduser()))
    if not top.is_dir():
        raise InputError(f"No such folder: {clean_text(top)}", "Name a folder that holds DVC projects.")
    repository = next((str(above) for above in top.parents if (above / ".git").exists()), None)
    todo, found, seen = deque([(str(top), repository, 0)]), [], 0
    while todo and seen < MAX_FOLDERS:
        path, repository, level = todo.popleft()
        seen += 1
        names, folders = _listed(path)
        repository = path if ".git" in names else repository
        if ".dvc" in folders:
            shown = repository and clean_text(printable(repository), 500)
            found.append(DataProject(path=clean_text(printable(path), 500), repository=shown, remotes=_remotes(path)))
        if level < depth:
            todo.extend((os.path.join(path, name), repository, level + 1) for name in folders if name not in _SKIPPED)
    return sorted(found, key=lambda project: project.path)


def _listed(path: str) -> tuple[set[str], list[str]]:
    """Names in a folder, and those of them that are folders; nothing for one that may not be read."""
    try:
        with os.scandir(path) as entries:
            rows = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return set(), []
    return {name for name, _ in rows}, sorted(name for name, is_folder in rows if is_folder)


def _remotes(path: str) -> tuple[str, ...]:
    try:
        return tuple(clean_text(name, 60) for name in Config(os.path.join(path, ".dvc"))["remote"])
    except DvcException:
        return ()
