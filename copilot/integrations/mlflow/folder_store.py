"""Runs in an ``mlruns`` folder, read as plain files.

MLflow's own client makes folders in the store it opens, and since 3.x refuses to open one without a setting.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from copilot.core.pairs import LoggedSeries
from copilot.errors import CopilotError, InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.addresses import FORMS
from copilot.integrations.mlflow.artifact_repositories import put_artifact
from copilot.integrations.mlflow.local_artifacts import list_folder, local_folder, replace_file, safe_path
from copilot.integrations.mlflow.metric_files import latest_point, read_points
from copilot.integrations.mlflow.records import (
    PROMPT_TAG,
    TEXT_LENGTH,
    ArtifactInfo,
    DatasetInfo,
    ExperimentInfo,
    RegisteredModel,
    RunInfo,
    is_run_id,
    make_dataset,
    make_run,
    make_series,
    make_version,
    make_versions,
    no_run,
    seconds,
)
from copilot.utils.validators import clean_text

META = "meta.yaml"
MAX_META_BYTES = 1_000_000
LATEST_MS = 1e16
_TEXT_BYTES = 4 * TEXT_LENGTH  # a character has at most four bytes
_TAG_BYTES = 200_000  # the tag that lists a run's models is long
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FolderStore:
    """A `Store` over a folder."""

    caches = True
    together = 500

    def __init__(self, root: Path, public: str) -> None:
        self._root, self._public = root, public
        if _is_run(_meta(root)) or _is_experiment(_meta(root)):
            raise InputError(f"{public} is inside a store.", "Name the folder above, often mlruns.")
        if next(self._experiments(), None) is None:
            inside = next((name for name in ("mlruns", "mlflow.db") if (root / name).exists()), None)
            hint = f"Did you mean {public.rstrip('/')}/{inside}?" if inside else FORMS
            raise InputError(f"{public} holds no MLflow experiments.", hint)

    def experiments(self) -> list[ExperimentInfo]:
        return [
            ExperimentInfo(
                folder.name,
                clean_text(folder.name if meta.get("name") is None else meta["name"]),
                seconds(_number(meta.get("last_update_time"))),
            )
            for folder, meta in self._experiments()
            if meta.get("lifecycle_stage") != "deleted"
        ]

    def runs(self, experiment_id: str, limit: int | None, newest_first: bool) -> list[RunInfo]:
        found = [
            (folder, meta)
            for folder in _folders(self._root / experiment_id)
            if (meta := _run_meta(folder)) and meta.get("lifecycle_stage") != "deleted"
        ]
        pick = heapq.nlargest if newest_first else heapq.nsmallest
        chosen = pick(len(found) if limit is None else limit, found, key=lambda f: _number(f[1].get("start_time")))
        return [_info(folder, meta) for folder, meta in chosen]

    def run(self, run_id: str) -> RunInfo:
        return _info(*self._find(run_id))

    def series(
        self, runs: Sequence[RunInfo], wanted: Callable[[str], bool]
    ) -> Iterator[tuple[RunInfo, list[LoggedSeries] | CopilotError]]:
        for info in runs:
            try:
                folder, _ = self._find(info.run_id)
                yield (
                    info,
                    [
                        make_series(name, *(read_points(file) if wanted(name) else ()))
                        for name, file in _metrics(folder)
                    ],
                )
            except CopilotError as error:
                yield info, error

    def artifacts(self, run_id: str, path: str) -> list[ArtifactInfo]:
        folder, meta = self._find(run_id)
        return list_folder(local_folder(_artifacts(folder, meta), run_id), path)

    def set_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        folder = self._find_active(run_id)[0]
        place = folder / "tags"
        if place.is_symlink():
            raise ToolError(f"{clean_text(place)} is a link, which is not followed.", "Check the store.")
        place.mkdir(exist_ok=True)
        for name, value in tags.items():
            if value is None:
                (place / safe_path(name)).unlink(missing_ok=True)
            else:
                replace_file(place / safe_path(name), value.encode(), folder)

    def put_artifact(self, run_id: str, path: str, content: bytes) -> None:
        folder, meta = self._find_active(run_id)
        put_artifact(_artifacts(folder, meta), run_id, path, content)

    def registered_models(self) -> list[RegisteredModel]:
        folders = [f for f in _folders(self._root / "models") if (f / META).is_file()]
        return [_model(folder) for folder in folders if not (folder / "tags" / PROMPT_TAG).exists()]

    def registered_model(self, name: str) -> RegisteredModel | None:
        return next((m for m in self.registered_models() if m.name == clean_text(name)), None)

    def run_of_logged_model(self, model_id: str) -> str | None:
        for experiment, _ in self._experiments():
            if meta := _meta(experiment / "models" / model_id) if is_run_id(model_id) else {}:
                return str(meta["source_run_id"]) if meta.get("source_run_id") else None
        raise NotFoundError(
            f"There is no logged model '{clean_text(model_id, 60)}' in {self._public}.", "Check its id."
        )

    def _experiments(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Experiments by their ``meta.yaml``; without it (a store copied in part) by the runs inside."""
        for folder in _folders(self._root):
            meta = _meta(folder)
            if _is_experiment(meta) or (not meta and any(_run_meta(child) for child in _folders(folder))):
                yield folder, meta

    def _find_active(self, run_id: str) -> tuple[Path, dict[str, Any]]:
        folder, meta = self._find(run_id)
        if _is_deleted(folder, meta):
            raise InputError(f"The run {run_id} is deleted; it is not written to.", "Restore it first.")
        return folder, meta

    def _find(self, run_id: str) -> tuple[Path, dict[str, Any]]:
        if is_run_id(run_id):
            for root in (self._root, self._root / ".trash"):
                for folder in _folders(root):
                    if meta := _run_meta(folder / run_id):
                        return folder / run_id, meta
        raise no_run(run_id, self._public)


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(child for child in parent.iterdir() if child.is_dir())
    except OSError:
        return []


