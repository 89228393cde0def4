"""The deterministic answerer: recognises what is asked and answers from one run's analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from copilot.chat.answers import Answer, Writer
from copilot.chat.intents import intent_of
from copilot.core.causes import CAUSE_WORDS
from copilot.core.counterfactual import sentence
from copilot.core.findings import Analysis, Evidence, Finding
from copilot.errors import InputError
from copilot.utils.validators import clean_text

MAX_QUESTION = 1000
MAX_CITED = 8  # pieces of evidence behind one finding's sentence
_SUGGESTIONS = {
    "verdict": "Is it overfitting?",
    "when": "When did it start to overfit?",
    "cause": "Why?",
    "best": "Which checkpoint should I keep?",
    "remedy": "What should I do?",
    "gap": "How large is the gap?",
    "confidence": "How sure are you?",
}
_LEADING = {
    "overfitting": ("OVF102", "OVF101"),
    "underfitting": ("OVF103",),
    "unstable": ("OVF104",),
    "healthy": ("OVF102",),
}


def answer(question: str, analysis: Analysis) -> Answer:
    """Answer a question about one run from its analysis alone.

    Parameters
    ----------
    question : str
        At most 1,000 characters are read.
    analysis : Analysis

    Raises
    ------
    InputError
        The question is empty.
    """
    asked = clean_text(question, MAX_QUESTION)
    if not asked:
        raise InputError("The question is empty.", "Ask for instance: when did it start to overfit?")
    intent = intent_of(asked)
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


def _cited(analysis: Analysis, code: str) -> list[Evidence]:
    """Evidence that the finding `code` cites."""
    finding, known = analysis.finding(code), analysis.evidence_by_id()
    return [known[i] for i in finding.evidence if i in known] if finding else []


def _of(analysis: Analysis, code: str, name: str, quantity: str | None = None) -> Evidence | None:
    return next((e for e in _cited(analysis, code) if e.name == name and quantity in (None, e.quantity)), None)


def _own(analysis: Analysis, name: str) -> Evidence | None:
    """A number of the diagnosis itself."""
    return next((e for e in analysis.evidence if e.name == name), None)


def _behind(analysis: Analysis, finding: Finding) -> list[Evidence]:
    """The evidence that a finding's sentence speaks of: that of its leading quantity, which comes first."""
    cited = _cited(analysis, finding.code)
    return [e for e in cited if e.quantity == cited[0].quantity][:MAX_CITED]


def _when(writer: Writer, analysis: Analysis) -> None:
    verdict, onset_epoch = analysis.diagnosis.verdict, analysis.diagnosis.onset_epoch
    onsets = [e for e in _cited(analysis, "OVF102") if e.name == "onset"]
    onset = next((e for e in onsets if e.value == onset_epoch), None)
    since = _of(analysis, "OVF101", "gap_since")
    if verdict == "overfitting" and onset:
        best, end = (_of(analysis, "OVF102", name, onset.quantity) for name in ("val_best", "val_end"))
        slots = {
            "onset": (onset, "value"),
            "best_epoch": (best, "epoch"),
            "val_best": (best, "value"),
            "val_end": (end, "value"),
        }
        writer.say("when", {"quantity": onset.quantity or ""}, slots)
    elif verdict == "overfitting" and since:
        gap = _of(analysis, "OVF101", "gap_final", since.quantity)
        slots = {"gap_since": (since, "value"), "gap_final": (gap, "value")}
        writer.say("when_gap", {"quantity": since.quantity or ""}, slots)
    else:
        if verdict not in ("overfitting", "inconclusive"):
            writer.say("when_never", {"verdict": verdict})
        _verdict(writer, analysis)


