"""What MLflow stores hold, as the rest of the package sees it: cleaned text, seconds since 1970, numbers."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from copilot.core.pairs import LoggedSeries
from copilot.errors import NotFoundError
from copilot.utils.validators import clean_text, without_credentials

NAME_LENGTH = 200
TEXT_LENGTH = 500
MODEL_HISTORY_TAG = "mlflow.log-model.history"
NOTE_TAG = "mlflow.note.content"
PROMPT_TAG = "mlflow.prompt.is_prompt"  # prompts are kept among the registered models
STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
LARGEST = np.finfo(float).max  # what databases hold for an infinite value
_RUN_ID = re.compile(r"[A-Za-z0-9][\w-]{0,255}")


@dataclass(frozen=True)
class ExperimentInfo:
    """An experiment. ``updated_at`` is in seconds since 1970, None where MLflow did not record it (before 2.0)."""

    experiment_id: str
    name: str
    updated_at: float | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset that a run logged as its input; `context` is what for, such as ``training``."""

    name: str
    digest: str
    context: str
    source: str


@dataclass(frozen=True)
class RunInfo:
    """A run without its curves.

    Attributes
    ----------
    metrics : dict of str to float
        The latest value of each.
    start_time, end_time : float or None
        Seconds since 1970.
    model_uris : tuple of str
        Models that the run logged.
    artifact_uri : str
        As it is in the store.
    latest : dict of str to (float, float)
        Step and milliseconds since 1970 of each metric's latest value, by its name as the store has it.
    fingerprint : str
        Changes when the curves do; empty where the store cannot tell, so that the curves have to be read again.
    deleted : bool
        Deleted runs are not listed; they can be read by their id until the store is cleared of them.
    """

    run_id: str
    name: str
    experiment_id: str
    status: str
    start_time: float | None = None
    end_time: float | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    parent_run_id: str | None = None
    datasets: tuple[DatasetInfo, ...] = ()
    model_uris: tuple[str, ...] = ()
    artifact_uri: str = ""
    latest: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fingerprint: str = field(default="", compare=False)  # of the store that it comes from
    deleted: bool = False

    @property
    def note(self) -> str:
        """The description that people wrote for the run, on one line."""
        return self.tags.get(NOTE_TAG, "")


@dataclass(frozen=True)
class ArtifactInfo:
    """A file or folder among a run's artifacts; `size` in bytes, None for a folder or where it is not known."""

    path: str
    is_folder: bool
    size: int | None = None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model; `run_id` is None where it came from no run."""

    version: str
    run_id: str | None
    stage: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model with its versions, the newest first."""

    name: str
    versions: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True)
class ResolvedModel:
    """What a model URI or run id stands for; `model_uri` is None for a run that logged no model."""

    run_id: str | None
    model_uri: str | None
    name: str | None = None
    version: str | None = None


def make_run(
    *,
    run_id: str,
    experiment_id: Any,
    name: str | None,
    status: Any,
    start_ms: Any,
    end_ms: Any,
    params: Iterable[tuple[str, Any]],
    tags: Iterable[tuple[str, Any]],
    metrics: Iterable[tuple[str, float, float, float]],
    datasets: Iterable[DatasetInfo] = (),
    model_ids: Sequence[str] = (),
    artifact_uri: str | None = None,
    state: str | None = "",
    deleted: bool = False,
) -> RunInfo:
    """A `RunInfo` from what a store gives, with text cleaned; before 2.0 the name was a tag.

    `metrics` are latest values: name, value, step, milliseconds. `state` is what else tells that curves have changed,
    None where the store cannot tell.
    """
    metrics = list(metrics)
    raw_tags = {str(key): str(value) for key, value in tags}
    name = name or raw_tags.get("mlflow.runName") or str(run_id)[:8]
    logged = [f"models:/{model_id}" for model_id in model_ids]
    logged += [] if logged else [f"runs:/{run_id}/{path}" for path in _model_paths(raw_tags.pop(MODEL_HISTORY_TAG, ""))]
    raw_tags.pop(MODEL_HISTORY_TAG, None)
    return RunInfo(
        run_id=str(run_id),
        name=clean_text(name, NAME_LENGTH),
        experiment_id=str(experiment_id),
        status=STATUS.get(status, clean_text(status, 20)),
        start_time=seconds(start_ms),
        end_time=seconds(end_ms),
        params=cleaned(params),
        tags=cleaned(raw_tags.items()),
        metrics={clean_text(key): _with_infinity(float(value)) for key, value, *_ in metrics},
        parent_run_id=raw_tags.get("mlflow.parentRunId"),
        datasets=tuple(datasets),
        model_uris=tuple(clean_text(uri) for uri in logged),
        artifact_uri=clean_text(without_credentials(artifact_uri or ""), TEXT_LENGTH),
        latest={str(key): (float(step), float(time)) for key, _, step, time in metrics},
        fingerprint="" if state is None else _fingerprint(metrics, state),
        deleted=deleted,
    )


