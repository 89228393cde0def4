"""Data versions of a Git repository with DVC: list, compare, read a file of an old one. Nothing is checked out.

The history comes from Git, what is tracked from DVC's own text files in each commit, contents from cache or remote.
"""

from __future__ import annotations

import io
import os
import posixpath
import warnings
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import NamedTuple

from copilot.core.datasets import BalanceThresholds, DataComparison, DataVersion, TrackedData, compare_files, printable
from copilot.errors import InputError, MissingExtraError, NotFoundError, ToolError
from copilot.integrations.dvc_files import Output, OutputReader, Part, find_project, folder_hash, parts_of
from copilot.integrations.dvc_store import DvcStore
from copilot.integrations.git_reader import ChangeHistory, Commit, GitReader
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text

try:
    from PIL import Image
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

MAX_FILE_BYTES = 200_000_000
MAX_PIXELS = 64_000_000
MAX_NAMES = 20
KEPT_LISTINGS = 8
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")

Progress = Callable[[float, str], None]


class TrackedFile(NamedTuple):
    """Content hash (MD5) of a file and its bytes; the size is None where only the remote would know it.

    `legacy` objects (DVC 1 and 2) lie elsewhere in the cache.
    """

    hash: str
    size: int | None
    legacy: bool = False


class State(NamedTuple):
    """A data set in one commit, without its file list."""

    hash: str
    n_files: int | None
    size: int | None


