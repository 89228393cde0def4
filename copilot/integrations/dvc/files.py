"""What DVC tracks, read from the text of its own files (`*.dvc`, `dvc.yaml`, `dvc.lock`) of any commit."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from copilot.errors import InputError
from copilot.integrations.dvc.texts import MAX_BYTES, parse_mapping
from copilot.integrations.git_reader import ObjectReader
from copilot.utils.validators import clean_text, without_credentials

_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")
MAX_DEPTH = 64


class Output(NamedTuple):
    """One tracked file or folder. `path` is relative to the DVC project; `hash` ends with ``.dir`` for a folder.

    `legacy` objects (DVC 1 and 2) lie elsewhere in the cache. `listing` holds path -> (hash, size) where the .dvc file
    itself lists the folder's files (cloud-versioned remotes). `source` is where an import came from.
    """

    path: str
    hash: str
    legacy: bool
    n_files: int | None
    size: int | None
    defined_in: str
    stage: str | None = None
    listing: Mapping[str, tuple[str, int | None]] | None = None
    source: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.hash.endswith(".dir")


class Part(NamedTuple):
    """What one tracked output gives to a path.

    `name` is the output's path below that path ("" if it is the path or lies above it); `inner` is that path below
    the output ("" if the whole output counts).
    """

    output: Output
    name: str = ""
    inner: str = ""

    def select(self, listing: Mapping[str, str]) -> dict[str, str]:
        """The files of the output (path inside it -> hash) that lie at or below the path, by their path from there."""
        if not self.output.is_folder:
            return {self.name or posixpath.basename(self.output.path): self.output.hash}
        if not self.inner:
            return {posixpath.join(self.name, file): digest for file, digest in listing.items()}
        if self.inner in listing:
            return {posixpath.basename(self.inner): listing[self.inner]}
        above = f"{self.inner}/"
        return {file.removeprefix(above): digest for file, digest in listing.items() if file.startswith(above)}


def parts_of(outputs: Iterable[Output], path: str) -> list[Part]:
    """The outputs at, below or above `path` (relative to the project, "" for all of it)."""
    below = f"{path}/" if path else ""
    parts = []
    for output in outputs:
        if output.path == path:
            parts.append(Part(output))
        elif output.path.startswith(below):
            parts.append(Part(output, name=output.path.removeprefix(below)))
        elif path.startswith(f"{output.path}/"):
            parts.append(Part(output, inner=path.removeprefix(f"{output.path}/")))
    return parts


class OutputReader:
    """Tracked outputs of any commit of a project that lies at `prefix` in its repository; what was seen is kept."""

    def __init__(self, prefix: str) -> None:
        self._prefix = [name for name in prefix.split("/") if name]
        self._files: dict[tuple[str, int], tuple[tuple[str, str], ...]] = {}
        self._outputs: dict[tuple[tuple[str, str], ...], tuple[Output, ...]] = {}

    def outputs(self, objects: ObjectReader, tree: str) -> tuple[Output, ...]:
        """The outputs by path, from the root folder (a Git tree id) of a commit."""
        files = self._blobs(objects, tree)
        if files not in self._outputs:
            self._outputs[files] = read_outputs(_contents(objects, files))
        return self._outputs[files]

    def dvc_files(self, objects: ObjectReader, tree: str) -> dict[str, bytes]:
        """DVC's own files of a commit: path relative to the project -> content."""
        return _contents(objects, self._blobs(objects, tree))

    def file(self, objects: ObjectReader, tree: str, path: str) -> bytes | None:
        """A file that Git holds, by its path relative to the project; None if there is none."""
        *folders, name = [*self._prefix, *path.split("/")]
        for folder in folders:
            tree = next((e.id for e in objects.folder(tree) if e.name == folder and e.is_folder), "")
            if not tree:
                return None
        found = next((e.id for e in objects.folder(tree) if e.name == name and e.is_file), None)
        return found and objects.read(found, MAX_BYTES)

    def _blobs(self, objects: ObjectReader, tree: str) -> tuple[tuple[str, str], ...]:
        for name in self._prefix:
            tree = next((e.id for e in objects.folder(tree) if e.name == name and e.is_folder), "")
            if not tree:
                return ()
        return self._find(objects, tree)

    def _find(self, objects: ObjectReader, tree: str, depth: int = 0) -> tuple[tuple[str, str], ...]:
        """Path and object id of DVC's files in a folder; a folder with a .dvc folder of its own is another project."""
        if (tree, depth) not in self._files:
            entries = objects.folder(tree)
            found = [(entry.name, entry.id) for entry in entries if entry.is_file and is_dvc_file(entry.name)]
            folders = [entry for entry in entries if entry.is_folder]
            nested = depth > 0 and any(folder.name == ".dvc" for folder in folders)
            for folder in () if nested or depth >= MAX_DEPTH else folders:
                below = self._find(objects, folder.id, depth + 1) if folder.name != ".dvc" else ()
                found += [(f"{folder.name}/{path}", blob) for path, blob in below]
            self._files[tree, depth] = () if nested else tuple(found)
        return self._files[tree, depth]


