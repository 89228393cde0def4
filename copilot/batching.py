"""Many models on many image sets: the plan, the work in parallel, one table. What is done is not done again."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
import yaml
from pydantic import Field, ValidationError

from copilot.core.findings import SCHEMA_VERSION, SEVERITIES, Analysis, Document, Severity
from copilot.errors import CopilotError, InputError, JobCancelled, ToolError
from copilot.utils.config import Settings
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text, without_credentials

Progress = Callable[[float, str], None] | None
MAX_ENTRIES = 10_000
MAX_FILE_BYTES = 5_000_000
_SHARED = ("train", "test", "suite", "probes", "seed")


class Validated(NamedTuple):
    """What came of an entry: the analysis as JSON, whether it was known, and what went wrong beside it."""

    analysis: str
    known: bool
    not_looked_at: str = ""
    not_written: str = ""


class Entry(Document):
    """A model on a pair of image sets; fields as `CopilotAnalyzer.validate` takes them."""

    name: str
    on: str
    model: str | None = None
    predictions: tuple[str, str] | None = None
    train: str | None = None
    test: str | None = None
    suite: str | None = None
    probes: tuple[str, ...] | None = None
    seed: int = Field(0, ge=0)


Validate = Callable[[Entry], Validated]


class BatchRow(Document):
    """What came of an entry: the analysis in short, or why there is none.

    ``issues`` counts findings that are an issue by severity; ``worst`` names the gravest of them; ``known`` tells that
    nothing had to be computed, ``not_written`` why the result could not be written into its run.
    """

    name: str
    on: str
    state: Literal["done", "failed"]
    verdict: str | None = None
    train_accuracy: float | None = None
    val_accuracy: float | None = None
    issues: dict[Severity, int] = Field(default_factory=dict)
    errors: int = 0
    worst: str = ""
    severity: Severity = "none"
    reason: str = ""
    exit_code: int = 0
    known: bool = False
    not_written: str = ""


class BatchResult(Document):
    """One row an entry, in the order of the plan; ``analyses`` are those of the rows that are done."""

    rows: tuple[BatchRow, ...]
    analyses: tuple[Analysis, ...] = ()

    def exit_code(self, fail_on: Severity | None = None) -> int:
        """That of the gravest failure; else 1 where a finding is at or above `fail_on`, else 0."""
        if failed := max((row.exit_code for row in self.rows), default=0):
            return failed
        worst = max((SEVERITIES.index(row.severity) for row in self.rows), default=0)
        return int(fail_on is not None and worst >= SEVERITIES.index(fail_on))

    def to_json(self, indent: int | None = 2) -> str:
        """``{"schema_version", "rows": [...], "analyses": [...]}``."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **self.model_dump(mode="json")}, indent=indent)


def read_plan(path: str | Path) -> list[Entry]:
    """The entries of a plan.

    The file holds ``models``: a list of model URIs or of mappings with ``model`` (or ``predictions``: two files), and
    if wanted ``name``, ``train``, ``test``, ``suite``, ``probes`` and ``seed``; the last five may also stand at the
    top, for all of them. With ``sets``, a list of mappings with ``name``, ``train`` and ``test``, each model is looked
    at with each of them. Paths count from the working folder.

    Raises
    ------
    InputError
        It cannot be read, or holds a key that is not known.
    """
    plan = _mapping(_yaml(Path(path)), "the plan", {"models", "sets", *_SHARED})
    shared = {key: plan[key] for key in _SHARED if key in plan}
    models = [_model(item) for item in _list(plan, "models")]
    sets = [_mapping(item, "a set", {"name", "train", "test"}) for item in _list(plan, "sets")] or [{}]
    if not models:
        raise InputError(f"{clean_text(path)} names no model.", "It needs a list `models:`.")
    if len(models) * len(sets) > MAX_ENTRIES:
        raise InputError(
            f"The plan makes {len(models) * len(sets):,} validations; at most {MAX_ENTRIES:,}.", "Split it."
        )
    entries = [_entry(shared, images, model) for images in sets for model in models]
    unique = list(dict.fromkeys(entry.model_dump_json() for entry in entries))
    return [Entry.model_validate_json(entry) for entry in unique]


