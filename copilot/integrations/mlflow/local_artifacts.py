"""Artifacts of runs that lie in folders of this machine: where they are, what there is, writing one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.records import ArtifactInfo, make_artifacts
from copilot.utils.validators import clean_text, without_credentials

MAX_LISTED = 10_000
USE_SERVER = "Use the tracking server's URL."


def local_folder(uri: str, run_id: str, start: Path | None = None) -> Path:
    """The folder that an artifact URI names.

    Parameters
    ----------
    uri : str
    run_id : str
        The path must end in ``<run_id>/artifacts``, as MLflow's do: a store is not believed that names another folder.
    start : Path, optional
        What a relative path counts from. Default: such a path is refused.

    Raises
    ------
    InputError
        The URI names no folder of this machine.
    """
    scheme = re.match(r"([A-Za-z][\w+.-]+):", uri)
    if scheme and scheme[1].lower() != "file":
        raise InputError(f"The artifacts lie at {_public(uri)}, which is no folder.", USE_SERVER)
    try:
        path = Path(url2pathname(urlsplit(uri).path) if scheme else uri)
    except ValueError:
        path = Path()
    path = start / path if start is not None else path
    if not path.is_absolute() or path.parts[-2:] != (run_id, "artifacts") or ".." in path.parts:
        raise InputError(f"The artifacts lie at {_public(uri)}, which is not a path of this machine.", USE_SERVER)
    return path


def list_folder(root: Path, path: str) -> list[ArtifactInfo]:
    """What is in the folder `path` below `root`. Links are left out: they may point anywhere.

    Raises
    ------
    InputError
        `path` leads out of the artifacts.
    NotFoundError
        There is no such folder of artifacts.
    """
    inside = safe_path(path)
    folder = root / inside
    if _has_link(root, inside) or not (folder.is_dir() or not inside):
        raise NotFoundError(f"There is no artifact folder '{clean_text(path)}'.", "List the folder above it.")
    found = []
    with _told(folder), contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if not entry.is_symlink() and len(found) < MAX_LISTED:
                found.append((f"{inside}/{entry.name}".lstrip("/"), entry.is_dir(), entry.stat().st_size))
    return make_artifacts(found)


def write_artifact(root: Path, path: str, content: bytes) -> None:
    """Write a file below `root`, the artifact folder of a run.

    Raises
    ------
    InputError
        `path` leads out of the artifacts.
    ToolError
        The store is not on this machine, or cannot be written to.
    """
    inside = safe_path(path)
    if (
        len(root.parents) < 4 or not root.parents[2].is_dir()
    ):  # of .../EXPERIMENT/RUN/artifacts; what a server names may be its own disk
        raise ToolError(f"{clean_text(root)} is not on this machine.", "Let the server serve artifacts.")
    if root.is_symlink() or _has_link(root, inside):
        raise ToolError(f"{clean_text(root / inside)} is a link, which is not followed.", "Check the store.")
    with _told(root):
        (root / inside).parent.mkdir(parents=True, exist_ok=True)
    replace_file(root / inside, content, (root / inside).parent)


def replace_file(file: Path, content: bytes, beside: Path) -> None:
    """Write a file whole or not at all, by way of a new one in the folder `beside`.

    Raises
    ------
    ToolError
        It cannot be written.
    """
    new = beside / f".copilot-{secrets.token_hex(8)}"
    with _told(file):
        try:
            with new.open("xb") as opened:
                opened.write(content)
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)


def safe_path(path: str) -> str:
    """`path` if it stays below where it starts.

    Raises
    ------
    InputError
        It does not.
    """
    parts = PurePosixPath(path).parts
    if any(part == ".." or part.startswith("/") or re.search(r"[\x00-\x1f\\:]", part) for part in parts):
        raise InputError(f"'{clean_text(path)}' is no path of an artifact.", "Use a path such as plots/loss.png.")
    return "/".join(parts)


def _has_link(root: Path, inside: str) -> bool:
    return any((root / part).is_symlink() for part in [PurePosixPath(inside), *PurePosixPath(inside).parents])


def _public(uri: str) -> str:
    return clean_text(without_credentials(uri), 300)


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise ToolError(f"{clean_text(place)} cannot be used: {clean_text(reason)}.", "Check its rights.") from error