def make_artifacts(found: Iterable[tuple[Any, bool, Any]]) -> list[ArtifactInfo]:
    """Artifacts by their path, from (path, is a folder, size in bytes)."""
    infos = (ArtifactInfo(clean_text(p, TEXT_LENGTH), bool(d), None if d or s is None else int(s)) for p, d, s in found)
    return sorted(infos, key=lambda info: info.path)


def make_version(
    version: Any, run_id: Any, stage: Any, aliases: Sequence[str], description: Any, tags: Iterable[tuple[str, Any]]
) -> ModelVersion:
    """A `ModelVersion` from what a store gives, with text cleaned."""
    return ModelVersion(
        str(version),
        str(run_id) if run_id else None,
        clean_text(stage or "None", 40),
        tuple(aliases),
        clean_text(description or "", TEXT_LENGTH),
        cleaned(tags),
    )


def _fingerprint(metrics: Sequence[tuple[str, float, float, float]], state: str) -> str:
    told = "\n".join(
        [state, *sorted(f"{key}\t{value!r}\t{step:.0f}\t{time:.0f}" for key, value, step, time in metrics)]
    )
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def make_dataset(name: Any, digest: Any, context: Any, source: Any) -> DatasetInfo:
    """A `DatasetInfo`; MLflow keeps the source as JSON such as ``{"uri": "s3://..."}``."""
    try:
        place = json.loads(source)
        source = place.get("uri") or place.get("url") or place.get("path") or source
    except (ValueError, TypeError, AttributeError):
        pass
    return DatasetInfo(
        clean_text(name or ""),
        clean_text(digest or "", 80),
        clean_text(context or "", 80),
        clean_text(without_credentials(str(source or "")), TEXT_LENGTH),
    )


def make_series(
    name: str, values: Sequence[Any] = (), steps: Sequence[Any] = (), times_ms: Sequence[Any] = ()
) -> LoggedSeries:
    """A series from columns of equal length; times are milliseconds since 1970, None is NaN."""
    columns = (np.array(column, dtype=float) for column in (values, steps, times_ms))
    values, steps, times = columns
    large = np.abs(values) >= LARGEST
    if large.any():
        values = np.where(large, np.copysign(np.inf, values), values)
    return LoggedSeries(clean_text(name), values, steps, times / 1000)


def make_versions(versions: Iterable[ModelVersion]) -> tuple[ModelVersion, ...]:
    """Versions, the newest first."""
    return tuple(sorted(versions, key=lambda v: int(v.version) if v.version.isdecimal() else 0, reverse=True))


def seconds(milliseconds: Any) -> float | None:
    """Seconds since 1970 of an MLflow time, None for none."""
    return float(milliseconds) / 1000 if milliseconds else None


def iso_time(moment: float | None) -> str | None:
    """A moment for the analysis document."""
    try:
        return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def is_run_id(text: str) -> bool:
    """Whether it could be a run's id; nothing else is put into a path or a request."""
    return _RUN_ID.fullmatch(text) is not None


def no_run(run_id: str, public_uri: str) -> NotFoundError:
    """The error for a run that is not there."""
    return NotFoundError(
        f"There is no run '{clean_text(run_id, 60)}' in {public_uri}.", "Check the run id and the tracking URI."
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names what may have been meant."""
    if not known:
        return "There is none yet."
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean '{near[0]}'?"
    more = ", ..." if len(known) > 6 else ""
    return f"There are: {', '.join(known[:6])}{more}"


def cleaned(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Texts by name, fit to be shown."""
    return {clean_text(key): clean_text(without_credentials(str(value)), TEXT_LENGTH) for key, value in pairs}


def _with_infinity(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def _model_paths(history: str) -> list[str]:
    try:
        return [str(entry["artifact_path"]) for entry in json.loads(history)] if history else []
    except (ValueError, TypeError, KeyError):
        return []
