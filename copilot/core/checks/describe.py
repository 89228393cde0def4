"""A check described from its own docstring and thresholds: what the command line and the documentation show.

The docstring of a check is a claim of one sentence, paragraphs on what is measured, then paragraphs that begin with
one of `LABELS`. A docstring without labels is a claim and what is measured.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from copilot.core.checks.base import BaseCheck, Check
from copilot.core.findings import Document

LABELS = {"why_it_matters": "Why it matters", "source": "Source", "when_it_is_wrong": "When it is wrong"}
_LABELLED = re.compile(rf"({'|'.join(LABELS.values())}): ")
_FIELDS = {label: field for field, label in LABELS.items()}


class ThresholdDescription(Document):
    name: str
    value: Any
    default: Any
    description: str
    alias: str | None = None


class CheckDescription(Document):
    """What a check says of itself. Paragraphs of a text are parted by an empty line.

    ``explanation`` is the whole docstring; ``claim`` to ``when_it_is_wrong`` are its parts, empty where it has none.
    ``scope`` is the check's word for what it looks at, for instance ``runs together``; empty for one run.
    """

    code: str
    title: str
    explanation: str
    claim: str = ""
    measures: str = ""
    why_it_matters: str = ""
    source: str = ""
    when_it_is_wrong: str = ""
    scope: str = ""
    thresholds: tuple[ThresholdDescription, ...]
    muted: str | None = None

    def sections(self) -> list[tuple[str, str]]:
        """Heading and text of each part below the claim that says something, in the order of reading."""
        parts = [("What it measures", self.measures)]
        parts += [(label, getattr(self, field)) for field, label in LABELS.items()]
        return [(heading, text) for heading, text in parts if text]


def describe(check: Check | Any, ignore: Mapping[str, str] | None = None) -> CheckDescription:
    """The check's page: its docstring, and each threshold with the value in force and the default.

    Parameters
    ----------
    check : Check
        Or anything with a code, a title, aliases, thresholds and a docstring; it may have a ``scope``.
    ignore : mapping of code to reason, optional
        Muted checks.
    """
    text = _docstring(check)
    return CheckDescription(
        code=check.code,
        title=check.title,
        explanation=text,
        **_parts(text),
        scope=str(getattr(check, "scope", "")),
        thresholds=tuple(_thresholds(check)),
        muted=(ignore or {}).get(check.code),
    )


def _docstring(check: Any) -> str:
    """The check's own docstring; that of the base class says nothing about it."""
    text = inspect.getdoc(check) or ""
    return "" if text == inspect.getdoc(BaseCheck) else text


def _parts(text: str) -> dict[str, str]:
    """The paragraphs of a docstring by field; one without a label goes on with the field before it."""
    found: dict[str, list[str]] = {}
    field = "claim"
    for paragraph in filter(None, (" ".join(p.split()) for p in re.split(r"\n\s*\n", text))):
        if match := _LABELLED.match(paragraph):
            field, start = _FIELDS[match[1]], match.end()
            paragraph = paragraph[start].upper() + paragraph[start + 1 :]
        elif found and field == "claim":
            field = "measures"
        found.setdefault(field, []).append(paragraph)
    return {name: "\n\n".join(paragraphs) for name, paragraphs in found.items()}


def _thresholds(check: Any) -> Iterator[ThresholdDescription]:
    aliases = {field: alias for alias, field in check.aliases.items()}
    for name, field in type(check.thresholds).model_fields.items():
        yield ThresholdDescription(
            name=name,
            value=getattr(check.thresholds, name),
            default=None if field.is_required() else field.get_default(call_default_factory=True),
            description=field.description or "",
            alias=aliases.get(name),
        )
