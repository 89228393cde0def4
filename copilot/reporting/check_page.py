"""The page of a check as Markdown, and the pages of all: what `checks explain` prints and docs/checks/ holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from copilot.core.checks.describe import CheckDescription, ThresholdDescription
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.words import paper_link

INDEX = "README.md"
_PAPER = re.compile(r"\b(arXiv|doi):([^\s,;)]*[^\s,;).])")
_INTRODUCTION = """\
# The checks

Every finding names the check that it comes from. Its page says what the check measures, why that matters, what it is
taken from, when it is wrong, and how to change its thresholds or mute it. In a terminal, `mlops-copilot checks list`
and `mlops-copilot checks explain CODE` say the same with the values in force.
"""
_WRITTEN = """\
These pages are written by `scripts/write_check_pages.py` from the checks themselves: change the check, then run it.
"""


def check_pages(checks: Sequence[CheckDescription]) -> dict[str, str]:
    """The text of every page by file name: one a check, and the index."""
    return {INDEX: check_index(checks), **{f"{check.code}.md": check_page(check) for check in checks}}


def check_index(checks: Sequence[CheckDescription]) -> str:
    """A table of the checks, each with a link to its page."""
    scoped = any(check.scope for check in checks)
    head = ["Code", "Check", *(["Looks at"] if scoped else []), "What it says"]
    rows = [
        [f"[{c.code}]({c.code}.md)", c.title, *([c.scope or "run"] if scoped else []), c.claim or c.title]
        for c in checks
    ]
    return "\n".join([_INTRODUCTION, *_table(head, rows), "", _WRITTEN])


def check_page(check: CheckDescription) -> str:
    """One check: its claim, its sections, its thresholds, and how to change or mute it."""
    lines = [f"# {check.code} {check.title}", ""]
    if check.claim:
        lines += [f"**{_linked(check.claim)}**", ""]
    if check.scope:
        lines += [f"Looks at: {check.scope}.", ""]
    if check.muted:
        lines += [f"Muted in these settings: {escape_markdown(check.muted)}", ""]
    for heading, text in check.sections():
        lines += [f"## {heading}", "", _linked(text), ""]
    if check.thresholds:
        lines += ["## Thresholds", "", *_thresholds(check), "", "## Change a threshold", "", *_change(check), ""]
    lines += ["## Mute it", "", *_yaml(mute_lines(check)), "", f"{muted_words()} The reason is shown in its place.", ""]
    lines.append(f"`mlops-copilot checks explain {check.code}` shows this page with the values in force.")
    return "\n".join(lines) + "\n"


def change_lines(check: CheckDescription) -> str:
    """The settings that hold each threshold, at its value in force."""
    own = [f"      {t.name}: {json.dumps(t.value, default=str)}" for t in check.thresholds]
    return "\n".join(["detection:", "  checks:", f"    {check.code}:", *own])


def alias_lines(check: CheckDescription) -> str:
    """The same for thresholds that have a name of their own in the settings; empty where none has."""
    named = [f"    {t.alias}: {json.dumps(t.value, default=str)}" for t in check.thresholds if t.alias]
    return "\n".join(["detection:", "  thresholds:", *named]) if named else ""


def mute_lines(check: CheckDescription) -> str:
    """The settings that mute the check."""
    return f'detection:\n  ignore:\n    {check.code}: "why it does not count here"'


def muted_words() -> str:
    return "A muted check is not run, and its finding has the state `ignored`."


def value_text(value: Any) -> str:
    """The value of a threshold as people read it."""
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, default=str)


def _thresholds(check: CheckDescription) -> Iterator[str]:
    """The values in force have a column where one of them is not the default."""
    changed = any(t.value != t.default for t in check.thresholds)
    head = ["Threshold", *(["In force"] if changed else []), "Default", "What it means", "Also set by"]

    def row(t: ThresholdDescription) -> list[str]:
        values = [value_text(t.value)] if changed else []
        alias = f"`detection.thresholds.{t.alias}`" if t.alias else ""
        return [f"`{t.name}`", *values, value_text(t.default), t.description, alias]

    return iter(_table(head, [row(t) for t in check.thresholds]))


def _change(check: CheckDescription) -> list[str]:
    lines = ["Any of these lines in the settings file (`mlops-copilot config init` writes one to start from):", ""]
    lines += _yaml(change_lines(check))
    if alias_lines(check):
        lines += ["", "or, by a name of its own, which the lines above win over:", "", *_yaml(alias_lines(check))]
    return lines


def _yaml(text: str) -> list[str]:
    return ["```yaml", *text.splitlines(), "```"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; a column in which no row has a word is left out."""
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[line[i].replace("|", r"\|") for i in kept] for line in (head, *rows)]
    first, *rest = (f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)
    return [first, "|" + "---|" * len(kept), *rest]


def _linked(text: str) -> str:
    """References such as ``arXiv:1611.03530`` as links."""
    return _PAPER.sub(lambda m: f"[{m[0]}]({paper_link(f'{m[1].lower()}:{m[2]}')})", text)
