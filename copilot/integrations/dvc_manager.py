"""Data versions of a Git repository with DVC: list, compare, read a file of an old one. Nothing is checked out.

The history comes from Git, what is tracked from DVC's own text files in each commit, contents from cache or remote.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from copilot.core.datasets import BalanceThresholds, DataComparison, DataVersion, TrackedData, compare_files, printable
from copilot.errors import CopilotError, InputError, MissingExtraError
from copilot.integrations.dvc.files import parts_of
from copilot.integrations.dvc.pipeline_revisions import PipelineRevisions
from copilot.integrations.dvc.remote import PATIENCE_S, WORKERS, Wanted
from copilot.integrations.dvc.revisions import State, TrackedFile
from copilot.integrations.dvc.store import DvcStore
from copilot.integrations.git_reader import ChangeHistory, Commit, ObjectReader
from copilot.integrations.images.decoding import BROKEN, broken_reason, decoded
from copilot.utils.validators import clean_text

try:
    from PIL import Image
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

MAX_FILE_BYTES = 200_000_000
MAX_NAMES = 20

Progress = Callable[[float, str], None]


class DvcManager(PipelineRevisions):
    """The DVC project that holds `repo`.

    Parameters
    ----------
    repo : str or Path, optional
        A folder in the project; its parents are searched. Default: the working folder.
    remote : str, optional
        Name of the DVC remote to read from. Default: the project's own.
    patience_s : float
        A remote from which nothing comes for so long is given up.
    keep_copies : bool, default True
        Keep what the remote gave in the home folder, by its hash.

    Raises
    ------
    InputError
        No DVC project or no Git repository there.
    ToolError
        Git is missing or refuses the repository.
    """

    def __init__(
        self,
        repo: str | Path | None = None,
        remote: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        keep_copies: bool = True,
    ) -> None:
        super().__init__(repo, remote, patience_s, keep_copies)

    def datasets(self, rev: str = "HEAD") -> list[TrackedData]:
        """The folders and files that DVC tracks in a revision, by path."""
        return [
            TrackedData(
                path=printable(output.path),
                kind="folder" if output.is_folder else "file",
                hash=output.hash,
                n_files=output.n_files,
                size_bytes=output.size,
                defined_in=printable(output.defined_in),
                stage=output.stage and clean_text(output.stage),
            )
            for output in self._outputs_at(rev)
        ]

    def versions(
        self, path: str | None = None, *, limit: int = 200, progress: Progress | None = None
    ) -> list[DataVersion]:
        """The commits on any branch in which the data under `path` differs from every parent, newest first.

        Parameters
        ----------
        path : str, optional
            Tracked folder or file, a folder inside one or above several; relative to the project, or absolute.
            Default: everything that is tracked.
        limit : int, default 200
            Most versions to list.
        progress : callable, optional
            Called with a fraction and a line.

        Raises
        ------
        NotFoundError
            No commit tracks anything there.
        """
        inside = self._inside(path)
        with self._git.objects() as objects:
            history, states = self._history(objects, inside)
            found = history.changes(limit, progress)
            named = self._named(history, found, states)
        if not found:
            raise self._not_tracked(inside, "HEAD")
        return list(named.values())

    def versions_at(self, revs: Iterable[str], path: str | None = None) -> dict[str, DataVersion | CopilotError]:
        """The version of the data under `path` that each revision holds, or why there is none.

        Parameters
        ----------
        revs : iterable of str
            Tags, commits or branches; commits that no branch reaches any more too.
        path : str, optional
            As for `versions`.
        """
        inside, commits, found = self._inside(path), {}, {}
        for rev in dict.fromkeys(revs):
            try:
                commits[rev] = self._git.resolve(rev)
            except CopilotError as error:
                found[rev] = error
        with self._git.objects() as objects:
            history, states = self._history(objects, inside, set(commits.values()))
            changes = history.changes(limit=sys.maxsize)
            named = self._named(history, changes, states)
            for rev, commit in commits.items():
                found[rev] = named.get(history.origin(commit) or "") or self._not_tracked(inside, rev)
        return found

    def _history(
        self, objects: ObjectReader, inside: str, also: Iterable[str] = ()
    ) -> tuple[ChangeHistory, dict[str, State | None]]:
        """The history of what is tracked at a path, and the states it fills in as it is walked."""
        states: dict[str, State | None] = {}

        def key(commit: Commit) -> str | None:
            state = self._state(parts_of(self._outputs.outputs(objects, commit.tree), inside))
            states[commit.id] = state
            return state and state.hash

        return ChangeHistory(self._git.commits(also), key), states

    def _named(
        self, history: ChangeHistory, found: list[Commit], states: dict[str, State | None]
    ) -> dict[str, DataVersion]:
        tags, branches = (_by_change(history, names, found) for names in (self._git.tags(), self._git.branches()))
        return {c.id: _version(c, states[c.id], tags[c.id], branches[c.id]) for c in found}

    def compare(
        self, path: str | None, rev_a: str, rev_b: str, *, thresholds: BalanceThresholds | None = None
    ) -> DataComparison:
        """What moved in the data under `path` from `rev_a` to `rev_b` (tags, commits, branches).

        Raises
        ------
        NotFoundError
            An unknown revision or remote, or nothing is tracked there in a revision.
        ToolError
            A file list is neither in the cache nor in the remote.
        """
        inside = self._inside(path)
        parts_a, parts_b = self._parts(inside, rev_a), self._parts(inside, rev_b)
        files_a, files_b = self._files(parts_a), self._files(parts_b)
        if not files_a and not files_b:
            raise self._not_tracked(inside, rev_a)
        size_a, size_b = self._size(parts_a), self._size(parts_b)
        names = {"path": printable(inside), "rev_a": clean_text(rev_a), "rev_b": clean_text(rev_b)}
        return compare_files(files_a, files_b, **names, size_a=size_a, size_b=size_b, thresholds=thresholds)

    def list_files(self, path: str | None = None, rev: str = "HEAD") -> dict[str, TrackedFile]:
        """Every file under `path` in a revision: path relative to it -> hash and size in bytes."""
        inside = self._inside(path)
        parts = self._parts(inside, rev)
        files = {name: file for part in parts for name, file in self._sized(part).items()}
        if not files:
            raise self._not_tracked(inside, rev)
        return files

    def read_bytes(self, path: str, rev: str = "HEAD", limit: int = MAX_FILE_BYTES) -> bytes:
        """The content of one file of a revision.

        Parameters
        ----------
        path : str
            Relative to the project, or absolute.
        rev : str
            Tag, commit or branch.
        limit : int
            Most bytes to read.

        Raises
        ------
        InputError
            It is a folder, or larger than `limit`.
        NotFoundError
            It is not tracked in that revision.
        ToolError
            Neither cache nor remote have it.
        """
        return self._store.read(self._locate(self._outputs_at(rev), path, rev), limit)

    def read_file(self, file: TrackedFile, what: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """The content of a file that `list_files` gave, without asking Git again; `what` names it in errors.

        Raises
        ------
        InputError
            It is larger than `limit`.
        ToolError
            Neither cache nor remote have it.
        """
        return self._store.read(Wanted(file.hash, file.legacy, clean_text(what)), limit)

    def read_many(
        self,
        paths: Iterable[str],
        rev: str = "HEAD",
        *,
        limit: int = MAX_FILE_BYTES,
        workers: int = WORKERS,
        progress: Progress | None = None,
    ) -> Iterator[tuple[str, bytes | CopilotError]]:
        """Files of a revision as they come, fetched side by side and no others: path as given, and content or error.

        Parameters
        ----------
        paths : iterable of str
            As for `read_bytes`.
        rev : str
            Tag, commit or branch.
        limit : int
            Most bytes of one file.
        workers : int, default 16
            Most files under way; as many again may wait for the reader.
        progress : callable, optional
            Called with a fraction and a line; what it raises ends the reading.

        Raises
        ------
        NotFoundError
            An unknown revision.
        """
        outputs, todo, wanted = self._outputs_at(rev), list(dict.fromkeys(paths)), []
        where = {}
        for path in todo:
            try:
                wanted.append(self._locate(outputs, path, rev))
                where[len(wanted) - 1] = path
            except CopilotError as error:
                yield path, error
        for done, (at, outcome) in enumerate(self._store.read_many(wanted, limit, workers), 1):
            if progress:
                progress(done / len(wanted), f"Read {done:,} of {len(wanted):,} files")
            yield where[at], outcome

    @property
    def store(self) -> DvcStore:
        """Contents by hash; it may travel to another process."""
        return self._store

    @property
    def n_fetched(self) -> int:
        """Objects that came from the remote so far: neither from the project's cache nor from our copies."""
        return self._store.n_fetched

    def open_image(self, path: str, rev: str = "HEAD") -> Image.Image:
        """One picture of a revision, decoded; at most ``decoding.MAX_PIXELS``.

        Raises
        ------
        InputError
            It is not a picture, damaged, or too large; else as `read_bytes`.
        """
        data, what = self.read_bytes(path, rev), f"{clean_text(path)} of {clean_text(rev)}"
        try:
            with warnings.catch_warnings(action="ignore"):
                return decoded(io.BytesIO(data))
        except BROKEN as error:
            reason = broken_reason(error)
            raise InputError(f"{what} is not a picture that can be read: {reason}.", "Choose a PNG or JPEG.") from error


def _by_change(history: ChangeHistory, names: dict[str, list[str]], found: list[Commit]) -> dict[str, list[str]]:
    """The names of commits by the change whose state they hold; names of the very commit come first."""
    held: dict[str, list[str]] = {commit.id: [] for commit in found}
    for marked, given in sorted(names.items(), key=lambda row: row[0] not in held):
        held.get(history.origin(marked), []).extend(given)
    return held


def _version(commit: Commit, state: State, tags: list[str], branches: list[str]) -> DataVersion:
    return DataVersion(
        revision=tags[0] if tags else commit.id[:10],
        commit=commit.id,
        date=commit.date,
        message=clean_text(printable(commit.subject)),
        tags=tuple(tags[:MAX_NAMES]),
        branches=tuple(branches[:MAX_NAMES]),
        n_files=state.n_files,
        size_bytes=state.size,
        hash=state.hash,
    )
