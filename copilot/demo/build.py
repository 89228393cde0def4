"""Build the demo: image classifiers trained on this machine, their MLflow store and their versioned images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from copilot.demo.paths import DemoPaths
from copilot.errors import CopilotError, InputError, MissingExtraError, ToolError
from copilot.utils.logging import no_telemetry

Progress = Callable[[float, str], None]
Assemble = Callable[[DemoPaths, int, Progress], None]


def build_demo(folder: Path, *, progress: Progress | None = None, seed: int = 0, reset: bool = False) -> DemoPaths:
    """Build the demo in `folder`, or open the one that is there.

    About a minute on two CPU cores. MLflow writes absolute paths into its store, so the demo is built in place; a
    marker tells a finished demo from one that was interrupted, which is removed.

    Parameters
    ----------
    folder : Path
        Empty or missing, or an earlier demo.
    progress : callable, optional
        Called with the fraction of work done and a short line; it may raise ``JobCancelled``.
    seed : int, default 0
        Fixes the images, the splits and the training.
    reset : bool, default False
        Build anew even if a finished demo is there.

    Raises
    ------
    InputError
        The folder holds something else, or a demo of another seed.
    ToolError
        Another process is building it, or the disk, Git or DVC failed.
    MissingExtraError
        The packages that train and store it are not installed.
    """
    paths = DemoPaths.of(folder)
    if paths.is_complete() and not reset:
        if paths.state().get("seed") != seed:
            raise InputError(
                f"The demo in {paths.folder} has another seed.", "Build it anew: mlops-copilot demo --reset"
            )
        return paths
    _check_free(paths)
    no_telemetry()
    progress = progress or (lambda *_: None)
    progress(0.0, "Loading PyTorch, MLflow and DVC")
    assemble = _assembler()
    try:
        build_in_place(paths, seed, progress, assemble)
    except OSError as error:
        raise ToolError(
            f"The demo could not be written to {paths.folder}: {error.strerror or error}", "Free disk space?"
        )
    return paths


def build_in_place(paths: DemoPaths, seed: int, progress: Progress, assemble: Assemble) -> None:
    """Run `assemble` in the demo's folder; whatever stops it, nothing half-made is left."""
    _remove(paths)
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.mark(seed, complete=False, process=_this_process())
    try:
        assemble(paths, seed, progress)
        paths.mark(seed, complete=True)
    except BaseException:
        _remove(paths)
        raise
    progress(1.0, "The demo is ready")


def _assembler() -> Assemble:
    try:
        from copilot.demo.assembly import assemble
    except CopilotError:
        raise
    except ImportError as error:
        raise MissingExtraError("The demo", "demo") from error
    return assemble


def _check_free(paths: DemoPaths) -> None:
    """Refuse a folder that is not ours, and one that somebody is building."""
    if not paths.folder.exists():
        return
    state = paths.state()
    if not paths.folder.is_dir() or (not state and any(paths.folder.iterdir())):
        raise InputError(f"{paths.folder} holds something other than a demo.", "Choose an empty folder.")
    if _is_running(state.get("process")):
        raise ToolError(f"Another process is building the demo in {paths.folder}.", "Wait until it is done.")


def _this_process() -> dict[str, float]:
    return {"id": os.getpid(), "started": psutil.Process().create_time()}


def _is_running(process: object) -> bool:
    """Whether the process that a marker names still runs; its start tells it from a later one with the same id."""
    if not isinstance(process, dict) or process == _this_process():
        return False
    try:
        return psutil.Process(process["id"]).create_time() == process["started"]
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _remove(paths: DemoPaths) -> None:
    """Delete the demo, its marker last: what is left after a failure is still known as a demo's."""
    if not paths.folder.is_dir():
        return
    for entry in paths.folder.iterdir():
        if entry != paths.marker:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    paths.marker.unlink(missing_ok=True)
    paths.folder.rmdir()
