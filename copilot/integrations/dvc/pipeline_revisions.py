"""Pipelines, parameters and metrics of any revision of a DVC project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from copilot.core.pipelines import Pipeline, ValueTable, across
from copilot.integrations.dvc.pipelines import MAX_VALUE_BYTES, PipelineFiles
from copilot.integrations.dvc.remote import Wanted
from copilot.integrations.dvc.revisions import Revisions
from copilot.utils.validators import clean_text

Progress = Callable[[float, str], None]


class PipelineRevisions(Revisions):
    """Revisions with the stages that their dvc.yaml and dvc.lock describe; see `DvcManager`."""

    def pipeline(self, rev: str = "HEAD") -> Pipeline:
        """The stages of a revision with their files, parameters and edges, as its dvc.yaml and dvc.lock have them.

        Raises
        ------
        NotFoundError
            An unknown revision.
        """
        commit = self._git.resolve(rev)
        with self._pipeline_files(commit) as files:
            return files.pipeline(clean_text(rev), commit)

    def params_across(self, revs: Sequence[str], progress: Progress | None = None) -> ValueTable:
        """Parameters of several revisions, from params.yaml and the files that a dvc.yaml names.

        Raises
        ------
        NotFoundError
            An unknown revision.
        """
        return self._across("params", revs, progress)

    def metrics_across(self, revs: Sequence[str], progress: Progress | None = None) -> ValueTable:
        """Metrics of several revisions, from the files that a dvc.yaml names; those that DVC keeps are fetched.

        Raises
        ------
        NotFoundError
            An unknown revision.
        """
        return self._across("metrics", revs, progress)

    def _across(self, kind: Literal["params", "metrics"], revs: Sequence[str], progress: Progress | None) -> ValueTable:
        found, notes = [], []
        for done, rev in enumerate(revs, 1):
            with self._pipeline_files(self._git.resolve(rev)) as files:
                found.append(files.params() if kind == "params" else files.metrics())
                notes += [f"{clean_text(rev, 60)}: {note}" for note in files.notes]
            if progress:
                progress(done / len(revs), f"Read {done:,} of {len(revs):,} revisions")
        return across(kind, [clean_text(rev, 80) for rev in revs], found, notes)

    @contextmanager
    def _pipeline_files(self, commit: str) -> Iterator[PipelineFiles]:
        tree = self._git.root_tree(commit)
        with self._git.objects() as objects:
            pipelines = self._outputs.dvc_files(objects, tree)

            def read(path: str) -> bytes | None:
                return self._outputs.file(objects, tree, path)

            files = PipelineFiles(pipelines, read, self._read_kept)
            yield files

    def _read_kept(self, digest: str, path: str) -> bytes:
        return self._store.read(Wanted(digest, False, clean_text(path)), MAX_VALUE_BYTES)
