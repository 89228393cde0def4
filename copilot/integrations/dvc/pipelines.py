"""The pipeline of a revision, its parameters and metrics, from DVC's text files in Git: nothing of DVC is imported."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from copilot.core.datasets import printable
from copilot.core.pipelines import Pipeline, Stage, StageFile, Value, connect, flatten, in_order
from copilot.errors import CopilotError
from copilot.integrations.dvc.files import import_source, is_hash, outside_project
from copilot.integrations.dvc.templates import expanded, filled
from copilot.integrations.dvc.texts import parse_mapping
from copilot.utils.validators import clean_text, without_credentials

DEFAULT_PARAMS = "params.yaml"
MAX_VALUE_BYTES = 5_000_000
_OUTPUTS = ("outs", "metrics", "plots")
_VALUE_FILES = (".yaml", ".yml", ".json", ".toml")

Read = Callable[[str], bytes | None]


class PipelineFiles:
    """DVC's files of one commit.

    Parameters
    ----------
    files : mapping of str to bytes
        Path relative to the project -> content of each ``dvc.yaml``, ``dvc.lock`` and ``*.dvc``.
    read : callable
        Gives any other file of that commit by its path, or None.
    read_kept : callable, optional
        Gives what DVC itself keeps, by hash and path; may raise `CopilotError`.
    """

    def __init__(
        self, files: Mapping[str, bytes], read: Read, read_kept: Callable[[str, str], bytes] | None = None
    ) -> None:
        self.notes: list[str] = []
        self._git_file = read
        self._read_kept = read_kept
        self._parsed = {}
        for path, content in files.items():
            parsed = parse_mapping("", content)
            if parsed is None and content.strip():
                self.notes.append(f"{_shown(path)} cannot be read: it is no plain YAML mapping, or too large or deep.")
            self._parsed[path] = parsed or {}

    def pipeline(self, revision: str, commit: str) -> Pipeline:
        """The graph of stages."""
        stages = {stage.name: stage for stage in self._stages()}
        edges = connect(list(stages.values()))
        ordered = in_order(list(stages.values()), edges)
        return Pipeline(revision=revision, commit=commit, stages=ordered, edges=edges, notes=tuple(self.notes))

    def params(self) -> dict[tuple[str, str], Value]:
        """Parameters by file and name: of params.yaml, and of the files that a dvc.yaml names."""
        wanted = {DEFAULT_PARAMS: None}
        for folder, pipeline in self._pipelines():
            wanted |= dict.fromkeys(_joined(folder, path) for path in _texts(pipeline.get("params")))
            for _, stage in self._written(folder, pipeline):
                within = posixpath.join(folder, _text(stage.get("wdir")))
                for path in _params_files(stage.get("params")):
                    wanted[_joined(within, path)] = None
        return self._values(wanted, "parameters")

    def metrics(self) -> dict[tuple[str, str], Value]:
        """Metrics by file and name, of the files that a dvc.yaml names as metrics."""
        wanted: dict[str, None] = {}
        for folder, pipeline in self._pipelines():
            wanted |= dict.fromkeys(_joined(folder, path) for path in _texts(pipeline.get("metrics")))
            for _, stage in self._written(folder, pipeline):
                within = posixpath.join(folder, _text(stage.get("wdir")))
                wanted |= dict.fromkeys(_joined(within, path) for path, _ in _named_rows(stage.get("metrics")))
        return self._values(wanted, "metrics")

    def _values(self, paths: Iterable[str], what: str) -> dict[tuple[str, str], Value]:
        found = {}
        for path in paths:
            content = None if outside_project(path) else self._read(path)
            if content is None:
                if path != DEFAULT_PARAMS:
                    self.notes.append(f"{_shown(path)}, named for {what}, is not in this revision.")
            elif not path.endswith(_VALUE_FILES):
                self.notes.append(f"{_shown(path)} is not read: {what} are read from YAML, JSON and TOML.")
            elif (parsed := parse_mapping(path, content, MAX_VALUE_BYTES)) is None:
                self.notes.append(f"{_shown(path)} holds no {what} that can be read.")
            else:
                found |= {(_shown(path), name): value for name, value in flatten(parsed).items()}
        return found

    def _read(self, path: str) -> bytes | None:
        """A file that Git holds, else one that a stage made and DVC keeps."""
        found = self._git_file(path)
        if found is not None or self._read_kept is None:
            return found
        digest = self._kept.get(path)
        try:
            return digest and self._read_kept(digest, path)
        except CopilotError as error:
            self.notes.append(str(error))
            return None

    @cached_property
    def _kept(self) -> dict[str, str]:
        found = {}
        for folder, pipeline in self._pipelines():
            stages = pipeline.get("stages")
            for name, lock in self._lock(folder).items():
                stage = stages.get(name.partition("@")[0]) if isinstance(stages, dict) else None
                within = posixpath.join(folder, _text(stage.get("wdir"))) if isinstance(stage, dict) else folder
                rows = lock.get("outs")
                for row in rows if isinstance(rows, list) else ():
                    if isinstance(row, dict) and is_hash(_text(row.get("md5"))):
                        found[_joined(within, _text(row.get("path")))] = row["md5"]
        return found

    def _pipelines(self) -> Iterator[tuple[str, dict]]:
        for path, content in self._parsed.items():
            folder, name = posixpath.split(path)
            if name == "dvc.yaml":
                yield folder, content

    def _stages(self) -> Iterator[Stage]:
        for path, content in self._parsed.items():
            folder, name = posixpath.split(path)
            if name == "dvc.yaml":
                yield from self._declared(path, folder, content)
            elif name == "dvc.lock" and posixpath.join(folder, "dvc.yaml") not in self._parsed:
                yield from (_stage(path, folder, stage, {}, lock) for stage, lock in self._lock(folder).items())
            elif name != "dvc.lock":
                yield _single(path, folder, content)

    def _declared(self, path: str, folder: str, pipeline: dict) -> Iterator[Stage]:
        lock, left = self._lock(folder), set(self._lock(folder))
        seen = set()
        for name, stage in self._written(folder, pipeline):
            left.discard(name)
            seen.add(name.partition("@")[0])
            yield _stage(path, folder, name, stage, lock.get(name))
        whole = pipeline.get("stages") if isinstance(pipeline.get("stages"), dict) else {}
        for name in sorted(left):  # of a foreach or matrix whose items only DVC can work out
            template = whole.get(name.partition("@")[0])
            if isinstance(template, dict) and ("foreach" in template or "matrix" in template):
                seen.add(name.partition("@")[0])
                body = template.get("do") if isinstance(template.get("do"), dict) else template
                yield _stage(path, folder, name, body, lock[name])

        self.notes += [
            f"The items of stage {clean_text(name, 60)} in {_shown(path)} are not known before DVC has run it."
            for name, stage in whole.items()
            if isinstance(stage, dict) and clean_text(name) not in seen
        ]

    def _written(self, folder: str, pipeline: dict) -> Iterator[tuple[str, dict]]:
        stages, known = pipeline.get("stages"), self._known(folder, pipeline)
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            if isinstance(stage, dict):
                yield from expanded(clean_text(name), stage, known)

    def _known(self, folder: str, pipeline: dict) -> dict[str, Any]:
        """Values for expressions: of params.yaml beside the dvc.yaml, then of its ``vars``."""
        known = self._file_of_values(posixpath.join(folder, DEFAULT_PARAMS))
        rows = pipeline.get("vars")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                known |= filled(row, known)
            elif isinstance(row, str):
                known |= self._file_of_values(_joined(folder, row.partition(":")[0]))
        return known

    def _file_of_values(self, path: str) -> dict[str, Any]:
        content = None if outside_project(path) else self._read(path)
        return (content and parse_mapping(path, content, MAX_VALUE_BYTES)) or {}

    def _lock(self, folder: str) -> dict[str, dict]:
        """Stages as they ran: schema 2 of dvc.lock, and schema 1, which has them at the top."""
        lock = self._parsed.get(posixpath.join(folder, "dvc.lock"), {})
        stages = lock.get("stages") if "schema" in lock else lock
        pairs = stages.items() if isinstance(stages, dict) else ()
        return {clean_text(name): stage for name, stage in pairs if isinstance(stage, dict)}


def _stage(path: str, folder: str, name: str, written: dict, lock: dict | None) -> Stage:
    within = posixpath.join(folder, _text(written.get("wdir")))
    ran = lock or {}
    outs = {row: None for section in _OUTPUTS for row, _ in _named_rows(written.get(section))}
    params = ran.get("params")
    values = {
        f"{_shown(file)}:{key}" if file != DEFAULT_PARAMS else key: value
        for file, held in (params.items() if isinstance(params, dict) else ())
        if isinstance(file, str)
        for key, value in flatten(held).items()
    }
    return Stage(
        name=f"{_shown(folder)}:{name}" if folder else name,
        kind="stage",
        defined_in=_shown(path),
        command=_command(ran.get("cmd", written.get("cmd"))),
        description=clean_text(_text(written.get("desc"))) or None,
        deps=_stage_files(within, ran.get("deps"), [row for row, _ in _named_rows(written.get("deps"))]),
        outs=_stage_files(within, ran.get("outs"), outs),
        params=values,
        frozen=written.get("frozen") is True,
        recorded=lock is not None,
    )


def _single(path: str, folder: str, content: dict) -> Stage:
    """A .dvc file: tracked data, an import, or a stage as DVC 0.x wrote it."""
    within, source = posixpath.join(folder, _text(content.get("wdir"))), import_source(content)
    deps = () if source else _stage_files(within, content.get("deps"), ())
    return Stage(
        name=_shown(path),
        kind="import" if source else "stage" if content.get("cmd") else "data",
        defined_in=_shown(path),
        command=_command(content.get("cmd")),
        description=clean_text(_text(content.get("desc"))) or None,
        deps=deps,
        outs=_stage_files(within, content.get("outs"), ()),
        frozen=content.get("frozen") is True,
        source=source,
    )


def _stage_files(folder: str, recorded: Any, written: Iterable[str]) -> tuple[StageFile, ...]:
    """Files of a stage: those that DVC recorded with their hashes, and those that are only written down."""
    found = {}
    for row in recorded if isinstance(recorded, list) else ():
        if isinstance(row, dict) and _text(row.get("path")):
            path = _joined(folder, row["path"])
            found[path] = StageFile(
                path=_shown(path),
                hash=row["md5"] if is_hash(_text(row.get("md5"))) else None,
                n_files=_count(row.get("nfiles")),
                size_bytes=_count(row.get("size")),
            )
    for name in written:
        path = _joined(folder, name)
        found.setdefault(path, StageFile(path=_shown(path)))
    return tuple(found.values())


def _named_rows(rows: Any) -> Iterator[tuple[str, dict]]:
    """Paths of a section with their options: each row is a path, or a mapping from it to options."""
    for row in rows if isinstance(rows, list) else ():
        name, options = next(iter(row.items()), ("", None)) if isinstance(row, dict) else (row, None)
        if _text(name):
            yield name, options if isinstance(options, dict) else {}


def _params_files(rows: Any) -> Iterator[str]:
    """The files that a stage's ``params`` name; a plain row is a key of params.yaml."""
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield from _texts(list(row))
        elif isinstance(row, str):
            yield DEFAULT_PARAMS


def _joined(folder: str, path: str) -> str:
    return path if "://" in path else posixpath.normpath(posixpath.join(folder, path))


def _command(value: Any) -> str | None:
    lines = [line for line in value if isinstance(line, str)] if isinstance(value, list) else [_text(value)]
    return clean_text(without_credentials(" && ".join(lines)), 500) or None


def _shown(path: str) -> str:
    return clean_text(without_credentials(printable(path)), 300)


def _texts(rows: Any) -> list[str]:
    return [row for row in rows if isinstance(row, str)] if isinstance(rows, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