def _verdict(writer: Writer, analysis: Analysis) -> None:
    """The summary with the evidence of every number in it, then the finding that it rests on."""
    summary, verdict = analysis.diagnosis.summary, analysis.diagnosis.verdict
    told = [f for f in analysis.findings if f.summary and f.summary in summary]
    behind = [e for f in told for e in _behind(analysis, f)]
    if verdict == "overfitting":
        name = ("OVF102", "onset") if analysis.diagnosis.onset_epoch is not None else ("OVF101", "gap_since")
        behind += [_of(analysis, *name), *_stopped(analysis)]
    if "Keep the checkpoint" in summary:
        behind.append(_own(analysis, "best_checkpoint"))
    if verdict == "inconclusive":
        behind.append(_own(analysis, "validation_epochs"))
    writer.quote(summary, [e for e in behind if e is not None])
    for code in _LEADING.get(verdict, ()):
        finding = analysis.finding(code)
        if finding and finding not in told and (finding.state == "issue" or verdict == "healthy"):
            writer.quote(finding.summary, _behind(analysis, finding))


def _best(writer: Writer, analysis: Analysis) -> None:
    best = _own(analysis, "best_checkpoint")
    if best is None:
        _missing(writer, analysis)
        return
    writer.say("best", {"quantity": best.quantity or ""}, {"best_epoch": (best, "epoch"), "val_best": (best, "value")})
    if analysis.diagnosis.counterfactual is not None:
        writer.quote(sentence(analysis.diagnosis.counterfactual), [e for e in _stopped(analysis) if e is not None])


def _stopped(analysis: Analysis) -> list[Evidence | None]:
    """What stopping at the best epoch would have saved and kept."""
    return [_own(analysis, name) for name in ("epochs_saved", "time_saved", "kept_share")]


def _gap(writer: Writer, analysis: Analysis) -> None:
    gaps = [e for e in _cited(analysis, "OVF101") if e.name == "gap_final"]
    if not gaps:
        _missing(writer, analysis)
    for gap in gaps[:3]:
        train, val = (_of(analysis, "OVF101", name, gap.quantity) for name in ("train_final", "val_final"))
        slots = {"train_final": (train, "value"), "val_final": (val, "value"), "gap_final": (gap, "value")}
        writer.say("gap", {"quantity": gap.quantity or ""}, slots)


def _missing(writer: Writer, analysis: Analysis) -> None:
    writer.say("missing")
    _verdict(writer, analysis)


def _cause(writer: Writer, analysis: Analysis) -> None:
    causes = analysis.diagnosis.causes
    if causes[0].cause == "none":
        if analysis.diagnosis.verdict != "inconclusive":
            writer.say("no_cause", {"verdict": analysis.diagnosis.verdict})
        _verdict(writer, analysis)
        return
    for i, cause in enumerate(causes[:3]):
        slots = {"probability": (_own(analysis, f"probability_of_{cause.cause}"), "value")}
        writer.say("other_cause" if i else "cause", {"cause": CAUSE_WORDS[cause.cause]}, slots)
        for finding in map(analysis.finding, cause.finding_codes if i == 0 else ()):
            if finding:
                writer.quote(finding.summary, _behind(analysis, finding))


def _remedy(writer: Writer, analysis: Analysis) -> None:
    if not analysis.recommendations:
        writer.say("no_remedy", {"verdict": analysis.diagnosis.verdict})
    for item in analysis.recommendations[:3]:
        writer.say("remedy", {"action": item.action, "why": item.why, "effect": item.expected_effect})


def _confidence(writer: Writer, analysis: Analysis) -> None:
    slots = {"confidence": (_own(analysis, "verdict_confidence"), "value")}
    writer.say("confidence", {"verdict": analysis.diagnosis.verdict}, slots)
    _verdict(writer, analysis)


def _findings(writer: Writer, analysis: Analysis) -> None:
    for finding in _told_first(analysis.findings):
        writer.quote(f"{finding.code} {finding.title}: {finding.summary}", _behind(analysis, finding))


def _told_first(findings: Iterable[Finding]) -> list[Finding]:
    """The issues; where there are none, every finding."""
    known = list(findings)
    return ([f for f in known if f.state == "issue"] or known)[:6]


def _warnings(writer: Writer, analysis: Analysis) -> None:
    for line in analysis.history.warnings[:8] or ("Nothing had to be repaired in the curves.",):
        writer.quote(line)


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
