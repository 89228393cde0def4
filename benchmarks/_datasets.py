"""Labelled histories as cases: the published ones, made curves, and trained ones.

Published: OverfitGuard's real and simulated histories (Li et al., arXiv:2401.10359), and half of DeepOBS's runs
(Schneider, Balles and Hennig, arXiv:1903.05499), which have no labels.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from copilot.core.history import RunHistory
from copilot.core.naming import parse_metric_name

REAL, SIMULATED, DEEPOBS = "overfitguard_real.jsonl", "overfitguard_simulated.jsonl.gz", "deepobs_half.jsonl.gz"
DISPUTED = ("tinyimagenet_AT", "tinyimagenet_KDSWA")  # validation loss of both rises, one is labelled healthy
CLASSES = {"cifar100": 100, "cifar10": 10, "fmnist": 10, "mnist": 10, "svhn": 10, "tolstoi": 83}
_COLUMNS = {
    "train_loss": "train_loss",
    "val_loss": "val_loss",
    "train_accuracy": "train_acc",
    "val_accuracy": "val_acc",
}


@dataclass(frozen=True)
class Case:
    """One history and what is known of it.

    Attributes
    ----------
    series : dict of str to ndarray
        As `RunHistory.from_arrays` takes them.
    accepted : tuple of str
        Right verdicts, the label first; empty where nobody labelled it.
    onset : int or None
        Index of the true onset.
    """

    name: str
    group: str
    series: dict[str, np.ndarray]
    accepted: tuple[str, ...] = ()
    onset: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def overfits(self) -> bool:
        return self.accepted[:1] == ("overfitting",)

    @property
    def epochs(self) -> int:
        return len(next(iter(self.series.values())))

    @cached_property
    def history(self) -> RunHistory:
        return RunHistory.from_arrays(name=self.name, **self.series)

    @cached_property
    def pairs(self) -> list[tuple[np.ndarray, np.ndarray, bool]]:
        """Training values, validation values and direction of each metric that has both."""
        sides: dict[str, dict[str, np.ndarray]] = {}
        rises = {}
        for metric, values in self.series.items():
            parsed = parse_metric_name(metric)
            sides.setdefault(parsed.quantity, {})[parsed.split] = values
            rises[parsed.quantity] = parsed.higher_is_better
        return [(s["train"], s["val"], rises[q]) for q, s in sides.items() if {"train", "val"} <= set(s)]

    @cached_property
    def costs(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and validation loss, summed over components; one minus the score where there is no loss."""
        losses = [(train, val) for train, val, rises in self.pairs if not rises]
        if losses:
            return sum(train for train, _ in losses), sum(val for _, val in losses)
        train, val, _ = self.pairs[0]
        return 1 - train, 1 - val


def published(folder: Path, name: str) -> list[Case]:
    """The cases of one of the published files in `folder`."""
    path = folder / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [_from_row(json.loads(line)) for line in raw.splitlines()]


def made(items: Iterable[dict[str, Any]]) -> list[Case]:
    """Items of `_curves.py` as cases; the group is short or long."""
    return [Case(i["name"], "short" if i["short"] else "long", i["series"], i["accepted"], i["onset"]) for i in items]


def trained(path: Path) -> list[Case]:
    """Histories that `train_histories.py` wrote and that have a label."""
    runs = json.loads(path.read_text())["runs"]
    return [
        Case(
            run["name"], run["condition"], {k: _numbers(run[k]) for k in _COLUMNS}, tuple(run["accepted"]), run["onset"]
        )
        for run in runs
        if run["accepted"]
    ]


def is_broken(case: Case) -> bool:
    """Whether a DeepOBS run diverged, went NaN or never learned, by rules of its training curve alone.

    A value of the training loss is NaN or infinite; or the last one is 1.5 times the first or more; or its lowest is
    less than 5 % below its first and no accuracy, where one is logged, ever exceeds twice that of a guess.
    """
    loss = case.series["train_loss"]
    if not np.isfinite(loss).all() or loss[-1] >= 1.5 * loss[0]:
        return True
    return bool(loss.min() > 0.95 * loss[0]) and _at_chance(case)


def _at_chance(case: Case) -> bool:
    scores = [values for name, values in case.series.items() if name.endswith("accuracy")]
    guess = 1 / CLASSES.get(case.group.split("_")[0], 10)
    return all(np.nanmax(values) <= 2 * guess for values in scores)


def _from_row(row: dict[str, Any]) -> Case:
    series = {name: _numbers(row[column]) for name, column in _COLUMNS.items() if row[column] is not None}
    accepted = {None: (), 0: ("healthy",), 1: ("overfitting",)}[row["label"]]
    return Case(row["id"], row["group"], series, accepted, extra={"paper": row.get("paper_pred", {})})


def _from_trained(run: dict[str, Any]) -> Case:
    series = {name: _numbers(run[name]) for name in _COLUMNS}
    return Case(run["name"], run["condition"], series, tuple(run["accepted"]), run["onset"])


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array([math.nan if v is None else v for v in values], dtype=float)
