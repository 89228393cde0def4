"""Places for the nodes of a directed graph: columns by longest path, rows by the middle of their neighbours.

Source: K. Sugiyama, S. Tagawa, M. Toda, IEEE Trans. SMC 11, 1981, without dummy nodes on long links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

SWEEPS = 4


def layers(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Columns of nodes from left to right, each from top to bottom; every link goes right, but those of a circle.

    Parameters
    ----------
    nodes : sequence of str
    links : iterable of (str, str)
        From, to. Those that name other nodes are ignored.
    """
    known = set(nodes)
    pairs = list(dict.fromkeys((a, b) for a, b in links if a in known and b in known and a != b))
    columns = _columns(nodes, pairs)
    rows: list[list[str]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for node in nodes:
        rows[columns[node]].append(node)
    near: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        near[a].append(b)
        near[b].append(a)
    for sweep in range(SWEEPS):
        at = {node: (i + 0.5) / len(row) for row in rows for i, node in enumerate(row)}
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            row.sort(key=lambda node: sum(at[n] for n in near[node]) / len(near[node]) if near[node] else at[node])
            at |= {node: (i + 0.5) / len(row) for i, node in enumerate(row)}
    return rows


def _columns(nodes: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    after: dict[str, list[str]] = defaultdict(list)
    waits = dict.fromkeys(nodes, 0)
    for a, b in pairs:
        after[a].append(b)
        waits[b] += 1
    before = dict(waits)
    columns = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waits[node]]
    for node in ready:  # grows while it is read
        for target in after[node]:
            columns[target] = max(columns[target], columns[node] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    for node in nodes:  # what has no way in stands just left of what it leads to
        if not before[node] and after[node]:
            columns[node] = max(0, min(columns[target] for target in after[node]) - 1)
    return columns
