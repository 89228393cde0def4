"""Plain words for what every interface shows: verdicts, causes, states, numbers with their units."""

from __future__ import annotations

import math
import re
from datetime import datetime
from urllib.parse import quote

from copilot.core.causes import CAUSE_WORDS
from copilot.core.findings import Evidence
from copilot.core.naming import is_fraction
from copilot.utils.validators import clean_text

_VERDICTS = {
    "healthy": "Validation is not getting worse.",
    "overfitting": "The model learns its training images by heart and does worse on others.",
    "underfitting": "The model does not even fit its training images.",
    "unstable": "Training does not settle.",
    "inconclusive": "The curves do not allow a verdict.",
}
_STATES = {
    "issue": "Issue",
    "passed": "Passed",
    "not_applicable": "Does not apply",
    "skipped": "Skipped",
    "ignored": "Muted",
    "error": "Could not run",
}
_KINDS = {"run": "MLflow run", "history": "Training history", "model": "Model"}
_EVIDENCE = {
    "train_final": "training {q} at the end",
    "val_final": "validation {q} at the end",
    "gap_final": "gap of {q} at the end",
    "gap_share": "gap of {q}, share of its first value",
    "gap_early": "gap of {q} early on",
    "error_ratio": "validation error over training error ({q})",
    "gap_since": "epoch since which the {q} gap is open",
    "val_best": "best validation {q}",
    "best_checkpoint": "validation {q} at the best epoch",
    "verdict_confidence": "how sure the verdict is",
    **{f"probability_of_{cause}": f"probability of the cause: {words}" for cause, words in CAUSE_WORDS.items()},
    "val_end": "validation {q} at the end",
    "rise": "worsening of validation {q} since its best",
    "rise_share": "worsening of validation {q}, share of its best",
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
    "idle_epochs": "epochs after {q} had made 95 % of its improvement",
    "epochs_saved": "epochs after the best one",
    "time_saved": "time after the best epoch",
    "kept_share": "share of the best {q} that was reached by the best epoch",
    "conflict": "how the quantities disagree",
    "validation_images": "images that validation uses",
    "pattern": "shape of the {q} curve",
    "pattern_turn": "epoch at which {q} turns",
    "pattern_bump": "epoch of the passing rise of {q}",
    "pattern_jump": "epoch at which {q} jumps",
    "pattern_jump_share": "size of the jump of {q}, share of its range",
    "pattern_since": "epoch since which {q} is on its plateau",
    "not_finite": "epochs at which {q} is not a number",
}
_DIFFERENCES = ("gap_final", "gap_early", "rise")
_PAPER_HOSTS = {
    "arxiv": "https://arxiv.org/abs/",
    "doi": "https://doi.org/",
    "s2": "https://www.semanticscholar.org/paper/",
}
_PAPER = re.compile(r"(arxiv|doi|s2):([-._;()/:a-z0-9A-Z]{1,210})")
_PAPER_KINDS = {"arxiv": "arXiv:", "doi": "doi:", "s2": "Semantic Scholar "}
MISSING = "–"


def capital(text: str) -> str:
    """`text` with a capital first letter; the rest stays."""
    return text[:1].upper() + text[1:]


def verdict_label(verdict: str) -> str:
    return verdict.capitalize()


def verdict_sentence(verdict: str) -> str:
    """What the verdict means, in one sentence."""
    return _VERDICTS[verdict]


def state_label(state: str) -> str:
    return _STATES[state]


def severity_label(severity: str) -> str:
    """A severity in words, for instance "High severity"."""
    return "No severity" if severity == "none" else f"{severity.capitalize()} severity"


def kind_label(kind: str) -> str:
    """What was analysed, in words."""
    return _KINDS.get(kind, capital(clean_text(kind, 40)))


def cause_label(cause: str) -> str:
    """A cause in words, for instance "too little training data"."""
    return CAUSE_WORDS[cause]


def percent_sure(share: float) -> str:
    """A probability as a whole percentage; never 0 % or 100 %."""
    return f"{min(max(round(share * 100), 1), 99)} %"


