"""How the command line shows runs side by side, leaderboards and a model's versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from copilot.cli.tables import group_markdown, group_parts
from copilot.core.comparisons.base import listed
from copilot.core.findings import Analysis
from copilot.reporting import words
from copilot.reporting.markdown import escape_markdown
from copilot.reporting.palette import VERDICT_STYLES
from copilot.utils.names import told_apart
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.core.comparisons.document import (
        Comparison,
        Differences,
        Differing,
        Extremes,
        QuantityBeside,
        RunCurves,
        SideBySide,
        VersionRow,
    )
    from copilot.core.comparisons.leaderboard import LeaderboardRow

WIDE = 110  # columns of a terminal from which everything fits
MAX_QUANTITIES = 6
MAX_SAME = 12
_CELL = 34  # characters of a run's name
_WHOLE = ("Verdict", "Run id", "Version", "Judged")
_AXIS_TITLES = {"epoch": "epoch", "step": "step", "s": "after"}
_RUN_COLUMNS = ("Run", "Verdict", "Sure", "Onset", "Likely cause", "Run id")
Rows = list[tuple[str, ...]]


class _Fitting:
    """A table that leaves out columns where the terminal is narrow."""

    def __init__(self, columns: Sequence[str], rows: Rows, *, numbers: Sequence[str] = (), spare: Sequence[str] = ()):
        self.columns, self.rows, self.numbers, self.spare = columns, rows, numbers, spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left_out = self.spare if options.max_width < WIDE else ()
        kept = [i for i, name in enumerate(self.columns) if name not in left_out]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i in kept:
            name = self.columns[i]
            number = name in self.numbers
            table.add_column(
                name, justify="right" if number else "left", overflow="fold", no_wrap=number or name in _WHOLE
            )
        for row in self.rows:
            table.add_row(*(_cell(row[i]) for i in kept))
        yield table


def beside_view(analyses: Sequence[Analysis], found: Comparison) -> Group:
    """Runs side by side for a terminal: verdicts, what each reached, where they differ, what they say together."""
    beside = found.side_by_side
    parts: list[Any] = [_Fitting(_RUN_COLUMNS, _run_rows(analyses, beside.labels, found), spare=("Run id",))]
    for quantity in beside.quantities[:MAX_QUANTITIES]:
        columns, rows = _reached(quantity, beside)
        parts += [Text(_heading(quantity), style="bold"), _Fitting(columns, rows, numbers=columns[1:])]
    if rows := _differing(beside):
        parts += [Text("What differs", style="bold"), _Fitting(("What", "In which run"), rows)]
    parts += [Text(line, style="dim") for line in _notes(beside)]
    return Group(*parts, *group_parts(found))


def beside_markdown(analyses: Sequence[Analysis], found: Comparison) -> str:
    """Runs side by side for a pull request."""
    beside = found.side_by_side
    blocks = [_markdown(_RUN_COLUMNS, _run_rows(analyses, beside.labels, found))]
    for quantity in beside.quantities[:MAX_QUANTITIES]:
        blocks += [f"**{escape_markdown(_heading(quantity))}**", _markdown(*_reached(quantity, beside))]
    if rows := _differing(beside):
        blocks.append(_markdown(("What differs", "In which run"), rows))
    blocks += [escape_markdown(line, 900) for line in _notes(beside)]
    return "\n\n".join([*blocks, group_markdown(found)]).strip("\n")


def leaderboard_view(rows: Sequence[LeaderboardRow], found: Comparison, markdown: bool) -> Group | Text:
    """Runs in order with their ranks, and what they say together."""
    quantity = found.subject.quantity or ""
    ids = [row.run_id or "" for row in rows]
    labels = told_apart([clean_text(row.run_name or row.run_id or "", _CELL) for row in rows], ids)
    columns = (
        "Rank",
        "Run",
        f"Best {words.quantity_name(quantity)}".strip(),
        "Epoch",
        "Gap there",
        "Verdict",
        "Run id",
    )
    cells = [
        (
            "" if row.rank is None else str(row.rank),
            label,
            _value(row.best_value, quantity),
            "" if row.best_epoch is None else words.epoch_text(row.best_epoch),
            _gap(row.gap, quantity),
            _verdict(row.verdict),
            row.run_id or "",
        )
        for row, label in zip(rows, labels, strict=True)
    ]
    if markdown:
        return Text(f"{_markdown(columns, cells)}\n\n{group_markdown(found)}".strip("\n"), no_wrap=True)
    numbers = (columns[0], *columns[2:5])
    return Group(_Fitting(columns, cells, numbers=numbers, spare=("Run id",)), *group_parts(found))


def history_view(found: Comparison, markdown: bool) -> Group | Text:
    """The versions of a registered model, the oldest first, and a sentence where it got worse."""
    history, quantity = found.model_history, found.subject.quantity or ""
    columns = ("Version", "Run", "Verdict", "Best", "Epoch", "Gap", "Change", "To best", "Judged")
    rows = [_version(row, quantity, history.best) for row in history.versions]
    said = [f"Version {row.version}: {row.reason}" for row in history.versions if row.reason]
    said += [row.sentence for row in history.versions if row.sentence]
    if markdown:
        lines = [escape_markdown(history.summary, 600), "", _markdown(columns, rows), ""]
        return Text("\n".join([*lines, *(f"- {escape_markdown(s, 600)}" for s in said)]).strip("\n"), no_wrap=True)
    table = _Fitting(columns, rows, numbers=columns[3:8], spare=("Run", "Epoch", "To best"))
    return Group(Text(history.summary, style="bold"), table, *map(Text, said))


def _version(row: VersionRow, quantity: str, best: str | None) -> tuple[str, ...]:
    named = [f"{row.version}{' best' if row.version == best else ''}", *([row.stage] if row.stage else [])]
    return (
        " ".join([*named, *(f"@{alias}" for alias in row.aliases)]),
        clean_text(row.run_name or "", _CELL),
        _verdict(row.verdict),
        _value(row.best_value, quantity),
        "" if row.best_epoch is None else words.epoch_text(row.best_epoch),
        _gap(row.gap, quantity),
        _change(row.change, quantity),
        "" if row.version == best else _change(row.change_to_best, quantity),
        {True: "▲ worse", False: "● no worse", None: ""}[row.worse],
    )


def _run_rows(analyses: Sequence[Analysis], labels: Sequence[str], found: Comparison) -> Rows:
    rows = []
    for analysis, label in zip(analyses, labels, strict=True):
        d, run_id = analysis.diagnosis, analysis.subject.run_id or ""
        cause = "" if d.causes[0].cause == "none" else words.cause_label(d.causes[0].cause)
        onset = "" if d.onset_epoch is None else words.epoch_text(d.onset_epoch)
        name = f"{label} (baseline)" if run_id == found.subject.baseline else label
        rows.append((name, _verdict(d.verdict), words.percent_sure(d.confidence), onset, cause, run_id))
    return rows


def _heading(quantity: QuantityBeside) -> str:
    better = "higher" if quantity.higher_is_better else "lower"
    return f"{words.capital(words.quantity_name(quantity.quantity))}, {better} is better"


def _reached(quantity: QuantityBeside, beside: SideBySide) -> tuple[tuple[str, ...], Rows]:
    """What each run reached on validation and training; the best is marked by a word."""
    name, at = quantity.quantity, _AXIS_TITLES[beside.unit]
    columns = (
        "Run",
        "Best val",
        f"At {at}" if at != "after" else "After",
        "Last val",
        "Last train",
        "Gap best",
        "Gap end",
    )
    sign = -1.0 if quantity.higher_is_better else 1.0
    costs = [sign * r.val_values.best for r in quantity.runs if r.val_values]
    rows = [
        (
            run.label,
            _best(run, name, sign, min(costs, default=None) if len(costs) > 1 else None),
            "" if run.best_at is None else words.axis_place(run.best_at, beside.unit),
            _last(run.val_values, name),
            _last(run.train_values, name),
            _gap(run.gap_at_best, name),
            _gap(run.gap_at_end, name),
        )
        for run in quantity.runs
        if run.val_values or run.train_values
    ]
    return columns, rows


def _best(run: RunCurves, quantity: str, sign: float, lowest: float | None) -> str:
    if run.val_values is None:
        return ""
    mark = "★ " if lowest is not None and sign * run.val_values.best == lowest else ""
    return mark + words.value_text(run.val_values.best, quantity)


def _last(found: Extremes | None, quantity: str) -> str:
    return _value(found.last if found else None, quantity)


def _differing(beside: SideBySide) -> Rows:
    """A row a setting that differs: each value with the runs that have it; settings before names of the run."""
    kinds = (("", beside.params), ("data: ", beside.datasets), ("tag: ", beside.tags))
    rows = [
        (f"{kind}{d.name}", d.values, d.identifies)
        for kind, found in kinds
        for d in found.differ
        if not _only_missing(d)
    ]
    rows.sort(key=lambda row: row[2])
    return [(clean_text(name, 60), _by_value(values, beside.labels)) for name, values, _ in rows]


def _by_value(values: Sequence[str | None], labels: Sequence[str]) -> str:
    runs: dict[str | None, list[str]] = {}
    for value, label in zip(values, labels, strict=True):
        runs.setdefault(value, []).append(label)
    order = sorted(runs, key=lambda v: v is None)
    return "; ".join(
        f"{'not logged' if v is None else _short_hash(clean_text(v, 60))} ({', '.join(runs[v])})" for v in order
    )


def _short_hash(text: str) -> str:
    """Commits and digests by the eight characters that people tell them by."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{12,}", r"\1", text)


