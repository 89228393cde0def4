"""The report as Markdown, for pull requests and chat rooms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from copilot.core.findings import Analysis
from copilot.reporting.parts import Advice, FindingView, Link, ReportView
from copilot.reporting.view import TEXT_CHARS, report_view
from copilot.utils.validators import clean_text

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~&$])")
_STARTS = re.compile(r"^([-+=]|\d+(?=[.)](?:\s|$)))")
_CALLS = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\w)|(?<=:)(?=//)")
_ROW_LIMIT = 200


def escape_markdown(text: object, limit: int = 300) -> str:
    """Outside text in which no mark of Markdown or HTML is left, and nothing that calls people or makes a link."""
    line = _MARKS.sub(r"\\\1", _CALLS.sub("\u200b", clean_text(text, limit)))
    return _STARTS.sub(lambda m: f"{m[1]}\\" if m[1].isdigit() else f"\\{m[1]}", line)


def render_markdown(analysis: Analysis) -> str:
    """The verdict, then why, what to do, the findings and the evidence; outside text is escaped."""
    view = report_view(analysis)
    parts = [
        *_summary(view),
        *_section("Why", _why(view)),
        *_section("What to do", (_advice(n, item) for n, item in enumerate(view.advice, 1))),
        *_section("Findings", map(_finding, (*view.issues, *view.calm))),
        *_section("Evidence", _evidence(view)),
        *_section("What was mended in the curves", (f"- {escape_markdown(note)}" for note in view.warnings)),
        *_section("About this analysis", (f"- {_text(label)}: {_text(value)}" for label, value in view.meta)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _text(text: str) -> str:
    return escape_markdown(text, TEXT_CHARS)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = list(lines)
    return [f"## {title}", "", *body, ""] if body else []


def _summary(view: ReportView) -> list[str]:
    sure = " · ".join(filter(None, (f"{view.style.glyph} **{view.verdict}**", f"{view.sure.text} sure", view.severity)))
    lines = [f"# {_text(view.title)}", "", sure, "", f"**{_text(view.headline)}** {_text(view.lead)}", ""]
    if view.cards:
        cells = [[card.label for card in view.cards], [card.value for card in view.cards]]
        lines += [_row(cells[0]), "|" + "---|" * len(view.cards), _row(cells[1]), ""]
    return lines


def _why(view: ReportView) -> Iterable[str]:
    for cause in view.causes:
        found = f" (from {_links(cause.found)})" if cause.found else ""
        yield f"- {cause.label}: **{cause.sure.text}**{found}"


def _advice(number: int, item: Advice) -> str:
    papers = f" Shown in {_links(item.papers)}." if item.papers else ""
    return f"{number}. **{_text(item.action)}** {_text(item.why)} What to expect: {_text(item.effect)}{papers}"


def _finding(finding: FindingView) -> str:
    cited = f" ({', '.join(_text(chip.id) for chip in finding.chips)})" if finding.chips else ""
    head = f"{finding.style.glyph} **{_text(finding.code)} {_text(finding.title)}**"
    return f"- {head}, {finding.word.lower()}: {_text(finding.summary)}{cited}"


def _evidence(view: ReportView) -> Iterable[str]:
    if not view.evidence:
        return
    yield _row(("Id", "What", "Value", "Epoch", "Source"))
    yield "|---|---|---:|---:|---|"
    for row in view.evidence[:_ROW_LIMIT]:
        value = f"{row.value} ({row.interval})" if row.interval else row.value
        yield _row((row.id, row.label, value, row.epoch, row.source))
    left_out = len(view.evidence) - _ROW_LIMIT + view.evidence_left_out
    if left_out > 0:
        yield f"\n{left_out} more stand in the JSON report."


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _links(items: Iterable[Link]) -> str:
    return ", ".join(
        f"[{_text(item.text)}]({item.target})" if "://" in item.target else _text(item.text) for item in items
    )
