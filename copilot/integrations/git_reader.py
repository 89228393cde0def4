"""Read a Git repository: commits, tags and file contents. Through the `git` command, read-only, without a checkout."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from copilot.errors import InputError, NotFoundError, ToolError
from copilot.utils.validators import clean_text, without_credentials

TIMEOUT_S = 60.0
_PIECE = 1 << 20
_IDENTIFIER = re.compile(r"[0-9a-f]{7,64}")
# A repository may be somebody else's: nothing that it configures is run, and nothing is asked at the terminal.
_SAFE = ("-c", "log.showSignature=false", "-c", "core.fsmonitor=false", "--no-optional-locks", "--no-pager")
_STEERING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")


class Commit(NamedTuple):
    """A commit: its id, parents, root tree, ISO date and the first line of its message, as written."""

    id: str
    parents: tuple[str, ...]
    tree: str
    date: str
    subject: str


class TreeEntry(NamedTuple):
    """An entry of a folder: octal mode as text, name, object id."""

    mode: str
    name: str
    id: str

    @property
    def is_folder(self) -> bool:
        return self.mode == "40000"

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("100")


class GitReader:
    """The repository that holds `folder`.

    Attributes
    ----------
    prefix : str
        Where `folder` lies inside the repository: "" at its top, else a path that ends with a slash.

    Raises
    ------
    InputError
        No Git repository there.
    ToolError
        Git is not installed, or refuses to read the repository.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = self._git("rev-parse", "--show-prefix").removesuffix("\n")

    def resolve(self, revision: str) -> str:
        """The full id of the commit that a tag, branch, short id or expression such as ``HEAD~1`` names.

        Raises
        ------
        NotFoundError
            There is no such revision; the hint names the tags.
        InputError
            It is HEAD, and there is no commit yet.
        """
        if revision and not revision.startswith("-") and revision.isprintable():
            found = self._run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if found.returncode == 0:
                return found.stdout.decode().strip()
            if revision == "HEAD":
                raise InputError(f"{self.folder} has no commit yet.", "Commit the .dvc files: git add . && git commit")
        if _IDENTIFIER.fullmatch(revision) and self.is_shallow():
            hint = "The clone is shallow; get the rest: git fetch --unshallow"
            raise NotFoundError(f"The commit {revision[:12]} is not in this clone.", hint)
        names = sorted(name for tags in self.tags().values() for name in tags)
        shown = ", ".join(clean_text(name, 40) for name in names[-10:])
        hint = f"Tags here: {shown}." if names else "There are no tags here; use a commit id, as `git log` shows them."
        raise NotFoundError(f"Unknown revision: {clean_text(revision, 80)!r}.", hint)

    def root_tree(self, commit: str) -> str:
        """The object id of the root folder of a commit."""
        return self._git("rev-parse", "--verify", f"{commit}^{{tree}}").strip()

    def commits(self, also: Iterable[str] = ()) -> list[Commit]:
        """Every commit that HEAD, a branch, a tag or one of `also` (ids) reaches, newest first, children first."""
        self.resolve("HEAD")
        form = "--format=%H%x00%P%x00%T%x00%cI%x00%s"
        text = self._git("log", "-z", "--date-order", form, "HEAD", "--branches", "--tags", "--remotes", *also)
        fields = text.removesuffix("\0").split("\0")
        rows = zip(*[iter(fields)] * 5, strict=True)
        return [Commit(id, tuple(parents.split()), tree, date, subject) for id, parents, tree, date, subject in rows]

    def commit(self, revision: str) -> Commit:
        """One commit; errors as `resolve`."""
        form = "--format=%H%x00%P%x00%T%x00%cI%x00%s"
        text = self._git("log", "-1", "-z", form, self.resolve(revision))
        id_, parents, tree, date, subject = text.removesuffix("\0").split("\0")
        return Commit(id_, tuple(parents.split()), tree, date, subject)

    def is_shallow(self) -> bool:
        """Whether the clone has only the newest commits."""
        return self._git("rev-parse", "--is-shallow-repository").strip() == "true"

    def addresses(self) -> list[str]:
        """Where the repository is fetched from, without credentials; empty if from nowhere."""
        found = self._run("config", "--get-regexp", r"^remote\..*\.url$").stdout.decode("utf-8", "replace")
        return [without_credentials(line.partition(" ")[2]) for line in found.splitlines()]

    def tags(self) -> dict[str, list[str]]:
        """Names of the tags by the id of the commit that they mark, newest tag first."""
        return self._names("refs/tags")

    def branches(self) -> dict[str, list[str]]:
        """Names of the branches by the id of their last commit, those of other copies too (``origin/main``)."""
        return self._names("refs/heads", "refs/remotes")

    @contextmanager
    def objects(self) -> Iterator[ObjectReader]:
        """Open a reader of file and folder contents by object id; thousands cost one process."""
        command = ["git", *_SAFE, "-C", str(self.folder), "cat-file", "--batch"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=_environment()
        ) as process:
            try:
                yield ObjectReader(process)
            finally:
                process.kill()

    def _names(self, *spaces: str) -> dict[str, list[str]]:
        form = "--format=%(refname:lstrip=2)%00%(objectname)%00%(*objectname)%00"
        fields = self._git("for-each-ref", "--sort=-creatordate", form, *spaces).split("\0")[:-1]
        named: dict[str, list[str]] = defaultdict(list)
        for line, own, peeled in zip(*[iter(fields)] * 3, strict=True):
            name = line.removeprefix("\n")
            if not name.endswith("/HEAD") and name.isprintable():
                named[peeled or own].append(name)
        return dict(named)

    def _git(self, *arguments: str) -> str:
        result = self._run(*arguments)
        if result.returncode:
            raise _as_ours(self.folder, result.stderr.decode("utf-8", "replace"))
        return result.stdout.decode("utf-8", "surrogateescape")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *_SAFE, "-C", str(self.folder), *arguments]
        try:
            return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, env=_environment(), check=False)
        except FileNotFoundError as error:
            raise ToolError("The git command is not installed.", "Install git: data versions are commits.") from error
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"git gave no answer in {TIMEOUT_S:.0f} s for {self.folder}.", "Try again.") from error