class DvcManager:
    """The DVC project that holds `repo`.

    Parameters
    ----------
    repo : str or Path, optional
        A folder in the project; its parents are searched. Default: the working folder.
    remote : str, optional
        Name of the DVC remote to read from. Default: the project's own.

    Raises
    ------
    InputError
        No DVC project or no Git repository there.
    ToolError
        Git is missing or refuses the repository.
    """

    def __init__(self, repo: str | Path | None = None, remote: str | None = None) -> None:
        no_telemetry()
        self.root = find_project(Path(repo or "."))
        self._git = GitReader(self.root)
        self._outputs = OutputReader(self._git.prefix)
        self.store = DvcStore(self.root, remote)
        self._listings: dict[str, dict[str, str]] = {}
        self._inner_states: dict[tuple[str, str], State | None] = {}

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
        states: dict[str, State | None] = {}

        with self._git.objects() as objects:

            def key(commit: Commit) -> str | None:
                state = self._state(parts_of(self._outputs.outputs(objects, commit.tree), inside))
                states[commit.id] = state
                return state and state.hash

            history = ChangeHistory(self._git.commits(), key)
            found = history.changes(limit, progress)
            tags, branches = (_by_change(history, names, found) for names in (self._git.tags(), self._git.branches()))
        if not found:
            raise self._not_tracked(inside, "HEAD")
        return [_version(commit, states[commit.id], tags[commit.id], branches[commit.id]) for commit in found]

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
        inside = self._inside(path)
        part = self._parts(inside, rev)[0]
        if part.output.path == inside and not part.output.is_folder:
            digest = part.output.hash
        else:
            digest = self._listing(part.output).get(part.inner, "") if part.inner else ""
        if not digest and self._files([part]):
            raise InputError(f"{clean_text(inside) or 'The project'} is a folder in {clean_text(rev)}.", "Name a file.")
        if not digest:
            raise self._not_tracked(inside, rev)
        return self.store.read(digest, part.output.legacy, limit, f"{clean_text(inside)} of {clean_text(rev)}")

    def read_file(self, file: TrackedFile, what: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """The content of a file that `list_files` gave, without asking Git again; `what` names it in errors.

        Raises
        ------
        InputError
            It is larger than `limit`.
        ToolError
            Neither cache nor remote have it.
        """
        return self.store.read(file.hash, file.legacy, limit, clean_text(what))

    def open_image(self, path: str, rev: str = "HEAD") -> Image.Image:
        """One picture of a revision, decoded; at most ``MAX_PIXELS``.

        Raises
        ------
        InputError
            It is not a picture, damaged, or too large; else as `read_bytes`.
        """
        data, what = self.read_bytes(path, rev), f"{clean_text(path)} of {clean_text(rev)}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(io.BytesIO(data), formats=IMAGE_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"{what} has {image.width:,} x {image.height:,} pixels.", "Choose a smaller picture.")
            image.load()
        except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{what} is not a picture that can be read.", "Choose a PNG or JPEG file.") from error
        return image

    def _inside(self, path: str | None) -> str:
        """`path` relative to the project, with forward slashes; "" is the whole project."""
        text = str(path or "")
        if os.path.isabs(text):
            tried = Path(os.path.abspath(text)), Path(text).resolve()
            text = next((str(p.relative_to(self.root)) for p in tried if p.is_relative_to(self.root)), "..")
        plain = posixpath.normpath(PurePath(text).as_posix())
        if plain == ".." or plain.startswith("../"):
            raise InputError(f"{clean_text(path)} is not in the DVC project {self.root}.", "Name a path inside it.")
        return "" if plain == "." else plain

    def _not_tracked(self, inside: str, rev: str) -> NotFoundError:
        known = [clean_text(output.path, 60) for output in self._outputs_at(rev)][:10]
        hint = f"Tracked there: {', '.join(known)}." if known else "Nothing is tracked there; track a folder: dvc add"
        return NotFoundError(f"DVC does not track {clean_text(inside) or 'anything'} in {clean_text(rev)}.", hint)

    def _outputs_at(self, rev: str) -> tuple[Output, ...]:
        tree = self._git.root_tree(self._git.resolve(rev))
        with self._git.objects() as objects:
            return self._outputs.outputs(objects, tree)

    def _parts(self, inside: str, rev: str) -> list[Part]:
        parts = parts_of(self._outputs_at(rev), inside)
        if not parts:
            raise self._not_tracked(inside, rev)
        return parts

    def _listing(self, output: Output) -> dict[str, str]:
        """Path inside an output -> hash; the last few are kept."""
        if not output.is_folder:
            return {}
        if output.hash not in self._listings:
            what = clean_text(output.path)
            listed = output.listing and {name: digest for name, (digest, _) in output.listing.items()}
            self._listings[output.hash] = listed or self.store.listing(output.hash, output.legacy, what)
            if len(self._listings) > KEPT_LISTINGS:
                del self._listings[next(iter(self._listings))]
        return self._listings[output.hash]

    def _files(self, parts: list[Part]) -> dict[str, str]:
        return {name: digest for part in parts for name, digest in part.select(self._listing(part.output)).items()}

    def _sized(self, part: Part) -> dict[str, TrackedFile]:
        output = part.output
        if not output.is_folder:
            return {name: TrackedFile(digest, output.size, output.legacy) for name, digest in part.select({}).items()}
        sizes = dict((output.listing or {}).values())
        return {
            name: TrackedFile(digest, sizes.get(digest) or self.store.cached_size(digest, output.legacy), output.legacy)
            for name, digest in part.select(self._listing(output)).items()
        }

    def _size(self, parts: list[Part]) -> int | None:
        """Bytes of some outputs, by DVC's own record; of a folder inside one, by the cache."""
        sizes = [part.output.size for part in parts if not part.inner]
        sizes += [file.size for part in parts if part.inner for file in self._sized(part).values()]
        return None if None in sizes else sum(sizes)

    def _state(self, parts: list[Part]) -> State | None:
        if not parts:
            return None
        if inner := parts[0].inner:
            key = parts[0].output.hash, inner
            if key not in self._inner_states:
                self._inner_states[key] = self._inner_state(parts[0])
            return self._inner_states[key]
        counts = [part.output.n_files for part in parts]
        whole = parts[0].output.hash if len(parts) == 1 else folder_hash({p.name: p.output.hash for p in parts})
        return State(whole, None if None in counts else sum(counts), self._size(parts))

    def _inner_state(self, part: Part) -> State | None:
        """State of a folder inside an output; where its file list is lost, it counts as changed with the output."""
        try:
            files = self._files([part])
        except ToolError:
            return State(part.output.hash, None, None)
        return State(folder_hash(files), len(files), self._size([part])) if files else None


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
