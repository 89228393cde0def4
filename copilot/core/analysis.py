"""Histories -> analysis documents: detection, diagnosis and remedies put together. Pure: no files, no network."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from copilot.core.checks.base import Check
from copilot.core.detector import detect, muted
from copilot.core.diagnosis import conclusions, diagnose
from copilot.core.findings import Analysis, Outcome, Picture, Provenance, Subject, number_evidence, numbered
from copilot.core.history import RunHistory
from copilot.core.remedies import recommend

TOGETHER = 500  # histories judged at once: more of them no longer fit into the processor's caches


def analyse(
    histories: Sequence[RunHistory],
    subjects: Sequence[Mapping[str, Any]],
    checks: Sequence[Check],
    *,
    ignore: Mapping[str, str] | None = None,
    preference: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    extra: Sequence[Outcome] = (),
    pictures: Sequence[Picture] = (),
) -> list[Analysis]:
    """Analyse many runs at once.

    Parameters
    ----------
    histories : sequence of RunHistory
    subjects : sequence of mapping
        Fields of `Subject` for each history (``kind`` at least).
    checks : sequence of Check
    ignore : mapping of code to reason, optional
        Muted checks; those among `extra` too.
    preference : sequence of str, optional
        Quantities in order of preference.
    provenance : mapping, optional
        ``versions`` and ``settings``.
    extra : sequence of Outcome, optional
        Outcomes of outside witnesses (probes, Deepchecks) that belong to every one of these runs.
    pictures : sequence of Picture, optional
        What shows `extra` to people.
    """
    started, parts = time.perf_counter(), []
    with _without_garbage_collection():
        for start in range(0, len(histories), TOGETHER):
            part = slice(start, start + TOGETHER)
            parts += _parts(histories[part], subjects[part], checks, ignore, preference, extra)
        duration = round((time.perf_counter() - started) / max(len(histories), 1), 6)
        made = Provenance(duration_s=duration, **(provenance or {}))
        return [Analysis(**fields, pictures=tuple(pictures), provenance=made) for fields in parts]


def _parts(
    histories: Sequence[RunHistory],
    subjects: Sequence[Mapping[str, Any]],
    checks: Sequence[Check],
    ignore: Mapping[str, str] | None,
    preference: Sequence[str],
    extra: Sequence[Outcome],
) -> list[dict[str, Any]]:
    """The fields of each document, its provenance aside."""
    detected = detect(histories, checks, ignore)
    extra = [muted(o.code, o.title, ignore[o.code]) if ignore and o.code in ignore else o for o in extra]
    analyzed_at = datetime.now(UTC).isoformat(timespec="seconds")
    parts = []
    for history, subject, outcomes in zip(histories, subjects, detected, strict=True):
        together = [*outcomes, *extra]
        findings, evidence = number_evidence(together)
        diagnosis = diagnose(history, together, preference)
        own = numbered(conclusions(diagnosis, history, preference), start=len(evidence) + 1)
        parts.append(
            {
                "subject": Subject(analyzed_at=analyzed_at, **subject),
                "history": history.record(),
                "diagnosis": diagnosis,
                "findings": findings,
                "evidence": (*evidence, *own),
                "recommendations": recommend(diagnosis, together),
            }
        )
    return parts


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Documents hold no cycles, and looking for some among a million pieces of evidence doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
