"""A registered model over its versions: what each reached, and where it got worse beyond noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from copilot.core.comparisons.base import ComparisonCheck, Measured, RunGroup, counted, listed
from copilot.core.comparisons.document import ModelHistory, VersionRow
from copilot.core.comparisons.members import RegisteredVersion
from copilot.core.findings import Evidence, Outcome, numbered
from copilot.core.history import axis_value
from copilot.utils.validators import clean_text

REGRESSION = "OVF205"
NO_RUN = "It came from no run."
NO_VALIDATION = "Its run has no {} on validation."


def model_history(
    model: str,
    versions: Sequence[RegisteredVersion],
    group: RunGroup,
    checks: Sequence[ComparisonCheck],
    first_evidence: int = 1,
) -> tuple[ModelHistory, tuple[Evidence, ...]]:
    """Each version beside the one before it, and the evidence of what got worse.

    Parameters
    ----------
    model : str
    versions : sequence of RegisteredVersion
        The oldest first.
    group : RunGroup
        The runs that could be read.
    checks : sequence of ComparisonCheck
        OVF205 among them judges each version against the one before it; without it nothing is said of noise.
    first_evidence : int
        Number of the first evidence.
    """
    at = {member.run_id: i for i, member in enumerate(group.members)}
    measured, check = group.measured, next((c for c in checks if c.code == REGRESSION), None)
    known = [_index(v, at, measured) for v in versions]
    costs = [np.inf if i is None or measured is None else float(measured.best[i]) for i in known]
    best = int(np.argmin(costs)) if np.isfinite(costs).any() else None
    rows: list[VersionRow] = []
    evidence: list[Evidence] = []
    before: int | None = None
    for k, version in enumerate(versions):
        row = _row(version, group, measured, at.get(version.run_id), known[k])
        if known[k] is not None and measured is not None:
            row = row.model_copy(update=_changes(measured, known, k, before, best, versions))
            if before is not None and check is not None:
                judged = _against(check, group, versions[before], versions[k], known[before], known[k])
                own = numbered(judged.evidence, first_evidence + len(evidence))
                evidence += own
                row = row.model_copy(update={**_said(judged), "evidence": tuple(e.id for e in own)})
            before = k
        rows.append(row)
    summary = _summary(model, rows, measured, None if best is None else known[best], best)
    name = clean_text(model)
    found = ModelHistory(
        model=name, best=None if best is None else rows[best].version, summary=summary, versions=tuple(rows)
    )
    return found, tuple(evidence)


def _index(version: RegisteredVersion, at: dict, measured: Measured | None) -> int | None:
    """Its run's place in the group, if the group's quantity is known of it."""
    i = at.get(version.run_id) if version.run_id else None
    return i if i is not None and measured is not None and np.isfinite(measured.best[i]) else None


def _row(
    version: RegisteredVersion, group: RunGroup, measured: Measured | None, at: int | None, known: int | None
) -> VersionRow:
    member = None if at is None else group.members[at]
    reason = ""
    if known is None:
        missing = NO_VALIDATION.format("curve" if measured is None else measured.quantity)
        reason = missing if member else version.reason or NO_RUN
    return VersionRow(
        version=clean_text(version.version, 40),
        run_id=version.run_id and clean_text(version.run_id, 256),
        run_name=None if member is None else clean_text(member.run_name or "", 256) or None,
        stage="" if version.stage in ("", "None") else clean_text(version.stage, 40),
        aliases=tuple(clean_text(a, 60) for a in version.aliases),
        verdict=None if member is None else member.verdict,
        reason=clean_text(reason, 300),
    )


def _changes(
    measured: Measured,
    known: Sequence[int | None],
    k: int,
    before: int | None,
    best: int | None,
    versions: Sequence[RegisteredVersion],
) -> dict[str, object]:
    def value(version: int) -> float:
        return measured.logged(measured.best[known[version]])

    i, mine = known[k], value(k)
    gap = measured.gap[i]
    return {
        "best_value": _tidy(mine),
        "best_epoch": axis_value(measured.epoch[i]),
        "gap": _tidy(gap) if np.isfinite(gap) else None,
        "previous": None if before is None else clean_text(versions[before].version, 40),
        "change": None if before is None else _tidy(mine - value(before)),
        "change_to_best": None if best is None else _tidy(mine - value(best)),
    }


def _against(
    check: ComparisonCheck,
    group: RunGroup,
    before: RegisteredVersion,
    now: RegisteredVersion,
    i_before: int | None,
    i_now: int | None,
) -> Outcome:
    """The check's outcome for one version against the one before it, each called by its number."""
    names = [f"version {clean_text(v.version, 40)}" for v in (before, now)]
    if i_before == i_now:
        text = f"{names[1].capitalize()} is of the same run as {names[0]}."
        return Outcome(code=check.code, title=check.title, state="passed", summary=text)
    pair = tuple(
        replace(group.members[i], run_id=name, run_name=name) for i, name in zip((i_before, i_now), names, strict=True)
    )
    return check.compare(RunGroup(pair, baseline=names[0], wanted=group.quantity))


def _said(judged: Outcome) -> dict[str, object]:
    if judged.state == "issue":
        sentence = judged.summary[:1].upper() + judged.summary[1:]
        return {"worse": True, "severity": judged.severity, "sentence": sentence}
    if judged.state == "passed":
        return {"worse": False, "sentence": judged.summary if not judged.evidence else ""}
    return {"sentence": judged.summary}


def _summary(
    model: str, rows: Sequence[VersionRow], measured: Measured | None, at: int | None, best: int | None
) -> str:
    text = f"{clean_text(model, 80)} has {counted(len(rows), 'version')}."
    if measured is not None and at is not None and best is not None:
        reached = f"{measured.say(measured.best[at])} validation {measured.quantity}"
        alone = sum(r.best_value is not None for r in rows) == 1
        does = "reaches" if alone else "is the best at"
        text += f" Version {rows[best].version} {does} {reached}, epoch {axis_value(measured.epoch[at])}."
    worse = [r.version for r in rows if r.worse]
    if worse:
        text += f" Value or gap got worse beyond the noise with version {listed(worse, 6)}."
    missing = [r.version for r in rows if r.best_value is None]
    if missing:
        text += f" Without numbers: {listed(missing, 6)}."
    return text


def _tidy(value: float) -> float:
    return float(f"{value:.6g}")
