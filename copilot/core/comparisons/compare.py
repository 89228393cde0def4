"""A group of runs + comparison checks -> the comparison document. The only runner of comparison checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from copilot.core.comparisons.base import ComparisonCheck, RunGroup
from copilot.core.comparisons.document import ComparedRun, Comparison, ComparisonSubject
from copilot.core.comparisons.folds import fold_numbers
from copilot.core.comparisons.model_history import model_history
from copilot.core.comparisons.side_by_side import side_by_side
from copilot.core.detector import muted
from copilot.core.findings import Outcome, number_evidence
from copilot.core.history import axis_value
from copilot.core.remedies import recommend_for
from copilot.errors import CopilotError
from copilot.utils.validators import clean_text


def compare_runs(
    group: RunGroup,
    checks: Sequence[ComparisonCheck],
    *,
    ignore: Mapping[str, str] | None = None,
    experiment: str | None = None,
) -> Comparison:
    """Judge a group of runs: one finding a check, in the order of `checks`.

    Parameters
    ----------
    group : RunGroup
    checks : sequence of ComparisonCheck
    ignore : mapping of code to reason, optional
        Muted checks: their finding is ``ignored`` with the reason, and they are not run.
    experiment : str, optional
        For people.
    """
    outcomes = [_run(check, group, ignore or {}) for check in checks]
    findings, evidence = number_evidence(outcomes)
    over_versions = None
    if group.model is not None:
        used = [check for check in checks if check.code not in (ignore or {})]
        over_versions, more = model_history(group.model, group.versions, group, used, 1 + len(evidence))
        evidence += more
    return Comparison(
        subject=ComparisonSubject(
            experiment=_clean(experiment),
            baseline=_clean(group.baseline),
            parent_run_id=_clean(group.parent),
            quantity=group.quantity,
            higher_is_better=group.measured.higher_is_better if group.measured else None,
            analyzed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        runs=_rows(group),
        findings=findings,
        evidence=evidence,
        recommendations=recommend_for(outcomes),
        side_by_side=side_by_side(group, group.axis) if group.axis else None,
        model_history=over_versions,
    )


def _run(check: ComparisonCheck, group: RunGroup, ignore: Mapping[str, str]) -> Outcome:
    """A check's fault becomes its own outcome and leaves the other checks alone."""
    if check.code in ignore:
        return muted(check.code, check.title, ignore[check.code])
    try:
        return check.compare(group)
    except CopilotError:
        raise
    except Exception as error:
        reason = clean_text(f"The check failed: {type(error).__name__}: {error}", 300)
        return Outcome(code=check.code, title=check.title, state="error", summary=reason)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text, 256)


def _rows(group: RunGroup) -> tuple[ComparedRun, ...]:
    folds, measured, rows = fold_numbers(group), group.measured, []
    for i, member in enumerate(group.members):
        known = measured is not None and np.isfinite(measured.best[i])
        rows.append(
            ComparedRun(
                run_id=_clean(member.run_id),
                run_name=_clean(member.run_name),
                verdict=member.verdict,
                best_value=float(f"{measured.logged(measured.best[i]):.6g}") if known else None,
                best_epoch=axis_value(measured.epoch[i]) if known else None,
                gap=float(f"{measured.gap[i]:.6g}") if known and np.isfinite(measured.gap[i]) else None,
                fold=folds.get(i),
                n_train=member.n_train,
            )
        )
    return tuple(rows)
