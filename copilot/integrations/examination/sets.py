"""Image sets as an examination opens them: in the process of the person, and again in each child."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet, Task
from copilot.integrations.images.opening import open_images, open_path
from copilot.utils.config import DvcSettings, ImagesSettings, Settings

MAX_TOLD = 50  # images that could not be read: so many are named
_DVC, _MLFLOW = "dvc:", "mlflow:"
# What the plugins of DVC's remotes read; only a child that opens such a set, and runs no stranger's code, gets them.
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_KEY",
    "SSH_AUTH_SOCK",
)


def sources_of(settings: Settings) -> dict[str, Any]:
    """What a child needs of the settings to open image sets, as JSON values; no secrets."""
    return {**settings.model_dump(mode="json", include={"images", "dvc"}), "folder": os.getcwd()}


def local(named: str, settings: Settings) -> str:
    """The name of a set that a child can open in another working folder, without an MLflow store and its passwords."""
    if is_there(named):
        return str(Path(named).expanduser().absolute())
    path, mark, split = named.rpartition("#")
    if mark and is_there(path):
        return f"{Path(path).expanduser().absolute()}#{split}"
    if not named.startswith(_MLFLOW):
        return named
    from copilot.integrations.images.mlflow_inputs import input_path

    run_id, mark, context = named.removeprefix(_MLFLOW).partition("#")
    path, logged = input_path(run_id, context if mark else None, settings.mlflow)
    try:
        open_path(f"{path}#{logged}")
    except InputError:
        return path
    return f"{path}#{logged}"


def open_set(named: str, sources: dict[str, Any], task: Task | None = None) -> ImageSet:
    """The image set that was named, with labels for `task`; `sources` as `sources_of` gives them."""
    sections = {"images": ImagesSettings(**sources.get("images", {})), "dvc": DvcSettings(**sources.get("dvc", {}))}
    with contextlib.chdir(sources.get("folder") or "."):  # functions and DVC projects are looked for from there
        return open_images(named, **sections, task=task)


def is_there(named: str) -> bool:
    """Whether something on this machine is called so."""
    try:
        return bool(named) and Path(named).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def needs_credentials(*named: str) -> bool:
    return any(name.startswith(_DVC) for name in named)


def skipped_in(*sets: ImageSet) -> list[str]:
    """A line for each image that could not be read."""
    lines = [f"{images.origin}/{name}: {why}" for images in sets for name, why in images.skipped.items()]
    return [*lines[:MAX_TOLD], *([f"and {len(lines) - MAX_TOLD} more"] if len(lines) > MAX_TOLD else [])]
