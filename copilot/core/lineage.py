"""Where a run's data came from: documents of the chain run, commit, stages, data, version, remote, and its gaps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from copilot.core.datasets import DataComparison, DataVersion
from copilot.core.findings import Document

SCHEMA_VERSION = "1"
NodeKind = Literal["run", "input", "code", "stage", "data", "version", "remote"]
# recorded: a tool wrote it down; matched: two hashes agree; assumed: it follows only if nothing was left uncommitted
Certainty = Literal["recorded", "matched", "assumed"]


class LineageNode(Document):
    """One thing in the chain; ``facts`` are what is known of it, by name, fit to be shown."""

    id: str
    kind: NodeKind
    label: str
    facts: dict[str, str] = Field(default_factory=dict)


class LineageLink(Document):
    """From what came first to what came of it, or from a thing to where it lies."""

    source: str
    target: str
    label: str
    certainty: Certainty = "recorded"


class MissingLink(Document):
    """What is not known at one place of the chain, and what to do so that the next run has it."""

    at: NodeKind
    what: str
    hint: str


class Lineage(Document):
    """The chain of one run."""

    schema_version: str = SCHEMA_VERSION
    run_id: str
    nodes: tuple[LineageNode, ...] = ()
    links: tuple[LineageLink, ...] = ()
    missing: tuple[MissingLink, ...] = ()
    versions: dict[str, DataVersion] = Field(default_factory=dict)
    summary: str

    def of_kind(self, kind: NodeKind) -> tuple[LineageNode, ...]:
        """The nodes of one kind."""
        return tuple(node for node in self.nodes if node.kind == kind)


class RunsOfVersion(Document):
    """Runs that used one state of a data set."""

    version: DataVersion
    run_ids: tuple[str, ...]


class RunsByVersion(Document):
    """Runs of an experiment by the data they used, the newest version first; ``unknown`` says why, by run id."""

    path: str
    versions: tuple[RunsOfVersion, ...] = ()
    unknown: dict[str, str] = Field(default_factory=dict)
    summary: str


class DataChange(Document):
    """What moved in the data between two runs. ``comparison`` is None where one side is not known."""

    run_a: str
    run_b: str
    path: str
    version_a: DataVersion | None = None
    version_b: DataVersion | None = None
    same: bool | None = None
    comparison: DataComparison | None = None
    missing: tuple[MissingLink, ...] = ()
    summary: str


def summarise(run: str, nodes: Iterable[LineageNode], missing: Iterable[MissingLink]) -> str:
    """The chain in a sentence, and the first gap in another."""
    labels: dict[str, list[str]] = {}
    for node in nodes:
        labels.setdefault(node.kind, []).append(node.label)
    told = [f"Run {run}"]
    if "code" in labels:
        told.append(f"ran at commit {labels['code'][0]}")
    if "data" in labels:
        shown = labels["data"]
        told.append(f"on {', '.join(shown[:3])}{' and others' if len(shown) > 3 else ''}")
    if "version" in labels:
        told.append(f"as of {', '.join(dict.fromkeys(labels['version'][:3]))}")
    if "remote" in labels:
        told.append(f"kept in {labels['remote'][0]}")
    gap = next((f" {one.what}" for one in missing), "")
    return f"{' '.join(told)}.{gap}" if len(told) > 1 else f"Where the data of run {run} came from is not known.{gap}"


def group_runs(path: str, found: Iterable[tuple[str, DataVersion | str]]) -> RunsByVersion:
    """Runs by version.

    Parameters
    ----------
    path : str
    found : iterable of (str, DataVersion or str)
        Run id, and its version or why that is not known.
    """
    groups: dict[str, tuple[DataVersion, list[str]]] = {}
    unknown: dict[str, str] = {}
    for run_id, version in found:
        if isinstance(version, str):
            unknown[run_id] = version
        else:
            groups.setdefault(version.commit, (version, []))[1].append(run_id)
    ordered = sorted(groups.values(), key=lambda row: row[0].date, reverse=True)
    rows = tuple(RunsOfVersion(version=version, run_ids=tuple(ids)) for version, ids in ordered)
    n_runs = sum(len(row.run_ids) for row in rows)
    lost = f"; of {len(unknown):,} the data is not known" if unknown else ""
    summary = f"{n_runs:,} runs used {len(rows):,} versions of {path or 'the data'}{lost}."
    return RunsByVersion(path=path, versions=rows, unknown=unknown, summary=summary)
