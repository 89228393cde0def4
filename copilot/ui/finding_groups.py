"""Findings on a page: how many of which kind, then issues as cards with their pictures, then the rest folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from copilot.core.findings import SEVERITIES, Evidence, Finding, Picture
from copilot.reporting.palette import STATE_STYLES
from copilot.ui.finding_card import finding_card
from copilot.ui.pictures import show_pictures

_COUNTED = (
    ("issue", "Issues"),
    ("error", "Could not run"),
    ("passed", "Passed"),
    ("not_applicable", "Do not apply"),
    ("skipped", "Skipped"),
    ("ignored", "Muted"),
)
_LOUD = ("issue", "error")


def headline(findings: Sequence[Finding], name: str) -> str:
    """How many findings of which severity there are with what is called `name`."""
    issues = Counter(f.severity for f in findings if f.state == "issue")
    failed = sum(f.state == "error" for f in findings)
    tail = f" {failed} {'check' if failed == 1 else 'checks'} could not run." if failed else ""
    if not issues:
        judged = any(f.state == "passed" for f in findings)
        return f"No issue with {name}.{tail}" if judged else f"Nothing could be judged of {name}.{tail}"
    total = sum(issues.values())
    told = ", ".join(f"{issues[s]} of {s} severity" for s in reversed(SEVERITIES) if issues[s] and s != "none")
    return f"{total} {'issue' if total == 1 else 'issues'} with {name}{f': {told}' if told else ''}.{tail}"


def gravest(findings: Sequence[Finding]) -> Finding | None:
    """The issue of the highest severity, the surest of several; else what could not run."""
    issues = [f for f in findings if f.state == "issue"]
    if issues:
        return max(issues, key=lambda f: (SEVERITIES.index(f.severity), f.confidence))
    return next((f for f in findings if f.state == "error"), None)


def counts(findings: Sequence[Finding], key: str) -> None:
    """How many findings there are in each state."""
    found = Counter(f.state for f in findings)
    with st.container(horizontal=True, gap="small", key=key):
        for name, title in _COUNTED:
            if found[name]:
                style = STATE_STYLES[name]
                label = f":{style.streamlit}[:material/{style.icon}:] {title}"
                st.metric(label, found[name], border=True, width=150)


def group(
    title: str, findings: Sequence[Finding], known: Mapping[str, Evidence], pictures: Sequence[Picture] = ()
) -> None:
    """Issues and what could not run as cards, the gravest first; the rest folded."""
    if not findings:
        return
    loud = sorted((f for f in findings if f.state in _LOUD), key=_attention)
    calm = sorted((f for f in findings if f.state not in _LOUD), key=_attention)
    if title:
        st.subheader(title, anchor=False)
    if not loud:
        st.caption(":material/check_circle: No issue here.")
    for finding in loud:
        _card(finding, known, pictures)
    if calm:
        with st.expander(_folded(calm), key=f"calm-{title}"):
            for finding in calm:
                _card(finding, known, pictures)


def _card(finding: Finding, known: Mapping[str, Evidence], pictures: Sequence[Picture]) -> None:
    with finding_card(finding, known):
        show_pictures([picture for picture in pictures if picture.finding_code == finding.code])


def _attention(finding: Finding) -> tuple[int, int]:
    return [name for name, _ in _COUNTED].index(finding.state), -SEVERITIES.index(finding.severity)


def _folded(findings: Sequence[Finding]) -> str:
    """What is folded, for instance "5 passed · 2 does not apply"."""
    counts = Counter(f.state for f in findings)
    return " · ".join(f"{title}: {counts[name]}" for name, title in _COUNTED if counts[name])
