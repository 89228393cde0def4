"""What the engine found as outcomes, one a check."""

from __future__ import annotations

import re
from collections.abc import Sequence

from copilot.core.findings import Outcome, State
from copilot.integrations.deepchecks.catalogue import codes_of
from copilot.integrations.deepchecks.evidence import evidence_of
from copilot.integrations.deepchecks.records import CheckRun
from copilot.utils.validators import clean_text

_SEVERITY = {"FAIL": "medium", "WARN": "low"}
_TAG = re.compile(  # tags by name: limits such as "< 0.2" and "> 0.5" are no tag
    r"</?(?:a|b|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_CONFIDENCE = 0.6  # a condition holds one number against a limit; Deepchecks says nothing of its spread


def outcomes_of(runs: Sequence[CheckRun]) -> list[Outcome]:
    """One outcome a check, in the order of codes; what it gave on train and on test is joined."""
    codes = codes_of(run.check for run in runs)
    return [_outcome(name, *codes[name], [r for r in runs if r.check == name]) for name in sorted(codes, key=codes.get)]


def _outcome(check: str, code: str, title: str, runs: Sequence[CheckRun]) -> Outcome:
    done = [run for run in runs if not run.failure]
    reasons = {run.split: run.failure for run in runs if run.failure}
    same = len(set(reasons.values())) == 1 and not done
    failed = [reason if same else _labelled(split, reason) for split, reason in reasons.items()]
    if not done:
        state: State = "not_applicable" if all(run.expected for run in runs) else "error"
        return Outcome(code=code, title=title, state=state, summary=_line(failed))
    try:
        evidence = evidence_of(check, {run.split: run.value for run in done})
    except Exception as error:  # a result of a form that is not known must not hide the verdict
        evidence, failed = (), [*failed, f"Its numbers cannot be read: {type(error).__name__}."]
    conditions = [(run.split, *condition) for run in done for condition in run.conditions]
    worst = next((c for c in ("FAIL", "WARN", "ERROR") if any(c == item[1] for item in conditions)), "PASS")
    told = [
        _labelled(split, _told(name, details)) for split, category, name, details in conditions if category == worst
    ]
    return Outcome(
        code=code,
        title=title,
        state={"PASS": "passed", "ERROR": "error"}.get(worst, "issue"),
        severity=_SEVERITY.get(worst, "none"),
        confidence=_CONFIDENCE if conditions and worst != "ERROR" else 0.0,
        summary=_line([*(told or ["Measured; Deepchecks sets no condition."]), *failed]),
        evidence=evidence,
    )


def _labelled(split: str, text: str) -> str:
    return f"{split}: {text}" if split else text


def _told(condition: str, details: str) -> str:
    return f"{details.strip().rstrip('.')} (condition: {condition.strip().rstrip('.')})."


def _line(parts: Sequence[str]) -> str:
    """One line of plain text: Deepchecks writes some of its messages as HTML, and names its own enumerations."""
    text = _TAG.sub(" ", " ".join(dict.fromkeys(parts)))
    return clean_text(re.sub(r"\bTaskType\.(\w+)", lambda found: found[1].lower(), text), 400)
