"""What a report shows of an analysis, in its order and in plain words: shared by HTML, PDF and Markdown.

Nothing is computed here; text is cleaned and capped, numbers get their units, anchors are made safe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copilot.core.findings import Analysis, Evidence, Finding, Picture, Recommendation
from copilot.reporting import words
from copilot.reporting.palette import SEVERITY_STYLES, STATE_STYLES, VERDICT_STYLES
from copilot.reporting.parts import (
    Advice,
    Card,
    CauseBar,
    Chip,
    EvidenceRow,
    FindingView,
    Link,
    PictureView,
    ReportView,
)
from copilot.utils.validators import clean_text, without_credentials

NAME_CHARS, HEADLINE_CHARS, LINE_CHARS, TEXT_CHARS = 120, 160, 240, 800
FULL_CHIPS = 6
MAX_EVIDENCE, MAX_WARNINGS, MAX_SETTINGS, MAX_PICTURES = 1000, 50, 80, 24
_STATE_ORDER = ("issue", "error", "passed", "not_applicable", "skipped", "ignored")
_SEVERITY_ORDER = ("high", "medium", "low", "none")
_ANCHOR = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def report_view(analysis: Analysis) -> ReportView:
    """Put an analysis into words for a report."""
    d, subject = analysis.diagnosis, analysis.subject
    anchors = _evidence_anchors(analysis.evidence)
    places = _finding_anchors(analysis.findings)
    known = analysis.evidence_by_id()
    findings = sorted(analysis.findings, key=_attention)
    views = [(f.state in ("issue", "error"), _finding(f, places, known, anchors)) for f in findings]
    headline, lead = _headline(analysis)
    notes = analysis.history.warnings
    return ReportView(
        title=subject_name(analysis),
        kind=words.kind_label(subject.kind),
        meta=tuple(_meta(analysis)),
        verdict=words.verdict_label(d.verdict),
        verdict_name=d.verdict,
        style=VERDICT_STYLES[d.verdict],
        sure=Link(words.percent_sure(d.confidence), _place(analysis, "verdict_confidence", anchors)),
        severity="" if d.severity == "none" else words.severity_label(d.severity),
        headline=headline,
        lead=lead,
        cards=tuple(_cards(analysis, anchors)),
        causes=tuple(
            _cause(c, places, _place(analysis, f"probability_of_{c.cause}", anchors))
            for c in d.causes
            if c.cause != "none"
        ),
        advice=tuple(_advice(r, places) for r in analysis.recommendations),
        issues=tuple(v for is_issue, v in views if is_issue),
        calm=tuple(v for is_issue, v in views if not is_issue),
        pictures=tuple(_picture(picture, places) for picture in analysis.pictures[:MAX_PICTURES]),
        pictures_left_out=max(0, len(analysis.pictures) - MAX_PICTURES),
        evidence=tuple(_evidence_rows(analysis, anchors, places)),
        evidence_left_out=max(0, len(analysis.evidence) - MAX_EVIDENCE),
        warnings=tuple(clean_text(w, LINE_CHARS) for w in notes[:MAX_WARNINGS]),
        warnings_left_out=max(0, len(notes) - MAX_WARNINGS),
        versions=tuple(
            (clean_text(k, 60), clean_text(v, 60)) for k, v in list(analysis.provenance.versions.items())[:MAX_SETTINGS]
        ),
        settings=tuple(_settings(analysis.provenance.settings))[:MAX_SETTINGS],
        duration=words.with_unit(analysis.provenance.duration_s, "s") if analysis.provenance.duration_s else "",
    )


def _picture(picture: Picture, places: Mapping[str, str]) -> PictureView:
    code = picture.finding_code
    return PictureView(
        title=clean_text(picture.title, LINE_CHARS),
        caption=clean_text(picture.caption, TEXT_CHARS),
        address=f"data:{picture.media_type};base64,{picture.data}",
        width=picture.width,
        height=picture.height,
        of=Link(code, places[code]) if code in places else None,
    )


def subject_name(analysis: Analysis) -> str:
    """What was analysed, for titles."""
    subject = analysis.subject
    return clean_text(subject.run_name or subject.model_uri or subject.run_id or "Unnamed run", NAME_CHARS)


def _meta(analysis: Analysis) -> Iterable[tuple[str, str]]:
    subject, epochs = analysis.subject, analysis.history.epochs
    for label, value in (("Experiment", subject.experiment), ("Run id", subject.run_id), ("Model", subject.model_uri)):
        if value:
            yield label, clean_text(without_credentials(value), NAME_CHARS)
    if epochs:
        yield "Epochs", f"{words.epoch_text(epochs[0])} to {words.epoch_text(epochs[-1])}"
    if subject.finished_at:
        yield "Finished", words.moment_text(subject.finished_at)
    yield "Analysed", words.moment_text(subject.analyzed_at)


def _headline(analysis: Analysis) -> tuple[str, str]:
    """The summary's first sentence, if it is as short as a headline is, and the rest."""
    d = analysis.diagnosis
    text = clean_text(d.summary, TEXT_CHARS)
    head, stop, rest = text.partition(". ")
    if len(head) > HEADLINE_CHARS:
        return f"{words.verdict_label(d.verdict)}.", text
    return (f"{head}.", rest) if stop else (text, words.verdict_sentence(d.verdict))


