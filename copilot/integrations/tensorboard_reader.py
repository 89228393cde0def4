"""TensorBoard event files and folders, as PyTorch, Keras and Lightning write them."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from copilot.core.history import RunHistory
from copilot.core.naming import parse_metric_name
from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError, MissingExtraError, NotFoundError
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray
except ImportError as error:
    raise MissingExtraError("Reading TensorBoard event files", "tensorboard") from error

MARK = "tfevents"
MAX_BYTES = 500_000_000
MAX_ENTRIES = 100_000
# 0 keeps every point: TensorFlow 2 writes scalars as tensors. Of everything else one is enough.
_KEPT = {"scalars": 0, "tensors": 0, "images": 1, "audio": 1, "histograms": 1, "distributions": 1}

logging.getLogger("tensorboard").setLevel(logging.ERROR)


def read_events(path: str | Path, *, train_pattern: Patterns = None, val_pattern: Patterns = None) -> RunHistory:
    """Read the scalars of one run.

    Parameters
    ----------
    path : str or Path
        An event file, or a folder with event files in it or in its subfolders. Subfolders such as ``train`` and
        ``validation`` (Keras) or ``loss_train`` (PyTorch's ``add_scalars``) become part of the metric names.
    train_pattern, val_pattern : str, optional
        The project's own metric names, ``{}`` standing for the quantity.

    Raises
    ------
    InputError
        No event file, several runs, no scalars, too large, or not readable.
    """
    path = Path(path)
    files, warnings = _files_of_one_run(path)
    if (size := sum(file.stat().st_size for names in files.values() for file in names)) > MAX_BYTES:
        raise InputError(
            f"{path} holds {size / 1e6:.0f} MB of events; at most {MAX_BYTES / 1e6:.0f} MB are read.",
            "Log scalars into a folder of their own, without images and histograms.",
        )
    series = [item for prefix, names in files.items() for item in _series(prefix, names)]
    if not series:
        raise InputError(f"{path} holds no scalars.", "Log curves such as train/loss and val/loss with add_scalar.")
    name = clean_text(path.parent.name if path.is_file() else path.resolve().name, 80)
    return RunHistory.from_series(
        series, name=name, train_pattern=train_pattern, val_pattern=val_pattern, warnings=warnings
    )


def _walk(folder: Path) -> Iterator[Path]:
    seen = 0
    for root, folders, files in os.walk(folder):
        folders.sort()
        seen += len(folders) + len(files)
        if seen > MAX_ENTRIES:
            raise InputError(f"{folder} holds too many files to look through.", "Name the folder of one run.")
        yield from (Path(root, file) for file in sorted(files) if MARK in file)


def _files_of_one_run(path: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Event files by the prefix that their folder gives to metric names, and what was left out."""
    if not path.exists():
        raise NotFoundError(f"{path} does not exist.", "Check the path.")
    if path.is_file():
        return {"": [path]}, []
    runs: dict[tuple[str, ...], dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in _walk(path):
        parts = file.parent.relative_to(path).parts
        run = tuple(part for part in parts if not _names_a_split(part))
        runs[run]["/".join(part for part in parts if _names_a_split(part))].append(file)
    if not runs:
        raise InputError(
            f"{path} holds no TensorBoard event files.", "Name a CSV or JSON file, or the folder with the event files."
        )
    if len(runs) == 1:
        return next(iter(runs.values())), []
    if () in runs:
        others = ", ".join(clean_text("/".join(run), 60) for run in sorted(runs) if run)
        return runs[()], [f"Subfolders with other runs were left out: {others[:200]}."]
    names = ", ".join(clean_text("/".join(run), 60) for run in sorted(runs)[:5])
    raise InputError(f"{path} holds {len(runs)} runs ({names}{', ...' if len(runs) > 5 else ''}).", "Name one of them.")


def _names_a_split(text: str) -> bool:
    """Whether `text` ends in a split: ``validation`` and ``loss_train`` do, ``train_resnet`` does not."""
    parsed = parse_metric_name(f"{re.split('[_ -]', text)[-1]}/loss")
    return parsed is not None and parsed.split != "unknown"


def _metric_name(prefix: str, tag: str) -> str:
    parsed = parse_metric_name(tag)
    if not prefix or (parsed and parsed.split != "unknown"):
        return clean_text(tag)
    return clean_text(f"{prefix}/{tag}")


def _series(prefix: str, files: list[Path]) -> Iterator[LoggedSeries]:
    points: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for file in files:
        for tag, rows in _scalars(file):
            points[tag].extend(rows)
    for tag, rows in points.items():
        times, steps, values = np.array(rows, dtype=float).T
        yield LoggedSeries(_metric_name(prefix, tag), values, steps, times)


def _scalars(file: Path) -> Iterator[tuple[str, list[tuple[float, float, float]]]]:
    """Each scalar tag with its rows of (seconds since 1970, step, value)."""
    try:
        events = EventAccumulator(str(file), size_guidance=_KEPT).Reload()
    except Exception as error:  # the parser raises what its many layers raise
        raise InputError(f"{file} cannot be read as a TensorBoard event file.", "Is it damaged?") from error
    for tag in events.Tags()["scalars"]:
        yield tag, [(e.wall_time, e.step, e.value) for e in events.Scalars(tag)]
    for tag in events.Tags()["tensors"]:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            yield tag, [(e.wall_time, e.step, float(make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
