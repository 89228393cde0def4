"""What a job may run, by name, and how its result becomes JSON."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from copilot.errors import InputError
from copilot.store.database import storable
from copilot.utils.config import Settings

VERBS = (
    "analyze_model",
    "scan",
    "validate",
    "compare_data",
    "data_drift",
    "describe_data",
    "inspect_data",
    "research",
    "report",
)


_TAKES_AN_ANALYSIS = {"report": "result", "research": "about"}


def _run_verb(verb: str, settings: Settings, *, progress: Callable[[float, str], None], **payload: Any) -> Any:
    """Call a verb of the analyzer. Where it takes an analysis, the payload names a saved one: ``analysis_id``."""
    from copilot.analyzer import CopilotAnalyzer

    analyzer = CopilotAnalyzer(settings)
    if "analysis_id" in payload and verb in _TAKES_AN_ANALYSIS:
        from copilot.results import AnalysisResult

        payload[_TAKES_AN_ANALYSIS[verb]] = AnalysisResult(analyzer.store.get_analysis(payload.pop("analysis_id")))
    method = getattr(analyzer, verb)
    signature = inspect.signature(method)
    if "progress" in signature.parameters:
        payload["progress"] = progress
    try:
        signature.bind(**payload)
    except TypeError as error:
        raise InputError(f"A {verb} job cannot run with these arguments: {error}.", "Submit it with others.") from error
    return method(**payload)


# A kind is called as kind(settings, progress=..., **payload). Only names in here run, whatever a queue may hold.
JOB_KINDS: dict[str, Callable[..., Any]] = {verb: functools.partial(_run_verb, verb) for verb in VERBS}


def as_json(result: Any) -> Any:
    """A job's result as JSON: documents by their ``to_json`` or ``model_dump_json``, paths as text, NaN as null.

    Raises
    ------
    TypeError
        Something in it has no JSON form.
    """
    if result is None or isinstance(result, str | bool | int | float):
        return storable(result)
    if isinstance(result, Path):
        return str(result)
    if callable(to_json := getattr(result, "to_json", None) or getattr(result, "model_dump_json", None)):
        return storable(json.loads(to_json()))
    if isinstance(result, Mapping):
        return {str(key): as_json(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [as_json(item) for item in result]
    raise TypeError(f"a {type(result).__name__} cannot be kept as a job's result")