def _attention(finding: Finding) -> tuple[int, int]:
    return _STATE_ORDER.index(finding.state), _SEVERITY_ORDER.index(finding.severity)


def _cards(analysis: Analysis, anchors: Mapping[str, str]) -> Iterable[Card]:
    """The gap, the best epoch, the onset and what came after; a card without a number is left out."""
    d, evidence = analysis.diagnosis, analysis.evidence
    gap = _first(evidence, "gap_final", unit="fraction") or _first(evidence, "gap_final")
    best = _first(evidence, "best_checkpoint")
    onset = next((e for e in evidence if e.name == "onset" and e.value == d.onset_epoch), None)
    after = _first(evidence, "epochs_saved") or _first(evidence, "epochs_after_best")
    if d.best_epoch is not None:
        note = (
            f"validation {words.quantity_name(best.quantity)} {words.evidence_value(best)}"
            if best
            else "the checkpoint to keep"
        )
        yield _card("Best epoch", words.epoch_text(d.best_epoch), note, best, anchors)
    if d.onset_epoch is not None:
        yield _card("Onset", words.epoch_text(d.onset_epoch), "validation gets worse from here on", onset, anchors)
    if after:
        yield _card("After the best", words.evidence_value(after), _after_best(evidence), after, anchors)
    if gap:
        note = f"{words.quantity_name(gap.quantity)}, validation against training"
        yield _card("Gap at the end", words.evidence_value(gap), note, gap, anchors)


def _after_best(evidence: Sequence[Evidence]) -> str:
    """What the epochs after the best one took and brought, as far as it is known."""
    time, kept = _first(evidence, "time_saved"), _first(evidence, "kept_share")
    took = f"they took {words.evidence_value(time)}; " if time else ""
    if kept is None:
        return f"{took}validation was never as good again"
    best = f"the best validation {words.quantity_name(kept.quantity)}"
    return f"{took}{words.evidence_value(kept)} of {best} had been reached before"


def _card(label: str, value: str, note: str, evidence: Evidence | None, anchors: Mapping[str, str]) -> Card:
    return Card(label, value, note, anchors.get(evidence.id, "") if evidence else "")


def _first(evidence: Iterable[Evidence], name: str, unit: str | None = None) -> Evidence | None:
    return next((e for e in evidence if e.name == name and e.value is not None and unit in (None, e.unit)), None)


def _place(analysis: Analysis, name: str, anchors: Mapping[str, str]) -> str:
    """The anchor of the first evidence of that name, or an empty one."""
    found = _first(analysis.evidence, name)
    return anchors.get(found.id, "") if found else ""


def _cause(cause: Any, places: Mapping[str, str], target: str) -> CauseBar:
    return CauseBar(
        words.capital(words.cause_label(cause.cause)),
        cause.probability,
        Link(words.percent_sure(cause.probability), target),
        _codes(cause.finding_codes, places),
        _codes(cause.against, places),
    )