def run_batch(
    settings: Settings, entries: Iterable[Entry], validate: Validate, progress: Progress = None
) -> BatchResult:
    """Validate every entry, on this machine or on the cluster of the settings; see `CopilotAnalyzer.batch`.

    Parameters
    ----------
    validate : callable
        Takes an entry; travels to other processes by pickle.
    """
    executor = settings.executor
    workers = executor.workers or (0 if executor.kind == "dask" else _workers(settings))
    work = partial(_done, validate)
    found = parallel_map(work, entries, workers=workers, executor=executor, progress=progress, unit="models")
    rows = [BatchRow.model_validate_json(row) for row, _ in found]
    return BatchResult(
        rows=tuple(rows), analyses=tuple(Analysis.model_validate_json(text) for _, text in found if text)
    )


def _workers(settings: Settings) -> int:
    """As many as have a core each and fit into memory."""
    need = max(settings.probes.memory_limit_gb, settings.deepchecks.memory_limit_gb) * 1024**3
    return max(1, min(psutil.cpu_count() or 1, int(psutil.virtual_memory().total / need)))


def _done(validate: Validate, entry: Entry) -> tuple[str, str]:
    """The JSON of the row and of the analysis; an entry that fails is a row that says why."""
    try:
        found = validate(entry)
    except JobCancelled:
        raise
    except CopilotError as error:
        return _failed(entry, str(error), error.exit_code), ""
    except Exception as error:  # one model must not end the batch
        return _failed(entry, f"Unexpected {type(error).__name__}: {error}", ToolError.exit_code), ""
    return _row(entry, Analysis.model_validate_json(found.analysis), found).model_dump_json(), found.analysis


def _failed(entry: Entry, reason: str, exit_code: int) -> str:
    reason = clean_text(without_credentials(reason), 300)
    row = BatchRow(name=entry.name, on=entry.on, state="failed", reason=reason, exit_code=exit_code)
    return row.model_dump_json()


def _row(entry: Entry, analysis: Analysis, found: Validated) -> BatchRow:
    issues = [f for f in analysis.findings if f.state == "issue"]
    worst = max(issues, key=lambda f: SEVERITIES.index(f.severity), default=None)
    values = {e.name: e.value for e in reversed(analysis.evidence) if e.source == "probe:class_gap"}
    return BatchRow(
        name=entry.name,
        on=entry.on,
        state="done",
        verdict=analysis.diagnosis.verdict,
        train_accuracy=values.get("train_accuracy"),
        val_accuracy=values.get("val_accuracy"),
        issues={s: n for s in reversed(SEVERITIES) if (n := sum(f.severity == s for f in issues))},
        errors=sum(f.state == "error" for f in analysis.findings),
        worst=f"{worst.code} {worst.title}" if worst else "",
        severity=worst.severity if worst else "none",
        reason=found.not_looked_at,
        exit_code=ToolError.exit_code if found.not_looked_at else 0,
        known=found.known,
        not_written=found.not_written,
    )


def _yaml(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{clean_text(path)} is too large for a plan.", "Split it.")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"{clean_text(path)} cannot be read: {reason}.", "Pass a YAML file.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{clean_text(path)} is not valid YAML: {clean_text(error, 120)}.", "Mend it.") from error


def _mapping(value: Any, what: str, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(
            f"{what[0].upper()}{what[1:]} is no mapping.", f"It has keys such as {', '.join(sorted(keys))}."
        )
    for key in value:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1, cutoff=0.0)
            raise InputError(f"Unknown key '{clean_text(key, 40)}' in {what}; did you mean '{near[0]}'?")
    return dict(value)


def _list(plan: Mapping[str, Any], key: str) -> list[Any]:
    value = plan.get(key) or []
    if not isinstance(value, list):
        raise InputError(f"`{key}` of the plan is no list.", "Write one item a line, each after a dash.")
    return value


def _model(item: Any) -> dict[str, Any]:
    if isinstance(item, str) and item:
        return {"model": item}
    known = _mapping(item, "a model", {"model", "predictions", "name", *_SHARED})
    if bool(known.get("model")) == bool(known.get("predictions")):
        raise InputError("A model of the plan has neither or both of `model` and `predictions`.", "Give it one.")
    return known


def _entry(shared: dict[str, Any], images: dict[str, Any], model: dict[str, Any]) -> Entry:
    given = {**shared, **images, **model}
    given["on"] = str(images.get("name") or given.get("test") or "its own images")
    given["name"] = str(model.get("name") or model.get("model") or model["predictions"])
    if isinstance(given.get("probes"), str):
        given["probes"] = [given["probes"]]
    try:
        return Entry.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise InputError(f"{place} of the plan: {problem['msg']}.", "Mend the plan.") from error