def _meta(folder: Path) -> dict[str, Any]:
    """The fields of a folder's ``meta.yaml``, none where it cannot be read."""
    file = folder / META
    try:
        if not file.is_file() or file.stat().st_size > MAX_META_BYTES:
            return {}
        fields = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _is_run(meta: dict[str, Any]) -> bool:
    return "artifact_uri" in meta or "run_uuid" in meta


def _run_meta(folder: Path) -> dict[str, Any]:
    """The fields of a run, none where the folder is no run; what was logged can be read without them too."""
    meta = _meta(folder)
    if not meta and is_run_id(folder.name) and (folder / "metrics").is_dir():
        return {"run_uuid": folder.name}
    return meta if _is_run(meta) else {}


def _is_experiment(meta: dict[str, Any]) -> bool:
    return "experiment_id" in meta and not _is_run(meta)


def _number(value: Any) -> float:
    """A time of a ``meta.yaml``; 0 for none, and for what no time can be."""
    return float(value) if isinstance(value, (int, float)) and abs(value) < LATEST_MS else 0.0


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Files by their name in the store, which may hold slashes. Links are left out: they may point anywhere."""
    if folder.is_symlink():
        return []
    try:
        found = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    except OSError:
        return []
    return [(_as_text(file.relative_to(folder).as_posix()), file) for file in found]


def _as_text(name: str) -> str:
    """A file's name, also where its bytes are no UTF-8."""
    return os.fsencode(name).decode("utf-8", errors="replace")


def _texts(folder: Path, limit: int) -> list[tuple[str, str]]:
    texts = []
    for name, file in _files(folder):
        with contextlib.suppress(OSError), file.open("rb") as opened:  # it may have been taken away meanwhile
            texts.append((name, opened.read(limit).decode("utf-8", errors="replace")))
    return texts


def _metrics(folder: Path) -> list[tuple[str, Path]]:
    return _files(folder / "metrics")


def _info(folder: Path, meta: dict[str, Any]) -> RunInfo:
    files = _metrics(folder)
    latest = {name: latest_point(file) for name, file in files}
    return make_run(
        run_id=folder.name,
        experiment_id=meta.get("experiment_id", folder.parent.name),
        name=meta.get("run_name") or meta.get("name"),
        status=meta.get("status"),
        start_ms=_number(meta.get("start_time")),
        end_ms=_number(meta.get("end_time")),
        params=_texts(folder / "params", _TEXT_BYTES),
        tags=_texts(folder / "tags", _TAG_BYTES),
        metrics=[(name, *point) for name, point in latest.items() if point],
        datasets=_datasets(folder),
        model_ids=[child.name for child in _folders(folder / "outputs")],
        artifact_uri=_artifacts(folder, meta),
        state=" ".join(f"{name} {_written(file)}" for name, file in files),
        deleted=_is_deleted(folder, meta),
    )


def _written(file: Path) -> str:
    try:
        stat = file.stat()
    except OSError:
        return "gone"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _is_deleted(folder: Path, meta: dict[str, Any]) -> bool:
    return meta.get("lifecycle_stage") == "deleted" or folder.parent.parent.name == ".trash"


def _artifacts(folder: Path, meta: dict[str, Any]) -> str:
    """The artifact folder beside the run where there is one: a store that was moved still names its old place."""
    beside = folder / "artifacts"
    return beside.as_uri() if beside.is_dir() else str(meta.get("artifact_uri") or "")


def _datasets(folder: Path) -> list[DatasetInfo]:
    found = []
    for meta in filter(None, map(_meta, _folders(folder / "inputs"))):
        source_id = str(meta.get("source_id"))
        data = _meta(folder.parent / "datasets" / source_id) if is_run_id(source_id) else {}
        if data:
            tags = meta.get("tags")
            context = tags.get("mlflow.data.context") if isinstance(tags, dict) else ""
            found.append(make_dataset(data.get("name"), data.get("digest"), context, data.get("source")))
    return found


def _model(folder: Path) -> RegisteredModel:
    aliases: dict[str, list[str]] = {}
    for alias, version in _texts(folder / "aliases", _TEXT_BYTES):
        aliases.setdefault(version.strip(), []).append(clean_text(alias))
    versions = []
    for child in _folders(folder):
        meta = _meta(child) if child.name.startswith("version-") else {}
        if meta and meta.get("current_stage") != "Deleted_Internal":
            number = str(meta.get("version", child.name.removeprefix("version-")))
            own = [meta.get(key) for key in ("run_id", "current_stage")]
            tags = _texts(child / "tags", _TEXT_BYTES)
            versions.append(make_version(number, *own, aliases.get(number, ()), meta.get("description"), tags))
    name = _meta(folder).get("name", folder.name)
    return RegisteredModel(clean_text(name), make_versions(versions))