def _only_missing(setting: Differing) -> bool:
    """Whether all runs that have a setting have it alike."""
    return len(set(setting.values) - {None}) < 2


def _partly_logged(beside: SideBySide) -> list[str]:
    """A line for each set of runs that lack parameters which the others share."""
    lacking: dict[str, list[str]] = {}
    for setting in filter(_only_missing, beside.params.differ):
        without = [name for name, v in zip(beside.labels, setting.values, strict=True) if v is None]
        value = next((v for v in setting.values if v is not None), "")
        lacking.setdefault(listed(without, 6), []).append(f"{setting.name} {clean_text(value, 40)}")
    return [f"Not logged by {who}: {listed(what, MAX_SAME)}." for who, what in lacking.items()]


def _same(found: Differences) -> list[str]:
    shown = [f"{name} {clean_text(value, 40)}" for name, value in found.same.items()]
    return [f"The same in all: {listed(shown, MAX_SAME)}."] if shown else []


def _notes(beside: SideBySide) -> list[str]:
    notes = [*_partly_logged(beside), *_same(beside.params)]
    notes += [f"{label} is not on this axis: {reason}" for label, reason in beside.off_axis.items()]
    more = len(beside.quantities) - MAX_QUANTITIES
    return [*notes, *([f"{more} more quantities: --format json has them."] if more > 0 else [])]


def _verdict(verdict: str | None) -> str:
    return f"{VERDICT_STYLES[verdict].glyph} {words.verdict_label(verdict)}" if verdict else ""


def _value(value: float | None, quantity: str) -> str:
    return "" if value is None else words.value_text(value, quantity)


def _gap(gap: float | None, quantity: str) -> str:
    return "" if gap is None else _short(words.difference_text(gap, quantity))


def _change(change: float | None, quantity: str) -> str:
    return "" if change is None else _short(words.change_text(change, quantity))


def _short(text: str) -> str:
    return text.replace(" points", " pts")


def _cell(text: str) -> Text:
    """A cell; what begins with a verdict's glyph has its colour."""
    style = next((v.rich for v in VERDICT_STYLES.values() if text.startswith(f"{v.glyph} ")), "")
    return Text(text, style)


def _markdown(columns: Sequence[str], rows: Rows) -> str:
    lines = [f"| {' | '.join(map(escape_markdown, columns))} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(escape_markdown(c, 600) for c in row)} |" for row in rows)])
