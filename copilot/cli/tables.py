"""How the command line shows documents: Rich tables for people, Markdown for pull requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from copilot.core.findings import Analysis, Finding, Recommendation
from copilot.reporting import words
from copilot.reporting.check_page import alias_lines, change_lines, mute_lines, muted_words, value_text
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.palette import SEVERITY_STYLES, STATE_STYLES, VERDICT_STYLES
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.core.checks.describe import CheckDescription
    from copilot.core.comparisons.document import Comparison
    from copilot.core.papers import ResearchResult
    from copilot.health import HealthItem
    from copilot.results import AnalysisResult

_ATTENTION = ("unstable", "overfitting", "underfitting", "inconclusive", "healthy")
_TEXT_WIDTH = 100
_RUN_COLUMNS = ("Verdict", "Run", "Sure", "Onset", "Best epoch", "Likely cause", "Run id")


def as_json(documents: Iterable[Any]) -> str:
    """A list of documents as JSON."""
    return json.dumps([d.model_dump(mode="json") for d in documents], indent=2)


def analysis_table(analysis: Analysis) -> Group:
    """One run: the verdict in words, then why, what to do, and the findings."""
    d, style = analysis.diagnosis, VERDICT_STYLES[analysis.diagnosis.verdict]
    head = Text.assemble(
        (f"{style.glyph} {words.verdict_label(d.verdict)}", f"bold {style.rich}"),
        f"  {words.percent_sure(d.confidence)} sure  ",
        (clean_text(analysis.subject.run_name or "history"), "bold"),
    )
    parts: list[Any] = [head, Text(clean_text(d.summary, 700)), Text("")]
    causes = [c for c in d.causes if c.cause != "none"]
    if causes:
        why = "; ".join(f"{words.cause_label(c.cause)} {words.percent_sure(c.probability)}" for c in causes)
        parts += [Text.assemble(("Why   ", "bold"), why)]
    parts += _to_do(analysis.recommendations)
    parts += [Text(""), findings_table(analysis.findings)]
    parts += [Text(f"Repaired: {clean_text(w)}", style="dim") for w in analysis.history.warnings]
    return Group(*parts)


def findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Check", "State", "What was found", "Evidence"):
        table.add_column(name, overflow="fold")
    for f in findings:
        style = SEVERITY_STYLES[f.severity] if f.state == "issue" else STATE_STYLES[f.state]
        cited = f"{f.evidence[0]}-{f.evidence[-1]}" if len(f.evidence) > 1 else "".join(f.evidence)
        table.add_row(
            Text(f"{f.code} {clean_text(f.title, 60)}".strip()),
            Text(f"{style.glyph} {_state(f)}", style.rich),
            Text(clean_text(f.summary, 500)),
            cited,
        )
    return table


def _to_do(recommendations: Sequence[Recommendation]) -> list[Text]:
    return [
        Text.assemble(("Do    " if i == 0 else "      ", "bold"), f"{item.action}{_papers(item)}")
        for i, item in enumerate(recommendations)
    ]


def _papers(item: Recommendation) -> str:
    return f" ({', '.join(item.papers)})" if item.papers else ""


def group_table(runs: Table, together: Comparison) -> Group:
    """Many runs and what they say together."""
    return Group(runs, *group_parts(together))


def group_parts(together: Comparison) -> list[Any]:
    """What runs say together; checks with nothing to say share one dim line."""
    told, silent = _told(together)
    parts: list[Any] = []
    if told:
        parts += [Text("Together", style="bold"), findings_table(told), *_to_do(together.recommendations)]
    if silent:
        parts.append(Text(f"Not judged: {silent}", style="dim"))
    return parts


def groups_table(groups: Sequence[tuple[str, Sequence[AnalysisResult], Comparison | None]]) -> Group:
    """Runs and what they say together, for one or several places; the title of a place comes first, if it has one."""
    parts: list[Any] = []
    for title, results, together in groups:
        runs = runs_table(results)
        parts += [Text(clean_text(title), style="bold")] if title else []
        parts.append(group_table(runs, together) if together else runs)
    return Group(*parts)


def groups_markdown(groups: Sequence[tuple[str, Sequence[AnalysisResult], Comparison | None]]) -> str:
    """As `groups_table`, for a pull request."""
    parts: list[str] = []
    for title, results, together in groups:
        parts += [f"### {escape_markdown(title, 200)}"] if title else []
        parts.append(markdown_rows(results))
        parts += [group_markdown(together)] if together else []
    return "\n\n".join(parts)


def group_markdown(together: Comparison) -> str:
    """What runs say together, for a pull request."""
    told, silent = _told(together)
    rows = ((f"{f.code} {f.title}", _state(f), f.summary) for f in told)
    lines = [f"- {escape_markdown(f'{item.action}{_papers(item)}', 600)}" for item in together.recommendations]
    if told:
        cells = (f"| {' | '.join(escape_markdown(c, 600) for c in row)} |" for row in rows)
        lines = ["| Together | State | What was found |", "|---|---|---|", *cells, *(["", *lines] if lines else [])]
    if silent:
        lines += ["", f"Not judged: {escape_markdown(silent, 600)}"]
    return "\n".join(lines).strip("\n")


def _told(together: Comparison) -> tuple[list[Finding], str]:
    """Findings worth a line, and one line for those that had nothing to judge or are muted."""
    silent = ("not_applicable", "ignored", "skipped")
    told = [f for f in together.findings if f.state not in silent]
    rest = [f"{f.code} {f.title}" for f in together.findings if f.state in silent]
    return told, ", ".join(rest) + " (--format json says why)." if rest else ""


def _state(finding: Finding) -> str:
    return f"{finding.severity} severity" if finding.state == "issue" else words.state_label(finding.state).lower()


def runs_table(results: Sequence[AnalysisResult]) -> Table:
    """Many runs, those that need attention first."""
    table = Table(*_RUN_COLUMNS, box=box.SIMPLE_HEAD, pad_edge=False)
    for a in by_attention(results):
        style = VERDICT_STYLES[a.diagnosis.verdict]
        verdict, *rest = _run_cells(a)
        table.add_row(Text(f"{style.glyph} {verdict}", style.rich), *map(Text, rest))
    return table


def markdown_rows(results: Sequence[AnalysisResult]) -> str:
    """Many runs as a Markdown table."""
    lines = [f"| {' | '.join(_RUN_COLUMNS)} |", "|" + "---|" * len(_RUN_COLUMNS)]
    return "\n".join(
        [*lines, *(f"| {' | '.join(map(escape_markdown, _run_cells(a)))} |" for a in by_attention(results))]
    )


def by_attention(results: Sequence[AnalysisResult]) -> list[AnalysisResult]:
    return sorted(results, key=lambda a: (_ATTENTION.index(a.diagnosis.verdict), -a.diagnosis.confidence))


def _run_cells(a: AnalysisResult) -> tuple[str, ...]:
    d = a.diagnosis
    cause = "" if d.causes[0].cause == "none" else words.cause_label(d.causes[0].cause)
    epochs = ["" if e is None else words.number(e) for e in (d.onset_epoch, d.best_epoch)]
    name = clean_text(a.subject.run_name or "", 40)
    return (
        words.verdict_label(d.verdict),
        name,
        words.percent_sure(d.confidence),
        *epochs,
        cause,
        a.subject.run_id or "",
    )


def simple_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], markdown: bool) -> Table | Text:
    cells = [["" if c is None else clean_text(c, 200) for c in row] for row in rows]
    if markdown:
        lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        return Text(
            "\n".join([*lines, *(f"| {' | '.join(map(escape_markdown, row))} |" for row in cells)]), no_wrap=True
        )
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def papers_table(found: ResearchResult, markdown: bool = False) -> Group | Text:
    """What was asked, how each source answered, and the papers with their references."""
    from copilot.core.papers import reference

    sources = [f"{s.name}: {s.message or f'{s.n_papers} paper' + 's' * (s.n_papers != 1)}" for s in found.sources]
    entries = [f"{i}. {reference(p)}" for i, p in enumerate(found.papers, 1)]
    lines = [found.summary, *sources, "", *entries]
    if markdown:
        return Text("\n".join(escape_markdown(x, 600) for x in lines), no_wrap=True)
    return Group(*(Text(clean_text(x, 600), style="bold" if i == 0 else "") for i, x in enumerate(lines)))


def health_table(items: Sequence[HealthItem]) -> Table:
    """Each thing with its state and what to do."""
    styles = {"ok": ("● works", "green"), "off": ("○ not set up", "bright_black"), "failed": ("▲ failed", "red")}
    table = Table("What", "State", "Detail", "What to do", box=box.SIMPLE_HEAD, pad_edge=False)
    for item in items:
        said = (Text(clean_text(text, 300)) for text in (item.detail, item.hint))
        table.add_row(Text(item.name), Text(*styles[item.state]), *said)
    return table


def checks_table(checks: Sequence[CheckDescription], markdown: bool = False) -> Table | Text:
    rows = ((c.code, c.title, c.claim, c.muted and f"muted: {c.muted}") for c in checks)
    return simple_table(("Code", "Check", "What it says", "Muted"), rows, markdown)


def check_view(check: CheckDescription) -> Group:
    """One check for a terminal: its claim, its sections, its thresholds, and how to change or mute it."""
    parts: list[Any] = [Text.assemble((check.code, "bold cyan"), "  ", (clean_text(check.title, 100), "bold"))]
    if check.claim:
        parts.append(Text(check.claim))
    if check.scope:
        parts.append(Text(f"Looks at: {clean_text(check.scope, 60)}", style="dim"))
    if check.muted:
        parts.append(Text(f"Muted in these settings: {clean_text(check.muted)}", style="yellow"))
    for heading, text in check.sections():
        parts += _part(heading, Text(text))
    if check.thresholds:
        parts += _part("Thresholds", _thresholds(check))
        parts += _part("Change a threshold: any of these lines in the settings file", Text(change_lines(check)))
        if alias_lines(check):
            parts += _part("or, by a name of its own, which the lines above win over", Text(alias_lines(check)))
    parts += _part("Mute it", Text(mute_lines(check)))
    return Group(*parts, Text(""), Text(muted_words().replace("`", ""), style="dim"))


def _part(heading: str, body: Text | Table) -> list[Any]:
    return [Text(""), Text(heading, style="bold"), Constrain(Padding(body, (0, 0, 0, 2)), _TEXT_WIDTH)]


def _thresholds(check: CheckDescription) -> Table:
    """Each threshold; a value that is not the default is marked."""
    table = Table("Name", "In force", "Default", "What it means", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for t in check.thresholds:
        style = "" if t.value == t.default else "bold yellow"
        alias = Text(f"\nalso detection.thresholds.{t.alias}" if t.alias else "", style="dim")
        meaning = Text(t.description).append_text(alias)
        table.add_row(Text(t.name), Text(value_text(t.value), style), Text(value_text(t.default)), meaning)
    return table
