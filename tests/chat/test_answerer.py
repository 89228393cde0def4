"""Answers from the analysis: what is understood, and that every number of an answer stands in evidence it cites."""

from __future__ import annotations

import re

import numpy as np
import pytest

from copilot.chat.answerer import MAX_QUESTION, answer, suggestions
from copilot.chat.answers import Answer
from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.findings import Analysis
from copilot.core.history import RunHistory
from copilot.errors import InputError
from tests.core.curves import overfitting, with_accuracy
from tests.test_contract import RUNS, _random_history

ASKED = {
    "verdict": "Is it overfitting?",
    "when": "When did it start to overfit?",
    "cause": "Why?",
    "best": "Which checkpoint should I keep?",
    "remedy": "What should I do?",
    "gap": "How large is the gap?",
    "confidence": "How sure are you?",
    "findings": "Show me the evidence.",
    "warnings": "Any warnings?",
    "unknown": "What is the weather in Paris?",
}
# Limits that sentences name: of the gap, of the plateau, of the shortest runs that checks take.
LIMITS = {10.0, 25.0, 95.0, 3.0, 5.0, 6.0}
MARK = re.compile(r"\[(E\d+)\]")
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")


def analysed(history: RunHistory) -> Analysis:
    return analyse([history], [{"kind": "history", "run_name": history.name}], load_checks())[0]


def _shown(number: str, values: list[float]) -> bool:
    """Whether a printed number is one of the values, rounded as it is printed."""
    shown, decimals = float(number), len(number.partition(".")[2])
    return any(abs(shown - v) <= max(0.5 * 10.0**-decimals, 0.006 * abs(v)) for v in values)


def unbacked(reply: Answer, analysis: Analysis) -> list[str]:
    """Numbers of an answer that no evidence cited in the same paragraph holds."""
    known, bad = analysis.evidence_by_id(), []
    for paragraph in reply.text.split("\n\n"):
        cited = [known[i] for i in MARK.findall(paragraph)]
        values = [float(e.value) for e in cited if isinstance(e.value, int | float)]
        values += [100 * v for v in values] + [float(e.epoch) for e in cited if e.epoch is not None] + list(LIMITS)
        plain = re.sub(r"OVF\d+|'[^']*'", "", MARK.sub("", paragraph))
        bad += [f"{n} in {paragraph!r}" for n in NUMBER.findall(plain) if not _shown(n, values)]
    return bad


def see_that_it_is_sound(reply: Answer, analysis: Analysis) -> None:
    known = analysis.evidence_by_id()
    cited = set(MARK.findall(reply.text))
    assert {c.id for c in reply.citations} == cited
    assert cited <= set(known)
    assert reply.text
    assert "{" not in re.sub(r"'[^']*'", "", reply.text)
    if reply.intent not in ("warnings", "remedy"):  # those repeat sentences about the log, or name no number of the run
        assert unbacked(reply, analysis) == []


def test_when_answers_with_the_onset_epoch_and_its_citation():
    analysis = analysed(overfitting())
    reply = answer("when did it start to overfit?", analysis)
    onset = analysis.diagnosis.onset_epoch
    (mark,) = re.findall(rf"at epoch {onset} \[(E\d+)\]", reply.text)
    assert analysis.evidence_by_id()[mark].name == "onset"
    assert analysis.evidence_by_id()[mark].value == onset
    citation = next(c for c in reply.citations if c.id == mark)
    assert (citation.value, citation.source) == (str(onset), "train_loss / val_loss")


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("intent", ASKED)
def test_every_question_about_every_run_is_answered_with_evidence(name, intent):
    analysis = analysed(RUNS[name])
    reply = answer(ASKED[intent], analysis)
    assert reply.intent == intent
    see_that_it_is_sound(reply, analysis)


def test_random_runs_are_answered_with_evidence():
    rng = np.random.default_rng(5)
    histories = []
    while len(histories) < 60:
        try:
            histories.append(_random_history(rng))
        except InputError:
            continue
    for analysis in analyse(histories, [{"kind": "history"}] * 60, load_checks()):
        for question in ASKED.values():
            see_that_it_is_sound(answer(question, analysis), analysis)


def test_the_check_of_numbers_sees_a_number_without_evidence():
    analysis = analysed(overfitting())
    reply = answer(ASKED["when"], analysis)
    assert unbacked(reply.model_copy(update={"text": reply.text.replace("epoch 2", "epoch 3")}), analysis)
    assert unbacked(reply.model_copy(update={"text": MARK.sub("", reply.text)}), analysis)


def test_sentences_cite_the_pair_that_they_speak_of():
    n = np.arange(60)
    falling = 0.2 + 2 * np.exp(-5 * n / 60)
    series = {f"{s}_{q}_loss": falling for q in ("box", "cls", "dfl", "seg", "obj") for s in ("train", "val")}
    series["val_seg_loss"] = np.maximum(falling, falling[20]) + 0.05 * np.maximum(n - 20, 0)
    analysis = analysed(RunHistory.from_arrays(**series))
    reply = answer("Is it overfitting?", analysis)
    assert "seg" in reply.text
    see_that_it_is_sound(reply, analysis)


def test_a_gap_that_is_open_from_the_start_has_no_onset_but_an_epoch():
    analysis = analysed(with_accuracy(1.0, 0.75))
    reply = answer(ASKED["when"], analysis)
    since = next(e for e in analysis.evidence if e.name == "gap_since")
    assert analysis.diagnosis.onset_epoch is None
    assert f"since epoch {since.value} [{since.id}]" in reply.text


def test_hostile_names_break_nothing_and_forge_no_citation():
    name = "train_loss{0.__class__}{onset}%s[E1] [E999]\x1b[2J\u202e"
    values = [3, 2, float("nan"), 1, 1, 1, 0.9, 0.8]
    analysis = analysed(RunHistory.from_arrays(**{name: values, "val_loss": values}, name=name))
    for question in (*ASKED.values(), "why {0.__class__}?", "%s {onset} [E999]"):
        reply = answer(question, analysis)
        assert set(MARK.findall(reply.text)) <= set(analysis.evidence_by_id())
        assert {"\x1b", "\u202e"} & set(reply.as_text() + reply.as_markdown()) == set()
    assert "[E999]" not in answer("any warnings?", analysis).text


@pytest.mark.parametrize("question", ["", "   ", "\n\t", "\x00\u202e\u200b"])
def test_an_empty_question_is_refused(question):
    with pytest.raises(InputError, match="empty"):
        answer(question, analysed(overfitting()))


def test_a_very_long_question_is_cut():
    reply = answer("why " * 100_000, analysed(overfitting()))
    assert reply.intent == "cause"
    assert len(reply.question) <= MAX_QUESTION


def test_suggestions_fit_the_run_and_skip_what_was_asked():
    overfits, steady = analysed(overfitting()), analysed(RUNS["healthy"])
    assert "When did it start to overfit?" in suggestions(overfits)
    assert "When did it start to overfit?" not in suggestions(steady)
    assert len(suggestions(overfits, limit=2)) == 2
    for question in suggestions(overfits):
        reply = answer(question, overfits)
        assert reply.intent != "unknown"
        assert question not in reply.suggestions
