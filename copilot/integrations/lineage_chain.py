"""The chain of one run: each step with what is known of it, each gap with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copilot.core.datasets import DataVersion, TrackedData
from copilot.core.lineage import Lineage, LineageLink, LineageNode, MissingLink, summarise
from copilot.errors import CopilotError
from copilot.integrations.lineage_clues import Clues
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.integrations.dvc_manager import DvcManager
    from copilot.integrations.mlflow.records import RunInfo

MAX_DATA, MAX_STAGES = 8, 12
TAG_DATA = "Set the tag dvc.md5 to the md5 in the .dvc file, so that the next run proves which data it used."
_TAG_COMMIT = "Start it inside its Git repository, or set the tag mlflow.source.git.commit."


def all_versions(dvc: DvcManager, path: str | None) -> list[DataVersion]:
    """Every version, the oldest last; where the same data came back, the oldest counts."""
    try:
        return dvc.versions(path, limit=1_000_000)
    except CopilotError:
        return []


class Chain:
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
        elif revision := self._revision(self.dvc, revision):
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
        clues, dvc, known = self.clues, self.dvc, False
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
                if clues.repository and not dvc.is_clone_of(clues.repository):
                    hint = f"The run's code is in {clues.repository}: set dvc.repo to a clone of it."
                self._gap("code", f"The commit {clues.commit[:10]} is not in the clone of the data.", hint)
            self._add("code", "code", clues.commit[:10], facts)
            self._link("code", "run", "ran")
            if clues.dirty:
                self._gap("code", "The run says that files were changed and not committed.", "Commit before training.")
        named = clues.revision
        if dvc and named:
            try:
                dvc.commit(named)
                moves = not dvc.is_fixed(named)
                if moves and not clues.hashes:
                    line = f"The run names {clean_text(named, 40)!r} as its data version, which moves on."
                    self._gap("version", line, "Name a tag or a commit instead.")
                if not (moves and known):
                    return named
            except CopilotError:
                line = f"The data version that the run names, {clean_text(named, 40)!r}, is no revision here."
                self._gap("version", line, "Tag the commit of the data: git tag NAME; or fetch the tags.")
        return clues.commit if dvc and clues.commit and known else None

    def _revision(self, dvc: DvcManager, own: str | None) -> str | None:
        """Where the run's data is: at its own revision, unless another one holds the hash that it carries."""
        bare = {digest.removesuffix(".dir") for digest in self.clues.hashes}
        try:
            tracked = dvc.datasets(own or "HEAD")
        except CopilotError:
            return own
        if not bare or (own and any(data.hash.removesuffix(".dir") in bare for data in tracked)):
            return own
        hint = "Commit the .dvc files before training: dvc add, git commit."
        for data in tracked[:MAX_DATA]:
            for version in all_versions(dvc, data.path):
                if version.hash.removesuffix(".dir") in bare:
                    if own:
                        line = f"The run's data is {data.path} of {version.revision}, which {own[:10]} does not hold."
                        self._gap("version", line, hint)
                    return version.commit
        self._gap("data", "No commit holds data with the hash that the run carries.", hint)
        return own

    def _data(self, dvc: DvcManager, revision: str) -> None:
        tracked = dvc.datasets(revision)
        if not tracked:
            line = f"DVC tracks nothing at {clean_text(revision, 40)}."
            self._gap("data", line, "If the data lies in another repository, set dvc.repo to it.")
            return
        chosen, certainty = self._chosen(dvc, tracked)
        for at, data in enumerate(chosen[:MAX_DATA]):
            self._tracked(dvc, f"data{at}", data, revision, certainty)
        if revision == self.clues.revision:
            self._compare_commit(dvc, revision)
        if len(chosen) > MAX_DATA:
            line = f"{len(chosen) - MAX_DATA:,} further outputs are tracked at that commit."
            self._gap("data", line, "Set the tag dvc.path to the folder that the run reads.")
        self._stages(dvc, revision, chosen[:MAX_DATA])
        self._remote(dvc)

    def _chosen(self, dvc: DvcManager, tracked: list[TrackedData]) -> tuple[list[TrackedData], str]:
        """The tracked data that the run used: by hash, by path, else all of it."""
        bare = {digest.removesuffix(".dir") for digest in self.clues.hashes}
        by_hash = [data for data in tracked if data.hash.removesuffix(".dir") in bare]
        by_path = []
        for path in self.clues.paths:
            try:
                inside = dvc.inside(path)
            except CopilotError:
                continue
            near = (d for d in tracked if d.path == inside or f"{inside}/".startswith(f"{d.path}/"))
            by_path += [d for d in near if d not in by_path]
        if by_hash:  # copies have one hash, and then the path tells them apart
            return [data for data in by_hash if data in by_path] or by_hash, "matched"
        if not bare:
            line = "The run carries no hash of its data: what was changed and not committed would not show."
            self._gap("data", line, TAG_DATA)
        return by_path or tracked, "recorded" if by_path and self.clues.revision else "assumed"

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

    def _compare_commit(self, dvc: DvcManager, revision: str) -> None:
        """Say where the data that the run names is not that of its own commit."""
        if not self.clues.commit or self.clues.commit == revision:
            return
        for path, version in self.versions.items():
            own = dvc.versions_at([self.clues.commit], path)[self.clues.commit]
            if isinstance(own, DataVersion) and own.hash != version.hash:
                line = f"The run names {version.revision} of {path}, while its commit holds {own.revision}."
                self._gap("version", line, "Check out the data that is named: git checkout, dvc checkout.")

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
