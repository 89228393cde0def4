"""One finding as a card: code, title, state, what was found, and the evidence behind it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from copilot.core.findings import Evidence, Finding
from copilot.reporting.palette import SEVERITY_STYLES, STATE_STYLES
from copilot.reporting.words import citation_label, evidence_interval, evidence_value, severity_label, state_label
from copilot.ui import state
from copilot.ui.notices import plain

MAX_EVIDENCE = 12


def finding_card(finding: Finding, known: Mapping[str, Evidence]) -> DeltaGenerator:
    """Draw `finding` and return its card, for what belongs below; `known` is the evidence by id."""
    issue = finding.state == "issue"
    style = SEVERITY_STYLES[finding.severity] if issue else STATE_STYLES[finding.state]
    word = severity_label(finding.severity) if issue else state_label(finding.state)
    card = st.container(border=True, gap="xsmall", key=f"finding-{finding.code}")
    with card:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{finding.code} {plain(finding.title)}**", width="content", help=_about(finding.code))
            st.badge(word, icon=f":material/{style.icon}:", color=style.streamlit)
        st.markdown(plain(finding.summary, 500))
        shown = [known[i] for i in finding.evidence if i in known][:MAX_EVIDENCE]
        if shown:
            st.markdown(f":small[{' · '.join(map(_said, shown))}]")
    return card


def _said(evidence: Evidence) -> str:
    """One piece of evidence with its value, and the interval around it where there is one."""
    between = evidence_interval(evidence)
    tail = f" :gray[{plain(between)}]" if between else ""
    return f":gray[{evidence.id} {plain(citation_label(evidence))}] **{plain(evidence_value(evidence))}**{tail}"


def _about(code: str) -> str | None:
    """Why the check matters and where its page is; None where no check describes itself by that code."""
    check = next((c for c in state.analyzer().describe_checks() if c.code == code), None)
    if check is None:
        return None
    why = plain((check.why_it_matters or check.claim).split("\n\n")[0], 600)
    return f"{why}\n\nMore: Settings, Checks; or `mlops-copilot checks explain {check.code}`".strip()
