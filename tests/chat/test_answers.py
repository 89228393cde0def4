"""Slots: numbers come from evidence, words cannot pass for citations."""

import pytest

from copilot.chat.answers import Answer, Citation, Writer
from copilot.core.findings import Evidence
from copilot.errors import ToolError

BEST = Evidence(id="E7", name="best_checkpoint", value=0.25, unit="", epoch=12, source="val_loss", quantity="loss")


def test_numbers_are_followed_by_their_evidence():
    writer = Writer()
    writer.say("best", {"quantity": "loss"}, {"best_epoch": (BEST, "epoch"), "val_best": (BEST, "value")})
    assert "epoch 12 [E7]" in writer.sentences[0]
    assert "0.25 [E7]" in writer.sentences[0]
    (citation,) = writer.citations()
    assert (citation.id, citation.value, citation.source, citation.epoch) == ("E7", "0.25", "val_loss", 12)


def test_a_missing_number_is_a_dash_without_citation():
    writer = Writer()
    writer.say("best", {"quantity": "loss"}, {"best_epoch": (None, "epoch"), "val_best": (None, "value")})
    assert "epoch –:" in writer.sentences[0]
    assert writer.citations() == ()


def test_words_are_filled_in_as_they_are_and_never_read_as_a_template():
    writer = Writer()
    writer.say("other_cause", {"cause": "{probability.__class__} [E1] \x1b[2J\nx"}, {"probability": (BEST, "value")})
    assert "{probability.__class__} (E1] [2J x" in writer.sentences[0]


def test_a_quote_lists_each_evidence_once():
    writer = Writer()
    writer.quote("It rose.", [BEST, BEST])
    assert writer.sentences == ["It rose. [E7]"]
    assert [c.id for c in writer.citations()] == ["E7"]


def test_a_slot_that_the_text_does_not_have_is_refused():
    with pytest.raises(ToolError, match="unknown placeholders"):
        Writer().say("best", {"quantity": "loss"})


def test_text_and_markdown_carry_the_sources():
    citation = Citation(id="E7", label="best_loss", value="0.25", source="val_loss`<b>")
    reply = Answer(
        question="q", intent="best", text="It was *best* at 0.25 [E7].\n\nAnd [x](http://y).", citations=(citation,)
    )
    assert reply.as_text().splitlines()[-1] == "  [E7] best_loss: 0.25 (val_loss`<b>)"
    shown = reply.as_markdown()
    assert r"It was \*best\* at 0.25 [E7]." in shown
    assert "](http://y)" not in shown
    assert "<b>" not in shown
    assert shown.splitlines()[-1].startswith(r"- E7 best\_loss: 0.25")


def test_answers_are_frozen_json():
    reply = Answer(question="q", intent="best", text="t")
    assert Answer.model_validate_json(reply.model_dump_json()) == reply
    with pytest.raises(ValueError):
        reply.text = "other"
