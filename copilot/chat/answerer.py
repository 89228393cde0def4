"""The deterministic answerer: recognises what is asked and answers from one run's analysis."""

from __future__ import annotations

import re
from collections.abc import Callable

from copilot.chat.answers import Answer, Writer
from copilot.core.causes import CAUSE_WORDS
from copilot.core.findings import Analysis, Evidence
from copilot.errors import InputError
from copilot.reporting.words import percent_sure
from copilot.utils.validators import clean_text

MAX_QUESTION = 1000
# First match wins, so narrower questions come first.
_INTENTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("confidence", re.compile(r"(?i)how (?:sure|certain|confident)|confidence|reliab|trust")),
    (
        "remedy",
        re.compile(
            r"(?i)what (?:should|can|do|could|to do)|how (?:do|can|should|to)|\b(?:fix|remed|recommend|improve|advice|next|solve|prevent)"
        ),
    ),
    (
        "best",
        re.compile(r"(?i)checkpoint|best (?:epoch|model|score|val|accuracy|loss)|which epoch|\bkeep\b|early.?stop"),
    ),
    ("when", re.compile(r"(?i)\bwhen\b|since|onset|start(?:ed)?\b|begin|began|point in time")),
    ("cause", re.compile(r"(?i)\bwhy\b|\bcause|reason|explain")),
    (
        "gap",
        re.compile(
            r"(?i)\bgap\b|differ|accura|\bloss\b|score|final|metric|number|how (?:good|bad|large|big|much)|train(?:ing)? (?:and|vs|versus)"
        ),
    ),
    ("findings", re.compile(r"(?i)finding|evidence|check|detail|signs?\b|proof|show me")),
    ("warnings", re.compile(r"(?i)warning|repair|missing|data quality|nan\b")),
    (
        "verdict",
        re.compile(r"(?i)overfit|underfit|unstable|healthy|verdict|diagnos|wrong|problem|\bok\b|\bgood\b|summar|well"),
    ),
)
_SUGGESTIONS = {
    "verdict": "Is it overfitting?",
    "when": "When did it start to overfit?",
    "cause": "Why?",
    "best": "Which checkpoint should I keep?",
    "remedy": "What should I do?",
    "gap": "How large is the gap?",
    "confidence": "How sure are you?",
}


def answer(question: str, analysis: Analysis) -> Answer:
    """Answer a question about one run from its analysis alone.

    Parameters
    ----------
    question : str
        At most 1,000 characters.
    analysis : Analysis

    Raises
    ------
    InputError
        The question is empty.
    """
    asked = clean_text(question, MAX_QUESTION)
    if not asked:
        raise InputError("The question is empty.", "Ask for instance: when did it start to overfit?")
    intent = next((name for name, pattern in _INTENTS if pattern.search(asked)), "unknown")
    writer = Writer()
    _BUILDERS[intent](writer, analysis)
    return Answer(
        question=asked,
        intent=intent,
        text="\n\n".join(writer.sentences),
        citations=writer.citations(),
        suggestions=suggestions(analysis, intent),
        run_id=analysis.subject.run_id,
    )


def suggestions(analysis: Analysis, asked: str = "", limit: int = 4) -> tuple[str, ...]:
    """Questions worth asking about this run next."""
    skip = {asked} | ({"when"} if analysis.diagnosis.verdict != "overfitting" else set())
    return tuple(text for intent, text in _SUGGESTIONS.items() if intent not in skip)[:limit]


def _of(analysis: Analysis, code: str, name: str, quantity: str | None = None) -> Evidence | None:
    """Evidence called `name` that the finding `code` cites."""
    finding, known = analysis.finding(code), analysis.evidence_by_id()
    cited = [known[i] for i in finding.evidence] if finding else []
    return next((e for e in cited if e.name == name and quantity in (None, e.quantity)), None)


def _when(writer: Writer, analysis: Analysis) -> None:
    onset = next(
        (e for e in analysis.evidence if e.name == "onset" and e.value == analysis.diagnosis.onset_epoch), None
    )
    since = _of(analysis, "OVF101", "gap_since")
    if analysis.diagnosis.verdict == "overfitting" and onset:
        best, end = (_of(analysis, "OVF102", name, onset.quantity) for name in ("val_best", "val_end"))
        slots = {
            "onset": (onset, "value"),
            "best_epoch": (best, "epoch"),
            "val_best": (best, "value"),
            "val_end": (end, "value"),
        }
        writer.say("when", {"quantity": onset.quantity}, slots)
    elif analysis.diagnosis.verdict == "overfitting" and since:
        gap = _of(analysis, "OVF101", "gap_final", since.quantity)
        writer.say(
            "when_gap", {"quantity": since.quantity}, {"gap_since": (since, "value"), "gap_final": (gap, "value")}
        )
    elif analysis.diagnosis.verdict == "inconclusive":
        writer.say("missing", {"summary": analysis.diagnosis.summary})
    else:
        writer.say("when_never", {"verdict": analysis.diagnosis.verdict})
        _verdict(writer, analysis)


