"""A check described from its own docstring and thresholds: what the command line and the documentation show."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from copilot.core.checks.base import Check
from copilot.core.findings import Document


class ThresholdDescription(Document):
    name: str
    value: Any
    default: Any
    description: str
    alias: str | None = None


class CheckDescription(Document):
    code: str
    title: str
    explanation: str
    thresholds: tuple[ThresholdDescription, ...]
    muted: str | None = None


def describe(check: Check, ignore: Mapping[str, str] | None = None) -> CheckDescription:
    """The check's page: its docstring, and each threshold with the value in force and the default."""
    model = type(check.thresholds)
    aliases = {field: alias for alias, field in check.aliases.items()}
    thresholds = tuple(
        ThresholdDescription(
            name=name,
            value=getattr(check.thresholds, name),
            default=field.default,
            description=field.description or "",
            alias=aliases.get(name),
        )
        for name, field in model.model_fields.items()
    )
    return CheckDescription(
        code=check.code,
        title=check.title,
        explanation=inspect.getdoc(check) or "",
        thresholds=thresholds,
        muted=(ignore or {}).get(check.code),
    )
