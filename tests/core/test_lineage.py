"""Sentences and groups of the lineage documents."""

from __future__ import annotations

from copilot.core.datasets import DataVersion
from copilot.core.lineage import LineageNode, MissingLink, RunsByVersion, group_runs, summarise


def version(name: str, day: int) -> DataVersion:
    return DataVersion(revision=name, commit=name * 20, date=f"2026-01-{day:02}T00:00:00+00:00", message="m", hash=name)


def test_the_sentence_names_the_chain_and_its_first_gap():
    nodes = [
        LineageNode(id=str(n), kind=kind, label=label)
        for n, (kind, label) in enumerate(
            [("run", "r"), ("code", "abc"), ("data", "x"), ("data", "y"), ("version", "v1")]
        )
    ]
    gap = MissingLink(at="remote", what="No remote.", hint="Add one.")
    assert summarise("r", nodes, [gap]) == "Run r ran at commit abc on x, y as of v1. No remote."
    assert summarise("r", nodes[:1], []) == "Where the data of run r came from is not known."


def test_runs_are_grouped_newest_version_first():
    old, new = version("v1", 1), version("v2", 2)
    found = group_runs("images", [("a", old), ("b", new), ("c", "no commit"), ("d", old)])
    assert [(row.version.revision, row.run_ids) for row in found.versions] == [("v2", ("b",)), ("v1", ("a", "d"))]
    assert found.unknown == {"c": "no commit"}
    assert found.summary == "3 runs used 2 versions of images; of 1 the data is not known."
    assert RunsByVersion.model_validate_json(found.model_dump_json()) == found
