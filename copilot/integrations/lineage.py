"""From an MLflow run back to its data: commit, stages, tracked data, version, remote; and what is missing at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copilot.core.datasets import DataVersion, TrackedData
from copilot.core.lineage import (
    DataChange,
    Lineage,
    LineageLink,
    LineageNode,
    MissingLink,
    RunsByVersion,
    group_runs,
    summarise,
)
from copilot.errors import CopilotError
from copilot.integrations.lineage_clues import Clues, read_clues
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.integrations.dvc_manager import DvcManager
    from copilot.integrations.mlflow.records import RunInfo
    from copilot.integrations.mlflow_client import MlflowSource

MAX_DATA, MAX_STAGES = 8, 12
_TAG_COMMIT = "Start it inside its Git repository, or set the tag mlflow.source.git.commit."
_TAG_DATA = "Set the tag dvc.md5 to the md5 in the .dvc file, so that the next run proves which data it used."


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
    return _Chain(run, read_clues(run), dvc).document()


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
    by_hash = {version.hash: version for version in _versions(dvc, path)}
    revs = {rev for found in clues.values() for rev in (found.revision, found.commit) if rev}
    held = dvc.versions_at(sorted(revs), path)
    return group_runs(path or "", ((run_id, _version_of(found, by_hash, held)) for run_id, found in clues.items()))


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
    by_hash = {version.hash: version for version in _versions(dvc, path)}
    held = dvc.versions_at({rev for c in clues for rev in (c.revision, c.commit) if rev}, path)
    found = [_version_of(c, by_hash, held) for c in clues]
    missing = tuple(
        MissingLink(at="version", what=f"The data of run {clean_text(run, 40)} is not known: {why}", hint=_TAG_DATA)
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


def _versions(dvc: DvcManager, path: str | None) -> list[DataVersion]:
    """Every version, the oldest last; where the same data came back, the oldest counts."""
    try:
        return dvc.versions(path, limit=1_000_000)
    except CopilotError:
        return []


def _version_of(
    clues: Clues, by_hash: dict[str, DataVersion], held: dict[str, DataVersion | CopilotError]
) -> DataVersion | str:
    """The version that a run used: by the data's hash, else by the revision that it names, else by its commit."""
    for digest in clues.hashes:
        for form in (digest, f"{digest}.dir"):
            if form in by_hash:
                return by_hash[form]
    why = "It carries no hash or version of its data, and no Git commit."
    for rev in (clues.revision, clues.commit):
        if rev and isinstance(held[rev], DataVersion):
            return held[rev]
        why = str(held[rev]) if rev else why
    return why


def _path_inside(clues: Clues, dvc: DvcManager) -> str | None:
    """The first path of the run's data that the project tracks something at, relative to it."""
    for path in clues.paths:
        try:
            return dvc.inside(path)
        except CopilotError:
            continue
    return None


