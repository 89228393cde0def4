"""Two sets of model checks beside each other, finding by finding: what changed comes first. Nothing is drawn here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.core.findings import Analysis, Evidence, Finding
from copilot.core.naming import parse_metric_name
from copilot.reporting.palette import SEVERITY_STYLES, STATE_STYLES
from copilot.reporting.words import (
    capital,
    citation_label,
    evidence_interval,
    evidence_value,
    number,
    severity_label,
    state_label,
    with_unit,
)
from copilot.utils.validators import clean_text

GROUPS = {"OVF3": "The model", "OVF5": "Images and suite"}
LOOKED_AT = "OVF300"
NOT_RUN = "Not run"
_SEVERITIES = ("none", "low", "medium", "high")
_COUNT = re.compile(r",? ?\b\d[\d,]*(?: of \d[\d,]*)? images\b")
_JUDGED = ("issue", "passed")
# Evidence that is no curve's metric, by whether more of it is better; `parse_metric_name` knows accuracies and losses.
_MORE_IS_BETTER = {
    "accuracy_gap": False,
    "class_gap": False,
    "calibration_error": False,
    "calibration_error_unbiased": False,
    "val_overconfidence": False,
    "train_overconfidence": False,
    "membership_auc": False,
    "strongest_effect": False,
    "unreadable_images": False,
}


@dataclass(frozen=True)
class Beside:
    """One finding on both sides; ``better`` tells the direction of the main number from there to here, if it has one.

    ``moved`` is true where state or severity differ, ``sure`` where the intervals of the numbers do not overlap.
    """

    code: str
    title: str
    group: str
    here: str
    there: str
    change: str
    moved: bool
    number: str = ""
    number_here: str = ""
    number_there: str = ""
    difference: str = ""
    better: bool | None = None
    sure: bool = False


def of_checks(analysis: Analysis) -> list[Finding]:
    """What `validate` itself found: not what the curves say, and not what was looked at, unless that failed."""
    return [
        f for f in analysis.findings if f.code.startswith(tuple(GROUPS)) and (f.code != LOOKED_AT or f.state == "error")
    ]


def beside(here: Analysis, there: Analysis) -> list[Beside]:
    """A row a finding of either side: those whose state changed, then those whose number changed, then the rest."""
    ours, theirs = ({f.code: f for f in of_checks(side)} for side in (here, there))
    rows = [_row(ours.get(c), theirs.get(c), here, there) for c in sorted(ours.keys() | theirs.keys())]
    return sorted(rows, key=_attention)


def _attention(row: Beside) -> tuple[bool, ...]:
    """What moved, then what only one side has, then numbers that differ for sure, then those that may."""
    return (not row.moved, row.change == "same", not row.sure, row.better is None, row.difference in ("", "same"))


def measured(analysis: Analysis, code: str, name: str) -> Evidence | None:
    """A number of a finding by its name, if it was measured."""
    finding = analysis.finding(code)
    known = analysis.evidence_by_id()
    cited = [known[i] for i in finding.evidence if i in known] if finding else []
    return next((e for e in cited if e.name == name and _is_number(e)), None)


def difference_in_words(here: Evidence, there: Evidence) -> str:
    """By how much `here` is more, with its sign and unit; empty where nothing was measured."""
    change = float(here.value) - float(there.value)  # type: ignore[arg-type]
    return f"{'−' if change < 0 else '+'}{with_unit(abs(change), here.unit, difference=True)}"


def _row(ours: Finding | None, theirs: Finding | None, here: Analysis, there: Analysis) -> Beside:
    found = ours or theirs
    assert found is not None  # the code is of one of the two
    pair = _main_numbers(ours, theirs, here, there)
    return Beside(
        code=clean_text(found.code, 40),
        title=clean_text(found.title, 80),
        group=next(title for prefix, title in GROUPS.items() if found.code.startswith(prefix)),
        here=_state(ours),
        there=_state(theirs),
        change=_change(ours, theirs),
        moved=bool(ours and theirs) and _judgement(ours) != _judgement(theirs),
        **_numbers(*pair),
    )


def _judgement(finding: Finding | None) -> tuple[str, str] | None:
    return (finding.state, finding.severity if finding.state == "issue" else "none") if finding else None


def _state(finding: Finding | None) -> str:
    """Glyph and word: a colour is never alone."""
    if finding is None:
        return f"– {NOT_RUN}"
    if finding.state == "issue":
        return f"{SEVERITY_STYLES[finding.severity].glyph} {severity_label(finding.severity)}"
    return f"{STATE_STYLES[finding.state].glyph} {state_label(finding.state)}"


def _change(ours: Finding | None, theirs: Finding | None) -> str:
    if ours is None or theirs is None:
        return "only there" if ours is None else "only here"
    if _judgement(ours) == _judgement(theirs):
        return "same"
    if {ours.state, theirs.state} == set(_JUDGED):
        return "new issue" if ours.state == "issue" else "no longer an issue"
    if ours.state == theirs.state == "issue":
        return "graver" if _SEVERITIES.index(ours.severity) > _SEVERITIES.index(theirs.severity) else "milder"
    return "changed"


def _main_numbers(
    ours: Finding | None, theirs: Finding | None, here: Analysis, there: Analysis
) -> tuple[Evidence | None, Evidence | None]:
    """The first number that both have of the same subject, else the first of either."""
    mine, yours = (
        [e for i in f.evidence if (e := known.get(i)) and _is_number(e)] if f else []
        for f, known in ((ours, here.evidence_by_id()), (theirs, there.evidence_by_id()))
    )
    by_what = {_what(e): e for e in reversed(yours)}
    for item in mine:
        if other := by_what.get(_what(item)):
            return item, other
    return (mine[0] if mine else None), (yours[0] if yours and not mine else None)


def _what(evidence: Evidence) -> tuple[str | None, ...]:
    """What a number is and what it speaks of: its source tells corruption, split and class, and on how many images."""
    return evidence.name, evidence.quantity, evidence.unit, _COUNT.sub("", evidence.source)


def _numbers(ours: Evidence | None, theirs: Evidence | None) -> dict:
    shown = ours or theirs
    if shown is None:
        return {}
    told = {
        "number": capital(citation_label(shown)),
        "number_here": _short(ours) if ours else "",
        "number_there": _short(theirs) if theirs else "",
    }
    if ours is None or theirs is None:
        return told
    more = _more_is_better(ours.name)
    differs = number(float(ours.value)) != number(float(theirs.value))  # type: ignore[arg-type]
    told["difference"] = difference_in_words(ours, theirs) if differs else "same"
    if differs and more is not None:
        told |= {"better": (ours.value > theirs.value) == more, "sure": _apart(ours, theirs)}  # type: ignore[operator]
    return told


def _short(evidence: Evidence) -> str:
    """The value with its interval as a cell of a table has room for."""
    ends = evidence_interval(evidence).removeprefix("between ").replace(" and ", " to ")
    return f"{evidence_value(evidence)} ({ends})" if ends else evidence_value(evidence)


def _more_is_better(name: str) -> bool | None:
    if name in _MORE_IS_BETTER:
        return _MORE_IS_BETTER[name]
    read = parse_metric_name(name) if name.startswith(("train_", "val_")) else None
    return read.higher_is_better if read else None


def _apart(ours: Evidence, theirs: Evidence) -> bool:
    """Whether both have an interval, and these do not overlap."""
    ends = (ours.low, ours.high, theirs.low, theirs.high)
    return None not in ends and (ours.low > theirs.high or theirs.low > ours.high)  # type: ignore[operator]


def _is_number(evidence: Evidence) -> bool:
    return isinstance(evidence.value, int | float) and not isinstance(evidence.value, bool)