def _verdict(writer: Writer, analysis: Analysis) -> None:
    leading = {
        "overfitting": ("OVF102", "OVF101"),
        "underfitting": ("OVF103",),
        "unstable": ("OVF104",),
        "healthy": ("OVF102",),
    }
    writer.sentences.append(analysis.diagnosis.summary)
    known = analysis.evidence_by_id()
    for code in leading.get(analysis.diagnosis.verdict, ()):
        finding = analysis.finding(code)
        if finding and (finding.state == "issue" or analysis.diagnosis.verdict == "healthy"):
            writer.quote(finding.summary, [known[i] for i in finding.evidence[:7]])


def _best(writer: Writer, analysis: Analysis) -> None:
    epoch = analysis.diagnosis.best_epoch
    best = next((e for e in analysis.evidence if e.name == "val_best" and e.epoch == epoch), None)
    if best is None:
        writer.say("missing", {"summary": analysis.diagnosis.summary})
        return
    writer.say("best", {"quantity": best.quantity}, {"best_epoch": (best, "epoch"), "val_best": (best, "value")})


def _gap(writer: Writer, analysis: Analysis) -> None:
    gaps = [e for e in analysis.evidence if e.name == "gap_final"]
    if not gaps:
        writer.say("missing", {"summary": analysis.diagnosis.summary})
    for gap in gaps[:3]:
        train, val = (_of(analysis, "OVF101", name, gap.quantity) for name in ("train_final", "val_final"))
        slots = {"train_final": (train, "value"), "val_final": (val, "value"), "gap_final": (gap, "value")}
        writer.say("gap", {"quantity": gap.quantity}, slots)


def _cause(writer: Writer, analysis: Analysis) -> None:
    causes = analysis.diagnosis.causes
    if causes[0].cause == "none":
        writer.say("no_cause", {"verdict": analysis.diagnosis.verdict})
        return
    known = analysis.evidence_by_id()
    for i, cause in enumerate(causes[:3]):
        words = {"cause": CAUSE_WORDS[cause.cause], "probability": percent_sure(cause.probability)}
        writer.say("other_cause" if i else "cause", words)
        for code in cause.finding_codes if i == 0 else ():
            finding = analysis.finding(code)
            if finding:
                writer.quote(finding.summary, [known[e] for e in finding.evidence[:7]])


def _remedy(writer: Writer, analysis: Analysis) -> None:
    if not analysis.recommendations:
        writer.say("no_remedy", {"verdict": analysis.diagnosis.verdict})
    for item in analysis.recommendations[:3]:
        writer.say("remedy", {"action": item.action, "why": item.why, "effect": item.expected_effect})


def _confidence(writer: Writer, analysis: Analysis) -> None:
    words = {"verdict": analysis.diagnosis.verdict, "confidence": percent_sure(analysis.diagnosis.confidence)}
    writer.say("confidence", words)
    _verdict(writer, analysis)


def _findings(writer: Writer, analysis: Analysis) -> None:
    known = analysis.evidence_by_id()
    issues = [f for f in analysis.findings if f.state == "issue"] or list(analysis.findings)
    for finding in issues[:6]:
        writer.quote(f"{finding.code} {finding.title}: {finding.summary}", [known[i] for i in finding.evidence[:7]])


def _warnings(writer: Writer, analysis: Analysis) -> None:
    writer.sentences.extend(analysis.history.warnings[:8] or ("Nothing had to be repaired in the curves.",))


def _unknown(writer: Writer, analysis: Analysis) -> None:
    writer.say("unknown", {"verdict": analysis.diagnosis.verdict})


_BUILDERS: dict[str, Callable[[Writer, Analysis], None]] = {
    "when": _when,
    "verdict": _verdict,
    "best": _best,
    "gap": _gap,
    "cause": _cause,
    "remedy": _remedy,
    "confidence": _confidence,
    "findings": _findings,
    "warnings": _warnings,
    "unknown": _unknown,
}
