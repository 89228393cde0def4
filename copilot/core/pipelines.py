"""Pipelines of stages, and values of parameters and metrics over revisions: documents, and what follows from them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from copilot.core.findings import Document
from copilot.utils.validators import clean_text

MAX_ROWS = 5_000
MAX_DEPTH = 20
Value = bool | int | float | str | None


class StageFile(Document):
    """A file or folder that a stage reads or makes. ``hash`` is None where DVC has not recorded one."""

    path: str
    hash: str | None = None
    n_files: int | None = None
    size_bytes: int | None = None


class Stage(Document):
    """A step of a pipeline.

    ``kind`` is ``stage`` for a command, ``data`` for what ``dvc add`` tracks, ``import`` for what came from elsewhere
    (``source``). ``recorded`` tells whether DVC has run it and written down its files; ``params`` are the values it
    ran with.
    """

    name: str
    kind: Literal["stage", "data", "import"]
    defined_in: str
    command: str | None = None
    description: str | None = None
    deps: tuple[StageFile, ...] = ()
    outs: tuple[StageFile, ...] = ()
    params: dict[str, Value] = Field(default_factory=dict)
    frozen: bool = False
    recorded: bool = True
    source: str | None = None


class Edge(Document):
    """What one stage makes and another one reads."""

    source: str
    target: str
    path: str


class Pipeline(Document):
    """The stages of a revision in the order in which they run, what flows between them, and what could not be read."""

    revision: str
    commit: str
    stages: tuple[Stage, ...] = ()
    edges: tuple[Edge, ...] = ()
    notes: tuple[str, ...] = ()

    def upstream(self, path: str) -> tuple[Stage, ...]:
        """The stages that a file or folder comes from, in the order in which they run."""
        made = [s.name for s in self.stages if any(_touches(out.path, path) for out in s.outs)]
        before: dict[str, list[str]] = defaultdict(list)
        for edge in self.edges:
            before[edge.target].append(edge.source)
        found: set[str] = set()
        while made:
            name = made.pop()
            if name not in found:
                found.add(name)
                made += before[name]
        return tuple(stage for stage in self.stages if stage.name in found)


class ValueRow(Document):
    """One parameter or metric over the revisions; ``changed`` if two neighbours differ. None: it is not there."""

    file: str
    name: str
    values: tuple[Value, ...]
    changed: bool


class ValueTable(Document):
    """Parameters or metrics by revision, in the order that was asked for."""

    kind: Literal["params", "metrics"]
    revisions: tuple[str, ...]
    rows: tuple[ValueRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[ValueRow, ...]:
        """The rows that are not the same throughout."""
        return tuple(row for row in self.rows if row.changed)


def connect(stages: Sequence[Stage]) -> tuple[Edge, ...]:
    """An edge wherever an output of one stage is, holds, or lies in what another one reads."""
    at: dict[str, list[tuple[str, str]]] = defaultdict(list)  # path -> stages that make it
    below: dict[str, list[tuple[str, str]]] = defaultdict(list)  # folder -> stages that make something in it
    for stage in stages:
        for out in stage.outs:
            at[out.path].append((stage.name, out.path))
            for folder in _above(out.path):
                below[folder].append((stage.name, out.path))
    edges: dict[tuple[str, str, str], Edge] = {}
    for stage in stages:
        for dep in stage.deps:
            made = at[dep.path] + below[dep.path] + [m for folder in _above(dep.path) for m in at[folder]]
            for name, path in made:
                if name != stage.name:
                    edges[name, stage.name, path] = Edge(source=name, target=stage.name, path=path)
    return tuple(edges.values())


def in_order(stages: Sequence[Stage], edges: Iterable[Edge]) -> tuple[Stage, ...]:
    """Stages so that each comes after those it depends on, else as given; those in a circle come last."""
    after: dict[str, set[str]] = defaultdict(set)
    waits: dict[str, set[str]] = {stage.name: set() for stage in stages}
    for edge in edges:
        waits[edge.target].add(edge.source)
        after[edge.source].add(edge.target)
    by_name = {stage.name: stage for stage in stages}
    ready, found = [s.name for s in stages if not waits[s.name]], []
    for name in ready:  # grows while it is read
        found.append(name)
        for target in sorted(after[name]):
            waits[target].discard(name)
            if not waits[target]:
                ready.append(target)
    done = set(found)
    return tuple(by_name[name] for name in [*found, *(name for name in by_name if name not in done)])


def flatten(values: Any, prefix: str = "", depth: int = 0) -> dict[str, Value]:
    """Nested mappings and lists as ``a.b.0`` -> value; text is cleaned, what is no plain value is named by its kind."""
    pairs = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else None
    if pairs is None:
        return {prefix: _plain(values)}
    if not pairs or depth >= MAX_DEPTH:
        return {prefix: f"({type(values).__name__})"} if prefix else {}
    found: dict[str, Value] = {}
    for key, value in pairs:
        name = clean_text(key, 80) if isinstance(key, (str, int, float, bool)) else f"({type(key).__name__})"
        found |= flatten(value, f"{prefix}.{name}" if prefix else name, depth + 1)
        if len(found) > MAX_ROWS:
            break
    return found


def across(
    kind: Literal["params", "metrics"],
    revisions: Sequence[str],
    found: Sequence[Mapping[tuple[str, str], Value]],
    notes: Sequence[str] = (),
) -> ValueTable:
    """A table of values over revisions.

    Parameters
    ----------
    kind : {"params", "metrics"}
    revisions : sequence of str
    found : sequence of mapping
        For each revision (file, name) -> value.
    notes : sequence of str
        What could not be read.
    """
    keys = sorted({key for values in found for key in values})
    lines = list(dict.fromkeys(notes))
    if len(keys) > MAX_ROWS:
        lines.append(f"{len(keys) - MAX_ROWS:,} further values were left out.")
    rows = []
    for key in keys[:MAX_ROWS]:
        values = tuple(held.get(key) for held in found)
        differ = any(a != b or isinstance(a, bool) is not isinstance(b, bool) for a, b in itertools.pairwise(values))
        rows.append(ValueRow(file=key[0], name=key[1], values=values, changed=differ))
    return ValueTable(kind=kind, revisions=tuple(revisions), rows=tuple(rows), notes=tuple(lines))


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else str(value)
    return clean_text(value) if isinstance(value, str) else f"({type(value).__name__})"


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _touches(made: str, path: str) -> bool:
    return made == path or made.startswith(f"{path}/") or path.startswith(f"{made}/")
