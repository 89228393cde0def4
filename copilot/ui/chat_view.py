"""Chat about one run: conversations kept in the store, answers with the evidence that they cite."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from copilot.chat.answerer import MAX_QUESTION, suggestions
from copilot.chat.answers import Citation
from copilot.errors import CopilotError
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import capital, relative_time, verdict_label
from copilot.results import AnalysisResult
from copilot.store import Conversation, Message, Store
from copilot.ui import state
from copilot.ui.notices import guard, plain
from copilot.ui.once_pills import once_pills, taken
from copilot.utils.validators import clean_text

WIDTH = 860
MAX_CHIPS = 8
_AVATARS = {"user": ":material/person:", "assistant": ":material/monitoring:"}
_PILLS, _SHOWN = "suggested", "chat-conversations"
_MARK = re.compile(r"\\\[(E\d+)\\\]")
# The bar at the bottom as wide as the conversation above it.
_STYLE = f"""<style>
[data-testid="stBottomBlockContainer"] {{ max-width: calc({WIDTH}px + 8rem); }}
@media (max-width: 640px) {{ [data-testid="stBottomBlockContainer"] {{ padding: .5rem .9rem 1rem; }} }}
[class*="st-key-chips-"] [data-testid="stPageLink-NavLink"] {{
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: 1rem; padding: 0 .6rem; min-height: 1.7rem;
}}
</style>"""


def column() -> DeltaGenerator:
    """The column that holds the conversation."""
    st.html(_STYLE)
    return st.container(horizontal_alignment="center").container(width=WIDTH)


def question_box() -> str:
    """What was typed at the bottom of the page, or the suggestion that was clicked."""
    typed = st.chat_input("Ask about this run", key="chat-input", max_chars=MAX_QUESTION)
    return (typed or taken(_PILLS)).strip()


def chat(result: AnalysisResult, run: str, question: str) -> None:
    """The conversation about `run`: what was said, the question, its answer, and what to ask next."""
    store = state.analyzer().store
    shown = _shown(store, run)
    if question and shown is None:
        shown = store.create_conversation(run, clean_text(question, 80))
        _show(run, shown)
    _header(store, result, run, shown)
    messages = store.list_messages(shown) if shown else []
    if not (messages or question):
        _greeting(result)
    for message in messages:
        _message(store, message, run)
    if question:
        with guard("The answer"):
            _answer(store, shown, question, result, run)
    _suggest(result, {m.text for m in messages if m.role == "user"} | {question})


def _shown(store: Store, run: str) -> str | None:
    """The conversation that this session shows: at first the newest about the run; None is a new one."""
    known = [c.id for c in store.list_conversations(run)]
    shown = st.session_state.setdefault(_SHOWN, {}).setdefault(run, known[0] if known else None)
    return shown if shown in known else None


def _header(store: Store, result: AnalysisResult, run: str, shown: str | None) -> None:
    """What the chat is about, and its conversations."""
    from copilot.ui.frame import PAGE

    name, verdict = plain(result.subject.run_name or "This run", 60), result.diagnosis.verdict
    style, known = VERDICT_STYLES[verdict], store.list_conversations(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="chat-header"):
        st.page_link(PAGE["run"], label=f"**{name}**", icon=":material/show_chart:", query_params=state.link(run))
        st.badge(verdict_label(verdict), icon=f":material/{style.icon}:", color=style.streamlit)
        st.space("stretch")
        if known:
            with st.popover("Conversations", icon=":material/history:", type="tertiary"):
                for conversation in known:
                    _conversation_button(conversation, run, conversation.id == shown)
        begin = {"on_click": _show, "args": (run, None), "disabled": shown is None}
        st.button("New conversation", icon=":material/add_comment:", type="tertiary", **begin)
        st.button("Other run", icon=":material/swap_horiz:", type="tertiary", on_click=_other_run)


def _conversation_button(conversation: Conversation, run: str, current: bool) -> None:
    ago = relative_time(conversation.created_at.isoformat(), datetime.now(UTC))
    st.button(
        f"{plain(conversation.title or 'Conversation', 60)} · {ago}",
        key=f"conversation-{conversation.id}",
        icon=":material/check:" if current else ":material/chat_bubble:",
        type="tertiary",
        on_click=_show,
        args=(run, conversation.id),
    )


def _show(run: str, conversation: str | None) -> None:
    st.session_state.setdefault(_SHOWN, {})[run] = conversation


def _other_run() -> None:
    st.query_params.pop("run", None)


def _greeting(result: AnalysisResult) -> None:
    with st.chat_message("assistant", avatar=_AVATARS["assistant"]):
        st.markdown(plain(result.summary, 600))
        st.caption("Ask what you like about this run. Every number in an answer comes from its evidence.")


def _message(store: Store, message: Message, run: str) -> None:
    with st.chat_message(message.role, avatar=_AVATARS[message.role]):
        if message.role == "user":
            st.markdown(plain(message.text, MAX_QUESTION))
            return
        citations = [Citation.model_validate(item) for item in message.citations]
        _text(message.text, {c.id for c in citations})
        _chips(citations, message.id, run)
        st.feedback(
            "thumbs",
            key=f"feedback-{message.id}",
            default={1: 1, -1: 0}.get(message.feedback),
            on_change=_keep_feedback,
            args=(store, message.id),
        )


def _text(text: str, cited: set[str]) -> None:
    """Paragraphs as plain text; marks such as [E7] become chips where the evidence is known."""
    for paragraph in text.split("\n\n"):
        escaped = plain(paragraph, 4000)
        st.markdown(_MARK.sub(lambda m: f":blue-badge[{m[1]}]" if m[1] in cited else m[0], escaped))


def _chips(citations: list[Citation], message: int, run: str) -> None:
    """The evidence under an answer: each chip leads to its number on the run's page."""
    with st.container(horizontal=True, gap="xsmall", key=f"chips-{message}"):
        for citation in citations[:MAX_CHIPS]:
            _chip(citation, run)
        if rest := citations[MAX_CHIPS:]:
            with st.popover(f"{len(rest)} more", key=f"more-{message}", type="tertiary"):
                for citation in rest:
                    _chip(citation, run)