class ChangeHistory:
    """Where something changes along a history.

    Parameters
    ----------
    commits : list of Commit
        Children before parents.
    key : callable
        What to watch in a commit: equal keys mean no change; None means that it is not there.
    """

    def __init__(self, commits: list[Commit], key: Callable[[Commit], str | None]) -> None:
        self._commits = {commit.id: commit for commit in commits}
        self._keys: dict[str, str | None] = {}
        self._origins: dict[str, str | None] = {}
        self._key = key

    def changes(self, limit: int, progress: Callable[[float, str], None] | None = None) -> list[Commit]:
        """The newest `limit` commits whose key is there and differs from that of every parent."""
        found: list[Commit] = []
        for done, commit in enumerate(self._commits.values()):
            if progress and done % 100 == 0:
                progress(done / len(self._commits), f"Read {done:,} of {len(self._commits):,} commits")
            if self._is_change(commit.id):
                found.append(commit)
            if len(found) >= limit:
                break
        return found

    def origin(self, commit_id: str) -> str | None:
        """The id of the change that a commit's state comes from: itself, else the nearest one before it."""
        if commit_id not in self._commits:
            return None
        walked, at = [], commit_id
        while at not in self._origins:
            walked.append(at)
            if self._key_of(at) is None or self._is_change(at):
                self._origins[at] = at if self._key_of(at) else None
            else:
                at = next(parent for parent in self._parents(at) if self._key_of(parent) == self._key_of(at))
        for passed in walked:
            self._origins[passed] = self._origins[at]
        return self._origins[at]

    def _is_change(self, commit_id: str) -> bool:
        key = self._key_of(commit_id)
        return key is not None and all(self._key_of(parent) != key for parent in self._parents(commit_id))

    def _parents(self, commit_id: str) -> list[str]:
        return [parent for parent in self._commits[commit_id].parents if parent in self._commits]

    def _key_of(self, commit_id: str) -> str | None:
        if commit_id not in self._keys:
            self._keys[commit_id] = self._key(self._commits[commit_id])
        return self._keys[commit_id]


class ObjectReader:
    """Contents by object id; use it inside `GitReader.objects`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def read(self, oid: str, limit: int | None = None) -> bytes:
        """The bytes of an object: a file, or a folder in Git's raw form; of a larger one the first ``limit + 1``."""
        self._process.stdin.write(f"{oid}\n".encode())
        self._process.stdin.flush()
        header = self._process.stdout.readline().split()
        if len(header) != 3:
            raise ToolError(f"Git has no object {oid[:12]} here.", "The clone is incomplete: git fetch --unshallow")
        size = int(header[2])
        kept = size if limit is None else min(size, limit + 1)
        data, left = self._process.stdout.read(kept), size - kept + 1
        while left > 0 and (passed := len(self._process.stdout.read(min(left, _PIECE)))):
            left -= passed
        return data

    def folder(self, oid: str) -> list[TreeEntry]:
        """The entries of a folder (a Git tree object: mode, space, name, zero byte, binary id)."""
        raw, entries, at, width = self.read(oid), [], 0, len(oid) // 2
        while at < len(raw):
            space = raw.index(b" ", at)
            zero = raw.index(b"\0", space)
            name = raw[space + 1 : zero].decode("utf-8", "surrogateescape")
            entries.append(TreeEntry(raw[at:space].decode(), name, raw[zero + 1 : zero + 1 + width].hex()))
            at = zero + 1 + width
        return entries


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _STEERING}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}


def _as_ours(folder: Path, complaint: str) -> Exception:
    if "dubious ownership" in complaint:
        hint = f"If you trust it: git config --global --add safe.directory {shlex.quote(str(folder))}"
        return ToolError(f"Git does not read {folder}: it belongs to another user.", hint)
    if "not a git repository" in complaint:
        return InputError(f"{folder} is not in a Git repository, so its data has no versions.", "Start one: git init")
    return ToolError(f"Git failed in {folder}: {clean_text(without_credentials(complaint))}", "Try `git log` there.")
