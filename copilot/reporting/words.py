"""Plain words for what every interface shows: verdicts, causes, states, numbers with their units."""

from __future__ import annotations

from datetime import datetime

from copilot.core.causes import CAUSE_WORDS
from copilot.core.findings import Evidence

_STATES = {
    "issue": "Issue",
    "passed": "Passed",
    "not_applicable": "Does not apply",
    "skipped": "Skipped",
    "ignored": "Muted",
    "error": "Could not run",
}
_EVIDENCE = {
    "train_final": "training {q} at the end",
    "val_final": "validation {q} at the end",
    "gap_final": "gap of {q} at the end",
    "gap_share": "the same, as a share of the first {q}",
    "gap_early": "gap of {q} early on",
    "error_ratio": "validation error over training error ({q})",
    "gap_since": "epoch since which the {q} gap is open",
    "val_best": "best validation {q}",
    "val_end": "validation {q} at the end",
    "rise": "worsening of validation {q} since its best",
    "rise_share": "the same, as a share of the best {q}",
    "rise_within_noise": "worsening of validation {q} over its noise",
    "onset": "onset by validation {q}",
    "epochs_after_best": "epochs after the best {q}",
    "train_start": "first training {q}",
    "train_end": "training {q} at the end",
    "train_best": "best training {q}",
    "recent_improvement": "share of the {q} improvement made in the last quarter",
    "train_swing": "swing of training {q}, share of its range",
    "val_swing": "swing of validation {q}, share of its range",
    "plateau_start": "epoch at which {q} had made 95 % of its improvement",
    "idle_epochs": "epochs after that",
    "not_finite": "epochs at which {q} is not a number",
}
_DIFFERENCES = ("gap_final", "gap_early", "rise")
_PAPER_HOSTS = {
    "arxiv": "https://arxiv.org/abs/",
    "doi": "https://doi.org/",
    "s2": "https://www.semanticscholar.org/paper/",
}


def verdict_label(verdict: str) -> str:
    return verdict.capitalize()


def state_label(state: str) -> str:
    return _STATES[state]


def cause_label(cause: str) -> str:
    """A cause in words, for instance "too little training data"."""
    return CAUSE_WORDS[cause]


def percent_sure(share: float) -> str:
    """A probability as a whole percentage; never 0 % or 100 %."""
    return f"{min(max(round(share * 100), 1), 99)} %"


def number(value: float) -> str:
    """A number at three significant digits, whole numbers whole."""
    if isinstance(value, int) or float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3g}"


def with_unit(value: float | str | bool, unit: str, *, difference: bool = False) -> str:
    """A value with its unit: fractions as percent, their differences as points, the rest as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if unit == "fraction":
        return f"{value * 100:.1f} points" if difference else f"{value * 100:.1f} %"
    if unit == "%":
        return f"{number(value)} %"
    if unit == "epoch":
        return number(value)
    return f"{number(value)} {unit}".strip()


def evidence_value(evidence: Evidence, field: str = "value") -> str:
    """The evidence's value (or ``epoch``) for people; a dash where nothing was measured."""
    if field == "epoch":
        return "–" if evidence.epoch is None else number(evidence.epoch)
    if evidence.value is None:
        return "–"
    return with_unit(evidence.value, evidence.unit, difference=evidence.name in _DIFFERENCES)


def citation_label(evidence: Evidence) -> str:
    """What the evidence is, in words."""
    words = _EVIDENCE.get(evidence.name, evidence.name.replace("_", " "))
    return words.format(q=evidence.quantity or "the metric")


def value_text(value: float, quantity_is_fraction: bool) -> str:
    """A point of a curve."""
    return with_unit(value, "fraction" if quantity_is_fraction else "")


def paper_link(paper: str) -> str:
    """The address of a reference such as ``arxiv:1512.00567`` or ``doi:10.1007/...``."""
    kind, _, name = paper.partition(":")
    return f"{_PAPER_HOSTS[kind]}{name}" if kind in _PAPER_HOSTS else ""


def relative_time(moment: str, now: datetime) -> str:
    """How long ago an ISO moment was: "just now", "5 min ago", "3 days ago"; empty if it cannot be read."""
    try:
        seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return ""
    if seconds < 60:
        return "just now"
    for size, word in ((86400, "day"), (3600, "hour")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return f"{int(seconds // 60)} min ago"
