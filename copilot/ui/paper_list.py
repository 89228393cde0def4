"""Searching papers: what to ask, the search as a background job, the papers with their sources."""

from __future__ import annotations

import streamlit as st

from copilot.core.papers import Paper, ResearchResult, SourceStatus, bibtex
from copilot.errors import CopilotError
from copilot.reporting.words import capital, cause_label
from copilot.results import AnalysisResult
from copilot.ui import jobs_view, state
from copilot.ui.notices import notice, plain
from copilot.ui.once_pills import once_pills, taken
from copilot.utils.validators import clean_text

KIND = "research"
MAX_QUERY = 300
_ASK, _IDEA, _FILLED = "question", "idea", "filled-in-for"
_AUTHORS = 3
_IDEAS = (
    "Label noise",
    "Too little data",
    "Class imbalance",
    "Distribution shift",
    "Train-test leakage",
    "Early stopping",
)
_STATES = {
    "ok": ("check_circle", "green"),
    "empty": ("search_off", "gray"),
    "failed": ("cloud_off", "red"),
}


def search_box() -> None:
    """The question, filled in with the likely cause of the run in the address; the button submits the search."""
    result = _run()
    usual = _cause(result) if result else ""
    idea = taken(_IDEA)
    _prefill(usual, idea)
    if result:
        name = plain(result.subject.run_name or "this run", 80)
        why = f"likely cause: {plain(usual).lower()}" if usual else "nothing needs a remedy, so ask what you like"
        st.markdown(f":material/show_chart: **{name}** · {why}")
    with st.form("search", border=False):
        left, right = st.columns([5, 1], vertical_alignment="bottom")
        question = left.text_input(
            "What should the papers be about?",
            key=_ASK,
            max_chars=MAX_QUERY,
            placeholder="For instance: label noise in medical images",
            icon=":material/search:",
        )
        pressed = right.form_submit_button("Find papers", type="primary", icon=":material/menu_book:", width="stretch")
    once_pills("Often asked", _IDEAS, _IDEA)
    if idea or (pressed and question.strip()):
        asked = (idea or question).strip()
        analysis = _saved(result) if result and asked == usual else None
        jobs_view.submit(KIND, {"analysis_id": analysis} if analysis else {"about": asked})
    elif pressed:
        st.caption(":material/edit: Type a question, or pick one of those below.")


def search_results() -> None:
    """The chosen search: its progress, the papers, or why there are none."""
    found = jobs_view.jobs_of(KIND)
    if not found:
        notice(
            "menu_book",
            "No search yet",
            "Papers come from arXiv and Semantic Scholar. What is found is kept in a library on this machine and can "
            "be searched without a network.",
        )
        return
    titles = _titles(state.key(), tuple(job.payload["analysis_id"] for job in found if "analysis_id" in job.payload))
    chosen = jobs_view.pick_job("Search", found, {job.id: _label(job, titles) for job in found})
    job = jobs_view.finished(chosen)
    if job:
        _show(ResearchResult.model_validate(job.result))


def library_line() -> None:
    """How many papers earlier searches have kept."""
    done = sum(job.state == "done" for job in jobs_view.jobs_of(KIND))
    if count := _count(state.key(), done):
        words = "1 paper" if count == 1 else f"{count:,} papers"
        st.caption(f":material/local_library: {words} in your library, searchable without a network")


@st.cache_data(ttl=state.FRESH_S, max_entries=8, show_spinner=False)
def _count(key: tuple, searches_done: int) -> int:
    return state.analyzer().paper_count()


def _show(found: ResearchResult) -> None:
    st.markdown(f"**{plain(found.summary, 400)}**")
    st.caption(f"Searched for “{plain(found.query, 300)}”")
    _sources(found.sources)
    if not found.papers:
        st.caption(":material/lightbulb: Use fewer or more general words, or pick one of the questions above.")
        return
    st.download_button(
        f"BibTeX of {len(found.papers)}",
        data=bibtex(found.papers),
        file_name="papers.bib",
        mime="application/x-bibtex",
        icon=":material/download:",
        on_click="ignore",
        key="bibtex",
    )
    for i, paper in enumerate(found.papers):
        _paper(paper, i)