def _advice(item: Recommendation, places: Mapping[str, str]) -> Advice:
    papers = tuple(Link(words.paper_label(p), words.paper_link(p)) for p in item.papers)
    texts = (clean_text(t, TEXT_CHARS) for t in (item.action, item.why, item.expected_effect))
    return Advice(*texts, _codes(item.finding_codes, places), papers)


def _codes(codes: Iterable[str], places: Mapping[str, str]) -> tuple[Link, ...]:
    return tuple(Link(clean_text(code, 40), places.get(code, "")) for code in codes)


def _finding(
    finding: Finding, places: Mapping[str, str], known: Mapping[str, Evidence], anchors: Mapping[str, str]
) -> FindingView:
    is_issue = finding.state == "issue"
    return FindingView(
        code=clean_text(finding.code, 40),
        anchor=places[finding.code],
        title=clean_text(finding.title, NAME_CHARS),
        word=words.severity_label(finding.severity) if is_issue else words.state_label(finding.state),
        style=SEVERITY_STYLES[finding.severity] if is_issue else STATE_STYLES[finding.state],
        summary=clean_text(finding.summary, TEXT_CHARS),
        sure=words.percent_sure(finding.confidence) if is_issue and finding.confidence else "",
        chips=tuple(_chips([known[i] for i in finding.evidence if i in known], anchors, is_issue)),
    )


def _chips(cited: Sequence[Evidence], anchors: Mapping[str, str], in_full: bool) -> Iterable[Chip]:
    """The first pieces with their values, if asked for; the rest as rows of ids."""
    full = FULL_CHIPS if in_full else 0
    for e in cited[:full]:
        label = words.citation_label(e)
        yield Chip(clean_text(e.id, 20), anchors.get(e.id, ""), label, words.evidence_in_full(e))
    order = {i: n for n, i in enumerate(anchors)}
    rows: list[list[Evidence]] = []
    for e in cited[full:]:
        if rows and order.get(e.id, -1) == order.get(rows[-1][-1].id, -3) + 1:
            rows[-1].append(e)
        else:
            rows.append([e])
    for row in rows:
        ends = dict.fromkeys(clean_text(e.id, 20) for e in (row[0], row[-1]))
        yield Chip("–".join(ends), anchors.get(row[0].id, ""))


def _evidence_rows(analysis: Analysis, anchors: Mapping[str, str], places: Mapping[str, str]) -> Iterable[EvidenceRow]:
    citing: dict[str, list[str]] = {}
    for finding in analysis.findings:
        for i in finding.evidence:
            citing.setdefault(i, []).append(finding.code)
    free = dict(anchors)  # a place is given once, even if an id comes twice
    for e in analysis.evidence[:MAX_EVIDENCE]:
        yield EvidenceRow(
            id=clean_text(e.id, 20),
            anchor=free.pop(e.id, ""),
            label=words.capital(words.citation_label(e)),
            value=words.evidence_value(e),
            interval=words.evidence_interval(e),
            epoch="" if e.epoch is None else words.epoch_text(e.epoch),
            source=clean_text(without_credentials(e.source), LINE_CHARS),
            cited_by=_codes(citing.get(e.id, ()), places),
        )


def _evidence_anchors(evidence: Iterable[Evidence]) -> dict[str, str]:
    """The place of each evidence that is shown: its id (``E7``), or a counted name where that could break a page."""
    shown = list(evidence)[:MAX_EVIDENCE]
    return {e.id: e.id if _ANCHOR.fullmatch(e.id) else f"evidence-{n}" for n, e in enumerate(shown, 1)}


def _finding_anchors(findings: Iterable[Finding]) -> dict[str, str]:
    return {
        f.code: f"check-{f.code}" if _ANCHOR.fullmatch(f.code) else f"finding-{n}" for n, f in enumerate(findings, 1)
    }


def _settings(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as dotted names and values; empty ones are left out."""
    for name, value in settings.items():
        place = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _settings(value, f"{place}.")
        elif value not in (None, [], ""):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
            yield clean_text(place, NAME_CHARS), clean_text(without_credentials(shown), LINE_CHARS)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
