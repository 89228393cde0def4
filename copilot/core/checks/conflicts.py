"""When quantities of one run disagree on whether validation gets worse: the states, and which of them outweighs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from copilot.core.checks.base import Row
from copilot.core.findings import Severity

ConflictName = Literal["score_still_improves", "over_confident", "few_components", "score_alone"]


_ATTACKED = frozenset({"robust", "adv", "adversarial", "pgd"})


class Conflict(NamedTuple):
    """A disagreement. ``outweighs``: it speaks against overfitting more than the rise speaks for it."""

    name: ConflictName
    quantity: str
    sentence: str
    outweighs: bool


def find_conflict(turned: Sequence[Row], both: Sequence[Row], severity: Severity, rise: float) -> Conflict | None:
    """The disagreement between the rows that turned and those that did not, if there is one.

    A loss can rise while a score goes on improving: the model grows over-confident in its mistakes, its ranking is
    still fine (C. Guo et al., On Calibration of Modern Neural Networks, 2017, section 3). Detectors log several losses;
    where their sum hardly rises, one of them alone does not tell overfitting.

    Parameters
    ----------
    turned, both : sequence of Row
        Rows of validation divergence: those beyond its thresholds, and all.
    severity : str
        Of the leading row.
    rise : float
        Share of the sum of the losses by which it must rise.
    """
    calm = [row for row in both if row["margin"] < 0]
    losses, scores = [r for r in turned if r.pair.kind == "loss"], [r for r in turned if r.pair.kind != "loss"]
    calm_scores = [r for r in calm if r.pair.kind != "loss" and (not losses or _same_attack(r, losses[0]))]
    if losses and not scores and calm_scores:
        gaining = next((r for r in calm_scores if r["still_gains"]), None)
        if gaining is not None:
            sentence = (
                f"Validation {gaining.pair.quantity} still improves: the model grows over-confident, its ranking is "
                "still fine."
            )
            return Conflict("score_still_improves", gaining.pair.quantity, sentence, severity != "high")
        few = _few_components(losses, calm, severity, rise)
        if few is not None:
            return few
        held = calm_scores[0].pair.quantity
        sentence = f"Validation {held} holds: the model grows over-confident, its ranking is still fine."
        return Conflict("over_confident", held, sentence, False)
    if losses and not scores:
        return _few_components(losses, calm, severity, rise)
    calm_losses = [r for r in calm if r.pair.kind == "loss"]
    if scores and not losses and calm_losses:
        sentence = f"Validation {calm_losses[0].pair.quantity} holds, so that only the decisions get worse."
        return Conflict("score_alone", calm_losses[0].pair.quantity, sentence, False)
    return None


def _few_components(turned: Sequence[Row], calm: Sequence[Row], severity: Severity, rise: float) -> Conflict | None:
    """Losses of which some rise and most do not: whether their sum rises."""
    calm_losses = [r for r in calm if "loss" in r.pair.quantity.split("_")]  # error rates and perplexity do not add up
    if not calm_losses or len(turned) > len(calm_losses) or severity == "high":
        return None
    total = next((r for r in calm_losses if r.pair.quantity == "loss"), None)
    floors = sum(r["final"] - max(r["rise"], 0.0) for r in (*turned, *calm_losses))
    little = sum(r["rise"] for r in turned) < rise * floors
    if total is None and not little:
        return None
    names = ", ".join(r.pair.quantity.replace("_", " ") for r in turned[:3])
    where = "the total loss does not rise" if total is not None else "the losses together hardly rise"
    return Conflict("few_components", turned[0].pair.quantity, f"Only {names} rises; {where}.", True)


def _same_attack(a: Row, b: Row) -> bool:
    """Whether both are measured under attack, or neither: a clean accuracy says nothing of a robust loss."""
    return bool(_ATTACKED.intersection(a.pair.quantity.split("_"))) == bool(
        _ATTACKED.intersection(b.pair.quantity.split("_"))
    )