def _contents(objects: ObjectReader, files: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    return {path: objects.read(blob, MAX_BYTES) for path, blob in files}


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` with a .dvc folder in it.

    Raises
    ------
    InputError
        There is none; the hint says what to set up.
    """
    start = Path(os.path.realpath(start.expanduser()))
    if not start.exists():
        raise InputError(
            f"No such folder: {clean_text(start)}", "Set dvc.repo to a folder of a Git repository with DVC."
        )
    above = [start, *start.parents]
    for folder in above:
        if (folder / ".dvc").is_dir():
            return folder
    if any((folder / ".git").exists() for folder in above):
        raise InputError(f"DVC is not set up in {clean_text(start)}.", "Set it up: dvc init; then dvc add FOLDER")
    hint = "Set dvc.repo to a Git repository with DVC, or start one: git init && dvc init"
    raise InputError(f"{clean_text(start)} is in no Git repository with DVC.", hint)


def is_dvc_file(name: str) -> bool:
    """Whether a file of this name can define tracked data."""
    return name in ("dvc.yaml", "dvc.lock") or (name.endswith(".dvc") and name != ".dvc")


def is_hash(text: str) -> bool:
    """Whether `text` is a content hash as DVC writes it; anything else must never become part of a path."""
    return bool(_HASH.fullmatch(text))


def folder_hash(files: Mapping[str, str]) -> str:
    """DVC's hash of a folder that holds `files` (path inside it -> content hash)."""
    rows = [{"md5": digest, "relpath": path} for path, digest in sorted(files.items())]
    return hashlib.md5(json.dumps(rows).encode(), usedforsecurity=False).hexdigest() + ".dir"


def outside_project(path: str) -> bool:
    """Whether a normal path, as one of DVC's files has it, leads out of the project (or is all of it)."""
    return "://" in path or path.startswith(("/", "../")) or path in (".", "..")


def import_source(stage: Mapping[str, Any]) -> str | None:
    """Where the data of a .dvc file was imported from (``dvc import``, ``dvc import-url``), without credentials."""
    deps = stage.get("deps")
    for row in deps if isinstance(deps, list) and not stage.get("cmd") else []:
        if isinstance(row, dict):
            repo = row.get("repo")
            place = _text(repo.get("url")) if isinstance(repo, dict) else _text(row.get("path"))
            return clean_text(without_credentials(place)) or None
    return None


def read_outputs(files: Mapping[str, bytes]) -> tuple[Output, ...]:
    """The outputs that DVC's files of one commit define, by path.

    Parameters
    ----------
    files : mapping of str to bytes
        Path relative to the DVC project -> content. A file that is not valid is left out.
    """
    parsed = {path: parse_mapping("", content) or {} for path, content in files.items()}
    outputs = []
    for path, content in parsed.items():
        folder, name = posixpath.split(path)
        if name == "dvc.lock":
            outputs += _locked_outputs(path, content, parsed.get(posixpath.join(folder, "dvc.yaml"), {}))
        elif name != "dvc.yaml":
            source, wdir = import_source(content), posixpath.join(folder, _text(content.get("wdir")))
            rows = [_output(row, wdir, path) for row in _rows(content)]
            outputs += [row and row._replace(source=source) for row in rows]
    found = {output.path: output for output in outputs if output}
    return tuple(found[path] for path in sorted(found))


def _locked_outputs(path: str, lock: dict, pipeline: dict) -> list[Output | None]:
    """Outputs of the stages of a dvc.lock; metrics, plots and uncached outputs belong to Git and are left out."""
    stages, declared = lock.get("stages", lock), pipeline.get("stages") or {}
    if not isinstance(stages, dict) or not isinstance(declared, dict):
        return []
    outputs = []
    for name, stage in stages.items():
        if not isinstance(stage, dict):
            continue
        own = declared.get(str(name).split("@")[0]) or {}
        own = own if isinstance(own, dict) else {}
        own = own.get("do", own) if isinstance(own.get("do", own), dict) else own  # a foreach stage
        folder = posixpath.join(posixpath.dirname(path), _text(own.get("wdir")))
        kept = [row for row in _rows(stage) if _text(row.get("path")) not in _left_out(own)]
        outputs += [_output(row, folder, path, str(name)) for row in kept]
    return outputs


def _left_out(stage: dict) -> set[str]:
    paths = set()
    for section in ("outs", "metrics", "plots"):
        items = stage.get(section)
        for item in items if isinstance(items, list) else []:
            options = next(iter(item.values()), None) if isinstance(item, dict) else None
            uncached = isinstance(options, dict) and options.get("cache") is False
            if section != "outs" or uncached:
                paths.add(_text(next(iter(item), "") if isinstance(item, dict) else item))
    return paths


def _output(row: dict, folder: str, defined_in: str, stage: str | None = None) -> Output | None:
    written = _text(row.get("path"))
    path = posixpath.normpath(posixpath.join(folder, written))
    outside = "://" in written or outside_project(path)
    listing = _listing(row.get("files"))
    digest = folder_hash({name: file[0] for name, file in listing.items()}) if listing else _text(row.get("md5"))
    if outside or row.get("cache") is False or not is_hash(digest):
        return None
    legacy = row.get("hash", "md5-dos2unix") != "md5"
    n_files = len(listing) if listing else row.get("nfiles") if digest.endswith(".dir") else 1
    return Output(path, digest, legacy, _count(n_files), _count(row.get("size")), defined_in, stage, listing)


def _listing(files: Any) -> dict[str, tuple[str, int | None]] | None:
    if not isinstance(files, list):
        return None
    rows = [row for row in files if isinstance(row, dict)]
    return {_text(row.get("relpath")): (_text(row.get("md5")), _count(row.get("size"))) for row in rows}


def _rows(stage: dict) -> list[dict]:
    rows = stage.get("outs")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _text(value: Any) -> str:
    # never str(): aliases can make a small YAML file a huge text
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
