"""What the commands about data show: tables for people, Markdown for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from copilot.cli.tables import findings_table, simple_table
from copilot.core.findings import Finding, Outcome, number_evidence
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.words import citation_label, evidence_in_full
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.core.data.description import Description
    from copilot.core.datasets import DataComparison, DataVersion
    from copilot.core.lineage import Lineage
    from copilot.core.pipelines import Pipeline, ValueTable

MAX_CLASSES, MAX_CORRUPT = 40, 20


def versions_table(versions: Sequence[DataVersion], markdown: bool = False) -> Table | Text:
    rows = ((v.revision, v.date[:10], v.n_files, _size(v.size_bytes), v.message) for v in versions)
    return simple_table(("Revision", "Date", "Files", "Size", "Message"), rows, markdown)


def comparison_table(found: DataComparison, markdown: bool = False) -> Group | Text:
    """The summary, then counts by class."""
    rows = ((c.split or "", c.label, c.a, c.b, f"{c.b - c.a:+d}") for c in found.class_counts)
    counts = simple_table(("Split", "Class", found.rev_a, found.rev_b, "Change"), rows, markdown)
    notes = [Text(clean_text(o.summary, 400)) for o in found.outcomes]
    if markdown:
        return Text(
            "\n\n".join([escape_markdown(found.summary, 400), *(n.plain for n in notes), counts.plain]), no_wrap=True
        )
    return Group(Text(clean_text(found.summary, 400), style="bold"), *notes, counts)


def outcomes_view(summary: str, outcomes: Sequence[Outcome], markdown: bool = False) -> Group | Text:
    """What checks of data found: the answer in words, then each check."""
    if markdown:
        lines = [
            f"- **{o.code} {escape_markdown(o.title)}**, {o.state}: {escape_markdown(o.summary, 600)}" for o in outcomes
        ]
        return Text("\n\n".join([escape_markdown(summary, 600), "\n".join(lines)]), no_wrap=True)
    findings: tuple[Finding, ...] = number_evidence(list(outcomes))[0]
    numbers = [Text(f"{o.code}  {_numbers(o)}", style="dim") for o in outcomes if o.state == "issue" and o.evidence]
    return Group(Text(clean_text(summary, 600), style="bold"), findings_table(findings), *numbers)


def description_view(found: Description, markdown: bool = False) -> Group | Text:
    """A set of images: the answer in words, classes, properties, and what could not be read."""
    classes = ((t.name, t.count, f"{t.share * 100:.1f} %") for t in found.classes[:MAX_CLASSES])
    rows = ((p.label, p.unit, *map(_short, (p.least, p.q05, p.median, p.q95, p.most))) for p in found.properties)
    parts = [
        simple_table(("Class", "Images", "Share"), classes, markdown),
        simple_table(("Property", "Unit", "Least", "5 %", "Median", "95 %", "Most"), rows, markdown),
    ]
    odd = ((c.name, c.reason) for c in found.corrupt[:MAX_CORRUPT])
    parts += [simple_table(("Cannot be read", "Why"), odd, markdown)] if found.corrupt else []
    if markdown:
        return Text("\n\n".join([escape_markdown(found.summary, 600), *(p.plain for p in parts)]), no_wrap=True)
    return Group(Text(clean_text(found.summary, 600), style="bold"), *parts, *map(Text, found.notes))


def lineage_view(found: Lineage, markdown: bool = False) -> Group | Text:
    """Where a run's data came from, link by link, and what is missing."""
    names = {node.id: node for node in found.nodes}
    rows = (
        (f"{names[link.source].kind} {names[link.source].label}", link.label, names[link.target].label, link.certainty)
        for link in found.links
    )
    table = simple_table(("From", "How", "To", "Certainty"), rows, markdown)
    missing = [f"Missing: {gap.what} {gap.hint}" for gap in found.missing]
    if markdown:
        gaps = [f"- {escape_markdown(line, 600)}" for line in missing]
        return Text("\n\n".join([escape_markdown(found.summary, 600), table.plain, "\n".join(gaps)]), no_wrap=True)
    return Group(
        Text(clean_text(found.summary, 600), style="bold"), table, *(Text(clean_text(x, 600)) for x in missing)
    )


def pipeline_table(found: Pipeline, markdown: bool = False) -> Group | Text:
    """The stages of a revision, and what they need of each other."""
    needs: dict[str, list[str]] = {}
    for edge in found.edges:
        needs.setdefault(edge.target, []).append(edge.source)
    rows = (
        (s.name, s.kind, clean_text(s.command or s.source or "", 80), ", ".join(needs.get(s.name, ())))
        for s in found.stages
    )
    return _noted(simple_table(("Stage", "Kind", "Command", "Needs"), rows, markdown), found.notes, markdown)


def values_table(found: ValueTable, markdown: bool = False) -> Group | Text:
    """Parameters or metrics by revision; what changed is marked."""
    rows = (
        ("*" if row.changed else "", row.name, *("" if v is None else clean_text(v, 40) for v in row.values))
        for row in found.rows
    )
    return _noted(simple_table(("", "Name", *found.revisions), rows, markdown), found.notes, markdown)


def _noted(table: Text, notes: Iterable[str], markdown: bool) -> Group | Text:
    if markdown:
        return Text("\n\n".join([table.plain, *(escape_markdown(note, 400) for note in notes)]), no_wrap=True)
    return Group(table, *(Text(clean_text(note, 400), style="dim") for note in notes))


def _numbers(outcome: Outcome) -> str:
    return "; ".join(f"{citation_label(e)} {evidence_in_full(e)}" for e in outcome.evidence[:6])


def _short(value: float) -> str:
    return f"{value:.4g}"


def _size(size: int | None) -> str:
    if size is None:
        return ""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
