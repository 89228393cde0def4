"""From MLflow runs back to their data: the chain of one run, runs by data version, what moved between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copilot.core.datasets import DataVersion
from copilot.core.lineage import (
    DataChange,
    Lineage,
    MissingLink,
    RunsByVersion,
    group_runs,
)
from copilot.errors import CopilotError
from copilot.integrations.lineage_chain import TAG_DATA, Chain, all_versions
from copilot.integrations.lineage_clues import Clues, read_clues
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.integrations.dvc_manager import DvcManager
    from copilot.integrations.mlflow_client import MlflowSource


def lineage_of(source: MlflowSource, run_id: str, dvc: DvcManager | None) -> Lineage:
    """Where the data of a run came from.

    The run's tags, parameters and dataset inputs are read for a commit, a revision, a path and a hash of its data; the
    commit's own DVC files say the rest. A link is ``matched`` where the run's hash is that of the commit, ``recorded``
    where a tool wrote it down, and else ``assumed``.

    Parameters
    ----------
    source : MlflowSource
    run_id : str
    dvc : DvcManager or None
        The project that the run is expected to have used; None where there is none.

    Raises
    ------
    NotFoundError
        There is no such run.
    ToolError
        The tracking server is out of reach.
    """
    run = source.run(run_id)
    return Chain(run, read_clues(run), dvc).document()


def runs_by_version(
    source: MlflowSource, experiment: str, dvc: DvcManager, path: str | None = None, *, limit: int | None = None
) -> RunsByVersion:
    """Runs of an experiment by the version of the data that they used.

    Parameters
    ----------
    source : MlflowSource
    experiment : str
        Name or id.
    dvc : DvcManager
    path : str, optional
        Tracked data. Default: all that is tracked.
    limit : int, optional
        The newest runs only.

    Raises
    ------
    NotFoundError
        There is no such experiment.
    """
    runs = source.runs(experiment, limit=limit)
    clues = {run.run_id: read_clues(run) for run in runs}
    by_hash = {version.hash: version for version in all_versions(dvc, path)}
    revs = {rev for found in clues.values() for rev in (found.revision, found.commit) if rev}
    held = dvc.versions_at(sorted(revs), path)
    found = ((run_id, _version_of(clue, by_hash, held, dvc)) for run_id, clue in clues.items())
    return group_runs(path or "", found)


def data_change(source: MlflowSource, run_a: str, run_b: str, dvc: DvcManager, path: str | None = None) -> DataChange:
    """What moved in the data between two runs.

    Parameters
    ----------
    source : MlflowSource
    run_a, run_b : str
        Run ids.
    dvc : DvcManager
    path : str, optional
        Tracked data. Default: what the first run names, else all that is tracked.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    clues = [read_clues(source.run(run_id)) for run_id in (run_a, run_b)]
    path = path or next((inside for c in clues if (inside := _path_inside(c, dvc))), None)
    by_hash = {version.hash: version for version in all_versions(dvc, path)}
    held = dvc.versions_at({rev for c in clues for rev in (c.revision, c.commit) if rev}, path)
    found = [_version_of(c, by_hash, held, dvc) for c in clues]
    missing = tuple(
        MissingLink(at="version", what=f"The data of run {clean_text(run, 40)} is not known: {why}", hint=TAG_DATA)
        for run, why in zip((run_a, run_b), found, strict=True)
        if isinstance(why, str)
    )
    a, b = (version if isinstance(version, DataVersion) else None for version in found)
    common = {"run_a": run_a, "run_b": run_b, "path": path or "", "version_a": a, "version_b": b, "missing": missing}
    if a is None or b is None:
        return DataChange(**common, summary=" ".join(gap.what for gap in missing))
    if a.hash == b.hash:
        return DataChange(**common, same=True, summary=f"Both runs used the same data, {a.revision}.")
    compared = dvc.compare(path, a.commit, b.commit)
    compared = compared.model_copy(update={"rev_a": a.revision, "rev_b": b.revision})
    summary = compared.summary.replace(a.commit, a.revision).replace(b.commit, b.revision)
    compared = compared.model_copy(update={"summary": summary})
    return DataChange(**common, same=False, comparison=compared, summary=summary)


def _version_of(
    clues: Clues, by_hash: dict[str, DataVersion], held: dict[str, DataVersion | CopilotError], dvc: DvcManager
) -> DataVersion | str:
    """The version that a run used: by the data's hash, else by the revision that it names, else by its commit."""
    for digest in clues.hashes:
        for form in (digest, f"{digest}.dir"):
            if form in by_hash:
                return by_hash[form]
    why = "It carries no hash or version of its data, and no Git commit."
    for rev in _revisions(clues, dvc):
        found = held[rev]
        if isinstance(found, DataVersion):
            tracked = {data.hash.removesuffix(".dir") for data in dvc.datasets(rev)}
            if not clues.hashes or tracked & set(clues.hashes):  # else the hash speaks against the commit
                return found
            why = "No version has the hash that it carries: its data was not committed."
        else:
            why = str(found)
    return why


def _revisions(clues: Clues, dvc: DvcManager) -> list[str]:
    """Where to look for a run's data: the revision that it names, unless that moves, and its commit."""
    named = [clues.revision] if clues.revision else []
    moving = bool(named) and not dvc.is_fixed(named[0])
    order = [clues.commit, *named] if moving else [*named, clues.commit]
    return [rev for rev in order if rev]


def _path_inside(clues: Clues, dvc: DvcManager) -> str | None:
    """The first path of the run's data that the project tracks something at, relative to it."""
    for path in clues.paths:
        try:
            return dvc.inside(path)
        except CopilotError:
            continue
    return None
