"""Plain words for what every interface shows: verdicts, causes, states, numbers with their units."""

from __future__ import annotations

import math
import re
from datetime import datetime
from urllib.parse import quote

from copilot.core.causes import CAUSE_WORDS
from copilot.core.findings import Evidence
from copilot.core.naming import is_fraction
from copilot.reporting.evidence_words import DIFFERENCES, EVIDENCE, VALUES
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
        return f"{value * 100:z.1f} points" if difference else f"{value * 100:.1f} %"
    if unit == "epoch":
        return epoch_text(value)
    if unit == "%":
        return f"{number(round(value, 2) + 0)} %"  # "-0.00481 %" says no more than "0 %"
    singular = unit
    if value == 1 and len(unit) > 3 and unit.endswith("s"):  # "1 run" and "1 class", but "1 s"
        singular = unit.removesuffix("es") if unit.endswith("sses") else unit[:-1]
    return f"{number(value)} {clean_text(singular, 40)}".strip()


def evidence_value(evidence: Evidence, field: str = "value") -> str:
    """The evidence's value (or ``epoch``) for people, names in words; a dash where nothing was measured."""
    if field == "epoch":
        return epoch_text(evidence.epoch)
    if evidence.value is None:
        return MISSING
    if isinstance(evidence.value, str) and evidence.value in VALUES.get(evidence.name, {}):
        return VALUES[evidence.name][evidence.value].format(q=_quantity(evidence))
    return with_unit(evidence.value, evidence.unit, difference=evidence.name in DIFFERENCES)


def evidence_interval(evidence: Evidence) -> str:
    """The interval around the value, for instance "between 3.1 and 5.0 points"; empty if none was computed."""
    if evidence.low is None or evidence.high is None:
        return ""
    difference = evidence.name in DIFFERENCES
    low, high = (with_unit(v, evidence.unit, difference=difference) for v in (evidence.low, evidence.high))
    return f"between {low.removesuffix(''.join(high.partition(' ')[1:]))} and {high}"


def evidence_in_full(evidence: Evidence) -> str:
    """The value with its interval, for instance "4.0 points (between 3.1 and 5.0 points)"."""
    between = evidence_interval(evidence)
    return f"{evidence_value(evidence)} ({between})" if between else evidence_value(evidence)


def citation_label(evidence: Evidence) -> str:
    """What the evidence is, in words."""
    quantity = clean_text(evidence.quantity or "", 60)
    if evidence.name in EVIDENCE:
        return EVIDENCE[evidence.name].format(q=_quantity(evidence), s=clean_text(evidence.source, 60))
    name = clean_text(evidence.name.replace("_", " "), 120)
    return f"{name} ({quantity})" if quantity and quantity not in name else name


def _quantity(evidence: Evidence) -> str:
    return quantity_name(evidence.quantity) or "the metric"


def value_text(value: float, quantity: str) -> str:
    """A point of the curve of `quantity`: scores from 0 to 1 as percent."""
    return with_unit(float(value), "fraction" if is_fraction(quantity) else "")


def gap_text(train: float | None, val: float | None, quantity: str, higher_is_better: bool) -> str:
    """How far apart two drawn points are, positive where validation is worse; empty if one of them is missing."""
    if train is None or val is None:
        return ""
    return difference_text(train - val if higher_is_better else val - train, quantity)


def difference_text(difference: float, quantity: str) -> str:
    """A difference of two values of `quantity`: of scores from 0 to 1 in points."""
    return with_unit(float(difference), "fraction" if is_fraction(quantity) else "", difference=True)


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


def duration_text(seconds: float) -> str:
    """A stretch of time at two or three digits: ``0.4 s``, ``34 s``, ``2.1 min``, ``3.5 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if abs(seconds) >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if abs(seconds) >= 10 else f"{seconds:.2g} s"


def axis_place(value: float | None, unit: str) -> str:
    """A place on an axis of compared curves: an epoch, a step, or time since the start; a dash where there is none."""
    return MISSING if value is None else duration_text(value) if unit == "s" else epoch_text(value)


def change_text(change: float, quantity: str) -> str:
    """A change with its sign, for instance ``+1.8 points``."""
    return f"{'−' if change < 0 else '+'}{difference_text(abs(change), quantity)}"


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