class _Chain:
    """One run's chain as it is put together."""

    def __init__(self, run: RunInfo, clues: Clues, dvc: DvcManager | None) -> None:
        self.run, self.clues, self.dvc = run, clues, dvc
        self.nodes: list[LineageNode] = []
        self.links: list[LineageLink] = []
        self.missing: list[MissingLink] = []
        self.versions: dict[str, DataVersion] = {}

    def document(self) -> Lineage:
        facts = {"id": self.run.run_id, "status": self.run.status}
        self._add("run", "run", self.run.name, facts)
        for at, data in enumerate(self.run.datasets[:MAX_DATA]):
            facts = {"digest": data.digest, "context": data.context, "source": data.source}
            node = self._add("input", f"input{at}", data.name or "dataset", {k: v for k, v in facts.items() if v})
            self._link(node, "run", data.context or "input")
        revision = self._code()
        if self.dvc is None:
            self._gap("data", "No DVC project is known, so that the data has no versions.", "Set dvc.repo.")
        elif revision:
            self._data(self.dvc, revision)
        missing = tuple(self.missing)
        return Lineage(
            run_id=self.run.run_id,
            nodes=tuple(self.nodes),
            links=tuple(self.links),
            missing=missing,
            versions=self.versions,
            summary=summarise(self.run.name, self.nodes, missing),
        )

    def _code(self) -> str | None:
        """The revision whose data counts: the one that the run names for its data, else its commit."""
        clues, dvc = self.clues, self.dvc
        if clues.commit is None:
            self._gap("code", "The run carries no Git commit.", _TAG_COMMIT)
        else:
            facts = {"commit": clues.commit, **({"repository": clues.repository} if clues.repository else {})}
            try:
                found = dvc and dvc.commit(clues.commit)
                facts |= {"date": found.date, "message": found.subject} if found else {}
                known = found is not None
            except CopilotError as error:
                hint = error.hint if "unshallow" in error.hint else "Fetch it: git fetch --all; or it was never pushed."
                self._gap("code", f"The commit {clues.commit[:10]} is not in the clone of the data.", hint)
                known = False
            self._add("code", "code", clues.commit[:10], facts)
            self._link("code", "run", "ran")
            if clues.dirty:
                self._gap("code", "The run says that files were changed and not committed.", "Commit before training.")
        named = clues.revision
        if dvc and named:
            try:
                dvc.commit(named)
                return named
            except CopilotError:
                line = f"The data version that the run names, {clean_text(named, 40)!r}, is no revision here."
                self._gap("version", line, "Tag the commit of the data: git tag NAME; or fetch the tags.")
        return clues.commit if dvc and clues.commit and known else None

    def _data(self, dvc: DvcManager, revision: str) -> None:
        tracked = dvc.datasets(revision)
        if not tracked:
            line = f"DVC tracks nothing at {clean_text(revision, 40)}."
            self._gap("data", line, "If the data lies in another repository, set dvc.repo to it.")
            return
        chosen, certainty = self._chosen(dvc, tracked)
        for at, data in enumerate(chosen[:MAX_DATA]):
            self._tracked(dvc, f"data{at}", data, revision, certainty)
        if len(chosen) > MAX_DATA:
            line = f"{len(chosen) - MAX_DATA:,} further outputs are tracked at that commit."
            self._gap("data", line, "Set the tag dvc.path to the folder that the run reads.")
        self._stages(dvc, revision, chosen[:MAX_DATA])
        self._remote(dvc)

    def _chosen(self, dvc: DvcManager, tracked: list[TrackedData]) -> tuple[list[TrackedData], str]:
        """The tracked data that the run used: by hash, by path, else all of it."""
        bare = {digest.removesuffix(".dir") for digest in self.clues.hashes}
        by_hash = [data for data in tracked if data.hash.removesuffix(".dir") in bare]
        if by_hash:
            return by_hash, "matched"
        by_path = []
        for path in self.clues.paths:
            try:
                inside = dvc.inside(path)
            except CopilotError:
                continue
            near = (d for d in tracked if d.path == inside or f"{inside}/".startswith(f"{d.path}/"))
            by_path += [d for d in near if d not in by_path]
        if bare:
            self._other_hash(dvc, by_path or tracked)
        else:
            line = "The run carries no hash of its data: what was changed and not committed would not show."
            self._gap("data", line, _TAG_DATA)
        return by_path or tracked, "recorded" if by_path and self.clues.revision else "assumed"

    def _other_hash(self, dvc: DvcManager, tracked: list[TrackedData]) -> None:
        """Say whose hash the run carries, if not that of its revision."""
        hint = "Commit the .dvc files before training: dvc add, git commit."
        for data in tracked[:MAX_DATA]:
            for version in _versions(dvc, data.path):
                if version.hash.removesuffix(".dir") in {d.removesuffix(".dir") for d in self.clues.hashes}:
                    line = f"The run's data is {data.path} of {version.revision}, which its commit does not hold."
                    self._gap("version", line, hint)
                    return
        self._gap("data", "No commit holds data with the hash that the run carries.", hint)

    def _tracked(self, dvc: DvcManager, node: str, data: TrackedData, revision: str, certainty: str) -> None:
        facts = {"md5": data.hash, "defined in": data.defined_in}
        facts |= {"files": f"{data.n_files:,}"} if data.n_files is not None else {}
        self._add("data", node, data.path, facts)
        self._link(node, "run", "read by", certainty)
        if any(n.id == "code" for n in self.nodes) and revision == self.clues.commit:
            self._link("code", node, "names")
        version = dvc.versions_at([revision], data.path)[revision]
        if isinstance(version, DataVersion):
            self.versions[data.path] = version
            facts = {"commit": version.commit[:10], "date": version.date, "message": version.message}
            facts |= {"tags": ", ".join(version.tags[:5])} if version.tags else {}
            self._add("version", f"version-{node}", version.revision, facts)
            self._link(f"version-{node}", node, "version")

    def _stages(self, dvc: DvcManager, revision: str, chosen: list[TrackedData]) -> None:
        """The stages that made the data, with what they read."""
        pipeline = dvc.pipeline(revision)
        made_by = {data.path: pipeline.upstream(data.path) for data in chosen if data.stage}
        stages = {stage.name: stage for found in made_by.values() for stage in found}
        kept = [stage for stage in pipeline.stages if stage.name in stages][-MAX_STAGES:]
        ids = {stage.name: f"stage{at}" for at, stage in enumerate(kept)}
        for stage in kept:
            facts = {"command": stage.command or "", "defined in": stage.defined_in, "from": stage.source or ""}
            facts |= {name: str(value) for name, value in list(stage.params.items())[:6]}
            self._add("stage", ids[stage.name], stage.name, {k: v for k, v in facts.items() if v})
        for edge in pipeline.edges:
            if edge.source in ids and edge.target in ids:
                self._link(ids[edge.source], ids[edge.target], edge.path)
        for at, data in enumerate(chosen):
            for stage in kept:
                if any(out.path == data.path for out in stage.outs):
                    self._link(ids[stage.name], f"data{at}", "made")
                    if not stage.recorded:
                        self._gap("stage", f"Stage {stage.name} has not been run at that commit.", "Run: dvc repro")

    def _remote(self, dvc: DvcManager) -> None:
        if dvc.remote_url is None:
            line = "The project has no DVC remote: only the cache of this machine holds the data."
            self._gap("remote", line, "Add one: dvc remote add -d NAME URL; then dvc push")
            return
        self._add("remote", "remote", dvc.remote_name or "", {"address": dvc.remote_url})
        for node in [node for node in self.nodes if node.kind == "data"]:
            self._link(node.id, "remote", "kept in")

    def _add(self, kind: str, node: str, label: str, facts: dict[str, str]) -> str:
        shown = {clean_text(name, 60): clean_text(value, 300) for name, value in facts.items()}
        self.nodes.append(LineageNode(id=node, kind=kind, label=clean_text(label, 120), facts=shown))
        return node

    def _link(self, source: str, target: str, label: str, certainty: str = "recorded") -> None:
        line = clean_text(label, 120)
        self.links.append(LineageLink(source=source, target=target, label=line, certainty=certainty))

    def _gap(self, at: str, what: str, hint: str) -> None:
        self.missing.append(MissingLink(at=at, what=what, hint=hint))
