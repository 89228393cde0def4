"""Places for the nodes of a directed graph: columns by longest path, rows by the middle of their neighbours.

A link over several columns gets a way-point in each column between, so that it has a lane of its own.
Source: K. Sugiyama, S. Tagawa, M. Toda, IEEE Trans. SMC 11, 1981.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 6


class WayPoint(NamedTuple):
    """Where a long link crosses a column."""

    source: str
    target: str
    column: int


Spot = str | WayPoint


class Layers(NamedTuple):
    """Columns from left to right, each from top to bottom; and by link the way-points on its path."""

    columns: list[list[Spot]]
    paths: dict[tuple[str, str], list[Spot]]


def layers(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> Layers:
    """Arrange a graph; every link goes right, but those of a circle.

    Parameters
    ----------
    nodes : sequence of str
    links : iterable of (str, str)
        From, to. Those that name other nodes are ignored.
    """
    known = set(nodes)
    pairs = list(dict.fromkeys((a, b) for a, b in links if a in known and b in known and a != b))
    at = _columns(nodes, pairs)
    columns: list[list[Spot]] = [[] for _ in range(max(at.values(), default=-1) + 1)]
    for node in nodes:
        columns[at[node]].append(node)
    paths: dict[tuple[str, str], list[Spot]] = {}
    for a, b in pairs:
        between = [WayPoint(a, b, column) for column in range(at[a] + 1, at[b])]
        for point in between:
            columns[point.column].append(point)
        paths[a, b] = [a, *between, b]
    _sort(columns, paths.values())
    return Layers(columns, paths)


def _sort(columns: list[list[Spot]], paths: Iterable[list[Spot]]) -> None:
    """Order each column by the middle of the neighbours, from the left and from the right in turn."""
    near: dict[Spot, list[Spot]] = defaultdict(list)
    for path in paths:
        for a, b in pairwise(path):
            near[a].append(b)
            near[b].append(a)
    place: dict[Spot, float] = {spot: (i + 0.5) / len(column) for column in columns for i, spot in enumerate(column)}

    def middle(spot: Spot) -> float:
        return sum(place[other] for other in near[spot]) / len(near[spot]) if near[spot] else place[spot]

    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            column.sort(key=middle)
            place |= {spot: (i + 0.5) / len(column) for i, spot in enumerate(column)}


def _columns(nodes: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The longest path to each node; then each moves right until just before what it leads to."""
    after: dict[str, list[str]] = defaultdict(list)
    waits = dict.fromkeys(nodes, 0)
    for a, b in pairs:
        after[a].append(b)
        waits[b] += 1
    columns = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waits[node]]
    for node in ready:  # grows while it is read
        for target in after[node]:
            columns[target] = max(columns[target], columns[node] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    for node in reversed(ready):
        if after[node]:
            columns[node] = max(columns[node], min(columns[target] for target in after[node]) - 1)
    return columns
