"""Compared runs in order: by the best validation value or by the gap there, the better first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from copilot.core.comparisons.document import ComparedRun, Comparison
from copilot.core.findings import Document, Number, Verdict

Order = Literal["best", "gap"]
ORDERS: tuple[Order, ...] = get_args(Order)


class LeaderboardRow(Document):
    """A run with its place; equal values share one, and a run without the value has none."""

    rank: int | None
    run_id: str | None
    run_name: str | None
    verdict: Verdict | None
    quantity: str | None
    best_value: Number | None
    best_epoch: Number | None
    gap: Number | None


def leaderboard(found: Comparison, by: Order = "best") -> tuple[LeaderboardRow, ...]:
    """The runs of a comparison in order.

    Parameters
    ----------
    found : Comparison
        Its quantity says whether higher is better.
    by : {"best", "gap"}
        The best validation value, or the gap to training at that epoch, the smaller first. Runs that are equal in it
        share a rank and stand by the other; those without it come last.
    """
    sign = -1.0 if found.subject.higher_is_better else 1.0

    def cost(run: ComparedRun) -> float | None:
        return None if run.best_value is None else sign * run.best_value

    def gap(run: ComparedRun) -> float | None:
        return run.gap

    first, second = (cost, gap) if by == "best" else (gap, cost)
    ordered = sorted(found.runs, key=lambda run: (*_last_if_missing(first, run), *_last_if_missing(second, run)))
    rows: list[LeaderboardRow] = []
    before: tuple[float, int] | None = None
    for place, run in enumerate(ordered, 1):
        value = first(run)
        rank = None if value is None else before[1] if before and before[0] == value else place
        before = None if value is None or rank is None else (value, rank)
        rows.append(
            LeaderboardRow(
                rank=rank,
                run_id=run.run_id,
                run_name=run.run_name,
                verdict=run.verdict,
                quantity=found.subject.quantity,
                best_value=run.best_value,
                best_epoch=run.best_epoch,
                gap=run.gap,
            )
        )
    return tuple(rows)


def _last_if_missing(value: Callable[[ComparedRun], float | None], run: ComparedRun) -> tuple[bool, float]:
    there = value(run)
    return there is None, 0.0 if there is None else there
