"""What is tracked at a path of a revision, its files, and where the object of each lies."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path, PurePath
from typing import NamedTuple

from copilot.core.datasets import printable
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.dvc.files import Output, OutputReader, Part, find_project, folder_hash, parts_of
from copilot.integrations.dvc.object_cache import ObjectCache
from copilot.integrations.dvc.remote import Wanted
from copilot.integrations.dvc.store import DvcStore
from copilot.integrations.git_reader import Commit, GitReader
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text, home_folder

KEPT_LISTINGS = 8


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


class Revisions:
    """The revisions of the DVC project that holds `repo`; see `DvcManager`."""

    def __init__(self, repo: str | Path | None, remote: str | None, patience_s: float, keep_copies: bool) -> None:
        no_telemetry()
        self.root = find_project(Path(repo or "."))
        self._git = GitReader(self.root)
        self._outputs = OutputReader(self._git.prefix)
        copies = ObjectCache(home_folder() / "cache" / "dvc") if keep_copies else None
        self._store = DvcStore(self.root, remote, copies, patience_s)
        self._listings: dict[str, dict[str, str]] = {}
        self._inner_states: dict[tuple[str, str], State | None] = {}

    def commit(self, rev: str) -> Commit:
        """The commit that a revision names.

        Raises
        ------
        NotFoundError
            An unknown revision.
        """
        found = self._git.commit(rev)
        return found._replace(subject=clean_text(printable(found.subject)))

    def is_fixed(self, rev: str) -> bool:
        """Whether a revision is a tag or a commit id, and so will always be the same one."""
        is_id = len(rev) >= 7 and all(char in "0123456789abcdef" for char in rev.lower())
        return is_id or any(rev in names for names in self._git.tags().values())

    def is_clone_of(self, address: str) -> bool:
        """Whether the repository is fetched from that address, written in any way (https, ssh, ``git@host:path``)."""
        return _place(address) in map(_place, self._git.addresses())

    def inside(self, path: str) -> str:
        """`path` relative to the project, with forward slashes.

        Raises
        ------
        InputError
            It leads out of the project.
        """
        return self._inside(path)

    @property
    def remote_name(self) -> str | None:
        """The remote that data is read from, None if the project has none."""
        return self._store.remote_name

    @property
    def remote_url(self) -> str | None:
        """Its address without credentials."""
        return self._store.remote_url

    def _locate(self, outputs: tuple[Output, ...], path: str, rev: str) -> Wanted:
        """The object of one file of a revision whose outputs are known."""
        inside = self._inside(path)
        parts = parts_of(outputs, inside)
        if not parts:
            raise self._not_tracked(inside, rev)
        part = parts[0]
        if part.output.path == inside and not part.output.is_folder:
            digest = part.output.hash
        else:
            digest = self._listing(part.output).get(part.inner, "") if part.inner else ""
        if not digest and self._files([part]):
            raise InputError(f"{clean_text(inside) or 'The project'} is a folder in {clean_text(rev)}.", "Name a file.")
        if not digest:
            raise self._not_tracked(inside, rev)
        return wanted(digest, part.output, f"{clean_text(inside)} of {clean_text(rev)}")

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
            self._listings[output.hash] = listed or self._store.listing(wanted(output.hash, output, what))
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
            name: TrackedFile(
                digest, sizes.get(digest) or self._store.cached_size(digest, output.legacy), output.legacy
            )
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


def _place(address: str) -> str:
    """Host and path of a Git address."""
    plain = re.sub(r"^[a-z+]+://", "", address.strip().lower()).rpartition("@")[2]
    return plain.replace(":", "/", 1).removesuffix("/").removesuffix(".git")


def wanted(digest: str, output: Output, what: str) -> Wanted:
    lost = f"It was imported from {output.source}; bring it into the cache: dvc fetch" if output.source else ""
    return Wanted(digest, output.legacy, what, lost)
