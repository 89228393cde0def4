"""The chat page: answers with their evidence, kept in the store; nothing that people type becomes markup."""

from __future__ import annotations

import pytest

from copilot import CopilotAnalyzer
from copilot.ui.notices import plain
from tests.pages.conftest import words

WHEN = "When did it start to overfit?"


@pytest.fixture
def answer(demo, overfitted_run):
    return CopilotAnalyzer(demo.config_file).ask(WHEN, run_id=overfitted_run)


def _ask(page, question):
    return page.chat_input[0].set_value(question).run()


def _said(page):
    return [message.markdown[0].value for message in page.chat_message]


def _chips(page):
    return [link.proto for link in page.get("page_link") if "evidence=" in link.proto.query_string]


def test_the_answer_is_the_analyzers_and_every_chip_leads_to_its_evidence(open_page, overfitted_run, answer):
    page = _ask(open_page("chat", run=overfitted_run), WHEN)
    assert len(page.chat_message) == 2
    text = _said(page)[1]
    for citation in answer.citations:
        assert f":blue-badge[{citation.id}]" in text
        assert citation.value in text
    assert [chip.query_string for chip in _chips(page)] == [
        f"experiment=digits-cnn&run={overfitted_run}&evidence={citation.id}" for citation in answer.citations
    ]
    assert {chip.page for chip in _chips(page)} == {"run"}


def test_before_the_first_question_it_says_the_verdict_and_suggests(open_page, demo, overfitted_run):
    page = open_page("chat", run=overfitted_run)
    summary = CopilotAnalyzer(demo.config_file).analyze_model(overfitted_run).summary
    assert _said(page) == [plain(summary)]
    assert WHEN in page.button_group[0].options


def test_a_suggestion_is_asked_once_even_if_the_click_arrives_twice(open_page, overfitted_run):
    page = open_page("chat", run=overfitted_run)
    page.button_group(key="suggested-0").select(WHEN)
    sent = page._tree.get_widget_states()
    page.run()
    assert len(page.chat_message) == 2
    assert WHEN not in page.button_group(key="suggested-1").options
    page._run(sent)  # what a fragment that refreshes at that moment sends
    assert len(page.chat_message) == 2


def test_the_conversation_is_there_for_the_next_visit_until_a_new_one_begins(open_page, overfitted_run):
    first = _ask(open_page("chat", run=overfitted_run), WHEN)
    page = open_page("chat", run=overfitted_run)
    assert _said(page) == _said(first)
    next(b for b in page.button if b.label == "New conversation").click().run()
    assert len(page.chat_message) == 1
    _ask(page, "Why?")
    kept = [b.label for b in page.button if b.key and b.key.startswith("conversation-")]
    assert [label.split(" · ")[0] for label in kept] == ["Why?", WHEN]


def test_thumbs_are_kept(open_page, overfitted_run):
    page = _ask(open_page("chat", run=overfitted_run), WHEN)
    thumbs = page.get("feedback")[0]
    thumbs.set_value(0).run()
    store = CopilotAnalyzer().store
    assert [f.value for f in store.list_feedback()] == [-1]
    page.get("feedback")[0].set_value(1).run()
    assert [f.value for f in store.list_feedback()] == [1]


def test_what_people_type_is_text(open_page, overfitted_run):
    page = _ask(open_page("chat", run=overfitted_run), "<b>x</b> [a](http://b) :red[c] $d$ [E1]")
    assert _said(page)[0] == "\\<b\\>x\\</b\\> \\[a\\]\\(http\\:\u2060//b\\) \\:red\\[c\\] \\$d\\$ \\[E1\\]"


def test_without_a_run_one_is_chosen_first(open_page, overfitted_run):
    page = open_page("chat")
    assert "Choose the run" in words(page)
    assert not page.chat_input
    page.selectbox(key="run-picker").select(overfitted_run).run()
    assert page.query_params["run"] == overfitted_run
    assert page.chat_input
    next(b for b in page.button if b.label == "Other run").click().run()
    assert "Choose the run" in words(page)
    assert not page.chat_input


def test_an_unknown_run_is_told_in_one_line(open_page):
    page = open_page("chat", run="0" * 32)
    assert "0" * 32 in words(page)
    assert not page.chat_input