def _chip(citation: Citation, run: str) -> None:
    from copilot.ui.frame import PAGE

    epoch = "" if citation.epoch is None else f", epoch {citation.epoch:g}"
    st.page_link(
        PAGE["run"],
        label=f"**{plain(citation.id)}** {plain(citation.value, 60)}",
        help=f"{plain(capital(citation.label))}, from {plain(citation.source) or 'the run'}{epoch}",
        icon=":material/format_quote:",
        query_params={**state.link(run), "evidence": citation.id},
    )


def _answer(store: Store, conversation: str, question: str, result: AnalysisResult, run: str) -> None:
    """Ask, keep both sides, and show them below what was said before."""
    store.add_message(conversation, "user", question)
    with st.chat_message("user", avatar=_AVATARS["user"]):
        st.markdown(plain(question, MAX_QUESTION))
    with st.spinner("Reading the evidence..."):
        found = state.analyzer().ask(question, result=result)
    citations = [c.model_dump(mode="json") for c in found.citations]
    store.add_message(conversation, "assistant", found.text, citations)
    _message(store, store.list_messages(conversation)[-1], run)


def _suggest(result: AnalysisResult, asked: set[str]) -> None:
    """Questions that were not asked yet, as pills."""
    known = suggestions(result.analysis, limit=100)
    ideas = [text for text in known if text not in asked][: state.settings().chat.suggestions]
    if ideas:
        once_pills("Suggested questions", ideas, _PILLS, label_visibility="collapsed")


def _keep_feedback(store: Store, message: int) -> None:
    value = {1: 1, 0: -1}.get(st.session_state[f"feedback-{message}"], 0)
    try:
        store.save_feedback(message, value)
    except CopilotError as error:
        st.toast(plain(error), icon=":material/error:")