def _sources(statuses: tuple[SourceStatus, ...]) -> None:
    """One line a source: how it answered, and what to do if it did not."""
    with st.container(gap="xsmall", key="sources"):
        for status in statuses:
            icon, color = _STATES[status.state]
            mark = f":{color}[:material/{icon}:]"
            if status.state == "failed":
                st.markdown(f"{mark} {plain(status.message, 400)}")
                continue
            name = "Your library" if status.name == "library" else plain(status.name, 60)
            papers = "1 paper" if status.n_papers == 1 else f"{status.n_papers} papers"
            st.markdown(f"{mark} {name}: {papers if status.state == 'ok' else 'no paper matches'}")


def _paper(paper: Paper, place: int) -> None:
    with st.container(border=True, gap="xsmall", key=f"paper-{place}"):
        title = plain(paper.title, 300)
        st.markdown(f"**[{title}]({paper.url})**" if paper.url else f"**{title}**")
        authors = ", ".join(paper.authors[:_AUTHORS]) + (" and others" if len(paper.authors) > _AUTHORS else "")
        venue = "" if paper.venue.lower() == "arxiv" else paper.venue
        st.markdown(" · ".join(plain(part, 200) for part in (authors, paper.year, venue) if part))
        st.caption(_why(paper))
        if paper.abstract:
            with st.expander("Abstract", type="compact"):
                st.markdown(plain(paper.abstract, 2000))


def _why(paper: Paper) -> str:
    """Why a paper is here: who found it, how well it fits, and how often it is cited."""
    parts = [f"Found by {plain(' and '.join(paper.source.split(', ')))}" if paper.source else "From your library"]
    if paper.relevance is not None:
        parts.append(f"relevance {paper.relevance:.2f} of 1")
    if paper.citation_count:
        parts.append(f"cited {paper.citation_count:,} time{'' if paper.citation_count == 1 else 's'}")
    return " · ".join(parts)


def _run() -> AnalysisResult | None:
    """The run in the address; a search needs none."""
    run = state.run_id()
    try:
        return state.result(run) if run else None
    except CopilotError as error:
        st.caption(f":material/info: The run in the address cannot be read: {plain(error)}")
        return None


def _cause(result: AnalysisResult) -> str:
    cause = result.diagnosis.causes[0].cause
    return "" if cause == "none" else capital(cause_label(cause))


def _prefill(usual: str, idea: str) -> None:
    """Fill the question in once for each run, or with the idea that was clicked; else what a person typed stays."""
    run = state.run_id() or ""
    if idea:
        st.session_state[_ASK] = idea
    elif st.session_state.get(_ASK) is None or st.session_state.get(_FILLED) != run:
        st.session_state[_ASK] = usual
    st.session_state[_FILLED] = run


def _saved(result: AnalysisResult) -> int | None:
    """The newest saved analysis of the run, whose cause the search takes its terms from."""
    rows = state.analyzer().store.list_analyses(latest_only=True, limit=1000)
    return next((row.id for row in rows if row.run_id and row.run_id == result.subject.run_id), None)


@st.cache_data(max_entries=16, show_spinner=False)
def _titles(key: tuple, ids: tuple[int, ...]) -> dict[int, str]:
    """What the searches for saved analyses were about: cause and run."""
    found = state.analyzer().store.get_analyses(ids)
    causes = {i: capital(cause_label(a.diagnosis.causes[0].cause)) for i, a in found.items()}
    return {i: f"{causes[i]} ({clean_text(a.subject.run_name or 'a run', 60)})" for i, a in found.items()}


def _label(job: jobs_view.Job, titles: dict[int, str]) -> str:
    """Without the job's state: a select box keeps the words that a value had when it was chosen."""
    about = job.payload.get("about") or titles.get(job.payload.get("analysis_id"), "Likely cause of a run")
    return clean_text(f"{about} · {job.created_at:%d %b %Y, %H:%M} UTC", 160)
