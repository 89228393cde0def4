"""The demo's image folder as a Git and DVC repository: two tagged versions, later batches on branches, a local remote.

Git gets its identity and settings with each command, so that the person's own configuration plays no part.
"""

from __future__ import annotations

import io
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from PIL import Image

from copilot.demo.data import UPSCALE, DataState, ImageSet
from copilot.demo.paths import IMAGES, DemoPaths
from copilot.demo.quiet import quiet
from copilot.errors import ToolError

GIT_TIMEOUT_S = 60
_GIT_SETTINGS = {
    "user.name": "Demo",
    "user.email": "demo@example.invalid",
    "init.defaultBranch": "main",
    "commit.gpgsign": "false",
    "tag.gpgsign": "false",
    "core.autocrlf": "false",
    "core.hooksPath": os.devnull,
}
# The remote's address is absolute: DVC takes it from each revision, where a relative one would start at "/".
_DVC_CONFIG = """[core]
    analytics = false
    check_update = false
    remote = storage
['remote "storage"']
    url = "{remote}"
"""
_README = """# Digit images

`images/train` and `images/val` hold one folder of PNG files per class. DVC tracks them: `dvc pull` gets the files.
"""


@dataclass(frozen=True)
class CommittedState:
    """Where a state of the images was committed: tag or branch, commit id, and DVC's hash of the folder."""

    name: str
    commit: str
    md5: str


def build_repository(
    paths: DemoPaths, states: dict[str, DataState], progress: Callable[[float, str], None] = lambda *_: None
) -> dict[str, CommittedState]:
    """Commit every state of the images and push them to the local remote.

    ``v1`` and ``v2`` are tags on the main branch; each other state is a branch that starts at ``v2``. The working
    folder is left at ``v2``.

    Raises
    ------
    ToolError
        Git is missing, or Git or DVC failed.
    """
    root = paths.data_repo
    root.mkdir(parents=True)
    _git(root, "init", "--quiet")
    try:
        with quiet("dvc"):
            return _fill(paths, states, progress)
    except DvcException as error:
        raise ToolError(
            f"DVC could not store the demo's images: {error}", "Check the free disk space, then run it again."
        )


def image_files(state: DataState) -> dict[str, bytes]:
    """Every PNG of a state by its path below the image folder."""
    files = {}
    for split, images in (("train", state.train), ("val", state.val)):
        files |= {f"{split}/{name}": png(image) for name, image in zip(images.files(), images.images, strict=True)}
    return files


def png(image: np.ndarray) -> bytes:
    """An image of shape (8, 8) as a PNG, each pixel repeated so that people can see it."""
    buffer = io.BytesIO()
    Image.fromarray(image.repeat(UPSCALE, axis=0).repeat(UPSCALE, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()


def split_list(train: ImageSet, val: ImageSet, val_folder: str) -> str:
    """CSV of the files that a run used: split and path below the image folder."""
    rows = [f"train,train/{name}" for name in train.files()] + [f"val,{val_folder}/{name}" for name in val.files()]
    return "\n".join(["split,path", *rows, ""])


def _fill(
    paths: DemoPaths, states: dict[str, DataState], progress: Callable[[float, str], None]
) -> dict[str, CommittedState]:
    root = paths.data_repo
    committed: dict[str, CommittedState] = {}
    present: dict[str, bytes] = {}
    started = int(time.time()) - 3600 * len(states)
    with Repo.init(str(root)) as repo:
        (root / ".dvc" / "config").write_text(_DVC_CONFIG.format(remote=paths.data_remote.as_posix()), encoding="utf-8")
        (root / "README.md").write_text(_README, encoding="utf-8")
        for step, state in enumerate(states.values()):
            progress(step / (len(states) + 1), f"data: {state.name}")
            is_version = state.name.startswith("v")
            if not is_version:
                _git(root, "checkout", "--quiet", "-b", state.name, "v2")
            present = _write(root / IMAGES, present, image_files(state))
            repo.add(str(root / IMAGES))
            committed[state.name] = _commit(root, state, started + 3600 * step)
            if is_version:
                _git(root, "tag", state.name)
        _git(root, "checkout", "--quiet", "main")
        _write(root / IMAGES, present, image_files(states["v2"]))
        progress(len(states) / (len(states) + 1), "data: push to the local remote")
    with Repo(str(root)) as repo:  # opened anew: the remote was written to the configuration after the first opening
        repo.push(all_branches=True, all_tags=True)
    return committed


def _write(folder: Path, present: dict[str, bytes], wanted: dict[str, bytes]) -> dict[str, bytes]:
    """Bring `folder` from `present` to `wanted`, touching only what differs."""
    for name in present.keys() - wanted.keys():
        (folder / name).unlink()
    for name, content in wanted.items():
        if present.get(name) != content:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return wanted


def _commit(root: Path, state: DataState, when: int) -> CommittedState:
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "-m", state.message, when=when)
    tracked = yaml.safe_load((root / f"{IMAGES}.dvc").read_text(encoding="utf-8"))
    return CommittedState(state.name, _git(root, "rev-parse", "HEAD"), tracked["outs"][0]["md5"])


def _git(root: Path, *arguments: str, when: int | None = None) -> str:
    """Run one Git command in `root`; `when` is the commit's Unix time (so that commits have an order)."""
    settings = [part for key, value in _GIT_SETTINGS.items() for part in ("-c", f"{key}={value}")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    if when is not None:
        environment |= {"GIT_AUTHOR_DATE": f"{when} +0000", "GIT_COMMITTER_DATE": f"{when} +0000"}
    try:
        done = subprocess.run(
            ["git", *settings, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except FileNotFoundError as error:
        raise ToolError("Git was not found; the demo keeps its images in a Git repository.", "Install git.") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"git {arguments[0]} failed: {error.stderr or error}", f"Look into {root}.") from error
    return done.stdout.strip()
