"""The files of an ``mlruns`` folder that hold a metric's values, one line a value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from copilot.errors import CopilotError, InputError, ToolError
from copilot.utils.validators import clean_text

MAX_METRIC_BYTES = 500_000_000


def read_points(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, steps and milliseconds since 1970; lines that are cut off are left out."""
    text = _metric_text(file)
    lines = [line for line in text.splitlines() if line.strip()]
    width = min(len(lines[0].split()), 3) if lines else 0
    if width < 2:
        return (np.zeros(0),) * 3
    try:
        rows = np.array(text.split(), dtype=float).reshape(len(lines), width)
    except ValueError:
        rows = np.array(list(_whole(lines, width)), dtype=float).reshape(-1, width)
    return rows[:, 1], rows[:, 2] if width > 2 else np.zeros(len(rows)), rows[:, 0]


def _metric_text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_METRIC_BYTES:
            raise InputError(f"{clean_text(file)} is too large to be a metric.", "Check the store.")
        return file.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        return ""  # it was taken away meanwhile
    except OSError as error:
        raise ToolError(f"{clean_text(file)} cannot be read: {error.strerror}.", "Check who may read it.") from error


def _whole(lines: list[str], width: int) -> Iterator[list[float]]:
    """Time, value and step of each line; before 1.1 there was no step, a dataset's name and digest may follow."""
    for line in lines:
        cells = line.split()[:width]
        try:
            if len(cells) == width:
                yield [float(cell) for cell in cells]
        except ValueError:
            continue


def latest_point(file: Path) -> tuple[float, float, float] | None:
    """MLflow's latest value, with its step and time: that of the largest step, then time, then value."""
    try:
        values, steps, times = read_points(file)
    except CopilotError:
        return None  # told where the run's curves are read
    if not len(values):
        return None
    at = np.lexsort((values, times, steps))[-1]
    return float(values[at]), float(steps[at]), float(times[at])