def number(value: float) -> str:
    """A number at three significant digits, whole numbers whole; infinities and NaN in words."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    if abs(value) < 1e6 and (value.is_integer() or abs(value) >= 1000):
        return f"{value:.0f}"
    return f"{value:.3g}"


def epoch_text(epoch: float | None) -> str:
    """An epoch (logged axis value) for people; a dash where there is none."""
    return MISSING if epoch is None else f"{epoch:.10g}"


def with_unit(value: float | str | bool, unit: str, *, difference: bool = False) -> str:
    """A value with its unit: fractions as percent, their differences as points, the rest as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean_text(value)
    if not math.isfinite(value):
        return number(value)
    if unit == "fraction":
        return f"{value * 100:.1f} points" if difference else f"{value * 100:.1f} %"
    if unit == "epoch":
        return epoch_text(value)
    singular = unit[:-1] if unit in ("epochs", "times", "images") and value == 1 else unit
    return f"{number(value)} {clean_text(singular, 40)}".strip()


def evidence_value(evidence: Evidence, field: str = "value") -> str:
    """The evidence's value (or ``epoch``) for people; a dash where nothing was measured."""
    if field == "epoch":
        return epoch_text(evidence.epoch)
    if evidence.value is None:
        return MISSING
    return with_unit(evidence.value, evidence.unit, difference=evidence.name in _DIFFERENCES)


def evidence_interval(evidence: Evidence) -> str:
    """The interval around the value, for instance "between 3.1 % and 5.0 %"; empty if none was computed."""
    if evidence.low is None or evidence.high is None:
        return ""
    difference = evidence.name in _DIFFERENCES
    low, high = (with_unit(v, evidence.unit, difference=difference) for v in (evidence.low, evidence.high))
    return f"between {low} and {high}"


def citation_label(evidence: Evidence) -> str:
    """What the evidence is, in words."""
    quantity = clean_text(evidence.quantity or "", 60)
    if evidence.name in _EVIDENCE:
        return _EVIDENCE[evidence.name].format(q=quantity or "the metric")
    name = clean_text(evidence.name.replace("_", " "), 120)
    return f"{name} ({quantity})" if quantity and quantity not in name else name


def value_text(value: float, quantity: str) -> str:
    """A point of the curve of `quantity`: scores from 0 to 1 as percent."""
    return with_unit(float(value), "fraction" if is_fraction(quantity) else "")


def gap_text(train: float | None, val: float | None, quantity: str, higher_is_better: bool) -> str:
    """How far apart two drawn points are, positive where validation is worse; empty if one of them is missing."""
    if train is None or val is None:
        return ""
    gap = float(train - val if higher_is_better else val - train)
    return with_unit(gap, "fraction" if is_fraction(quantity) else "", difference=True)


def quantity_name(quantity: str | None) -> str:
    """A quantity in words."""
    return clean_text((quantity or "").replace("_", " "), 60)


def axis_label(quantity: str) -> str:
    """The name of a value axis, with its unit if there is one."""
    name = clean_text(quantity_name(quantity), 40)
    return f"{name} (%)" if is_fraction(quantity) else name


def paper_link(paper: str) -> str:
    """The address of a reference such as ``arxiv:1512.00567`` or ``doi:10.1007/...``; empty for anything else."""
    match = _PAPER.fullmatch(paper)
    return f"{_PAPER_HOSTS[match[1]]}{quote(match[2], safe='/:;._-')}" if match else ""


def paper_label(paper: str) -> str:
    """A reference as people write it, for instance "arXiv:1512.00567"."""
    match = _PAPER.fullmatch(paper)
    return f"{_PAPER_KINDS[match[1]]}{match[2]}" if match else clean_text(paper, 80)


def moment_text(iso: str | None) -> str:
    """An ISO moment for people, for instance "24 November 2026, 03:46 UTC"; as it is if it cannot be read."""
    try:
        when = datetime.fromisoformat(iso or "")
    except ValueError:
        return clean_text(iso or "", 40)
    zone = when.tzname() or ""
    return f"{when.day} {when:%B %Y, %H:%M} {zone}".strip()


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
