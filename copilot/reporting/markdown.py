"""The analysis as Markdown, for pull requests and chat rooms."""

from __future__ import annotations

import re

from copilot.core.findings import Analysis
from copilot.reporting import words
from copilot.utils.validators import clean_text

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~@])")


def escape_markdown(text: object, limit: int = 300) -> str:
    """Outside text in which no mark of Markdown, mention or HTML is left."""
    return _MARKS.sub(r"\\\1", clean_text(text, limit)).replace("://", ":\u200b//")


def render_markdown(analysis: Analysis) -> str:
    """Verdict, why, what to do, findings and the evidence table."""
    d, known = analysis.diagnosis, analysis.evidence_by_id()
    lines = [f"# {escape_markdown(analysis.subject.run_name or 'Analysis', 120)}: {words.verdict_label(d.verdict)}", ""]
    lines += [f"**{escape_markdown(d.summary, 700)}** ({words.percent_sure(d.confidence)} sure)", ""]
    causes = [c for c in d.causes if c.cause != "none"]
    if causes:
        lines += [
            "## Why",
            "",
            *(f"- {words.cause_label(c.cause)}: {words.percent_sure(c.probability)}" for c in causes),
            "",
        ]
    if analysis.recommendations:
        lines += ["## What to do", ""]
        for i, item in enumerate(analysis.recommendations, 1):
            papers = ", ".join(
                f"[{escape_markdown(p)}]({words.paper_link(p)})" for p in item.papers if words.paper_link(p)
            )
            lines.append(
                f"{i}. **{escape_markdown(item.action)}** {escape_markdown(item.why)}"
                + (f" ({papers})" if papers else "")
            )
        lines.append("")
    lines += ["## Findings", ""]
    for f in analysis.findings:
        state = f"{f.severity} severity" if f.state == "issue" else words.state_label(f.state).lower()
        cited = f" [{', '.join(f.evidence)}]" if f.evidence else ""
        lines.append(
            f"- **{f.code} {escape_markdown(f.title, 120)}** ({state}): {escape_markdown(f.summary, 700)}{cited}"
        )
    if known:
        lines += ["", "## Evidence", "", "| Id | Evidence | Value | Epoch | Source |", "|---|---|---:|---:|---|"]
        for e in analysis.evidence:
            epoch = "" if e.epoch is None else f"{e.epoch:g}"
            cells = (
                e.id,
                escape_markdown(words.citation_label(e)),
                words.evidence_value(e),
                epoch,
                escape_markdown(e.source, 120),
            )
            lines.append(f"| {' | '.join(cells)} |")
    if analysis.history.warnings:
        lines += ["", "## Repairs in the curves", "", *(f"- {escape_markdown(w)}" for w in analysis.history.warnings)]
    return "\n".join(lines) + "\n"
