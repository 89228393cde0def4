"""What finished model checks found: the answer first, then issues with their pictures, then the rest folded."""

from __future__ import annotations

import streamlit as st

from copilot.core.findings import Analysis
from copilot.jobs import Job
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import verdict_label
from copilot.results import AnalysisResult
from copilot.ui import jobs_view, run_view, state
from copilot.ui.finding_groups import counts, gravest, group, headline
from copilot.ui.frame import PAGE
from copilot.ui.model_checks_beside import GROUPS, LOOKED_AT, measured, of_checks
from copilot.ui.model_checks_compare import compared
from copilot.ui.model_checks_models import checked_name, checks_label
from copilot.ui.notices import notice, plain
from copilot.ui.pictures import other_pictures, show_pictures
from copilot.utils.names import distinct
from copilot.utils.validators import safe_file_name

_ADDRESS = "beside"


def check_results(found: list[Job]) -> None:
    """The chosen set of checks of `found`: its progress, what it found, or why it failed."""
    if not found:
        notice(
            "fact_check",
            "No model was checked yet",
            "Probes ask the model itself: does it know its training images by heart, is it too sure, what does it "
            "look at? Deepchecks compares its training with its validation images: drift, new classes, weak kinds of "
            "images.",
        )
        return
    names = {job.id: checks_label(job) for job in found}
    left, right = st.columns(2)
    with left:
        chosen = jobs_view.pick_job("Checks that were run", found, names)
    with right:
        other = _pick_other([job for job in found if job.state == "done" and job.id != chosen], names)
    job = jobs_view.finished(chosen)
    if job is None:
        return
    analysis = jobs_view.result_as(job, Analysis)
    if analysis is None:
        return
    _answer(job, analysis)
    if other:
        _compare(job, analysis, other)
    for prefix, title in GROUPS.items():
        shown = [f for f in of_checks(analysis) if f.code.startswith(prefix)]
        group(title, shown, analysis.evidence_by_id(), analysis.pictures)
    if others := other_pictures(analysis):
        st.subheader("More pictures", anchor=False)
        show_pictures(others)


def _pick_other(found: list[Job], names: dict[str, str]) -> str | None:
    """Another finished set of checks, or none; the choice lives in the address."""
    labels = distinct({job.id: names[job.id] for job in found})
    named = st.query_params.get(_ADDRESS)
    chosen = st.selectbox(
        "Compare with",
        list(labels),
        index=list(labels).index(named) if named in labels else None,
        format_func=labels.get,
        placeholder="Another finished set of checks" if labels else "No other set of checks has finished",
        disabled=not labels,
        key="checks-other",
    )
    if chosen:
        st.query_params[_ADDRESS] = chosen
    else:
        st.query_params.pop(_ADDRESS, None)
    return chosen


def _compare(job: Job, here: Analysis, other_id: str) -> None:
    other = jobs_view.finished(other_id)
    there = jobs_view.result_as(other, Analysis) if other else None
    if other and there:
        compared(job, here, other, there)


def _answer(job: Job, analysis: Analysis) -> None:
    findings = of_checks(analysis)
    st.markdown(f"#### {headline(findings, plain(checked_name(job), 120))}")
    if worst := gravest(findings):
        st.markdown(f"{plain(worst.title, 80)}: {plain(worst.summary, 300)}")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        counts(findings, key="check-counts")
        _looked_at(job, analysis)
    with right:
        _ways_on(job, analysis)


def _looked_at(job: Job, analysis: Analysis) -> None:
    """What was looked at and what could not be read, when, and how long it took."""
    finding = analysis.finding(LOOKED_AT)
    said = finding.summary if finding and finding.state != "error" else ""
    first, _, more = said.partition(". ")
    unread, took = measured(analysis, LOOKED_AT, "unreadable_images"), jobs_view.duration(job)
    ended = f"Finished {jobs_view.when(job)}{f', took {took}' if took else ''}."
    with st.container(gap="xsmall"):
        st.caption(f"{ended} {plain(f'{first}.' if more else first, 300)}")
        if unread and unread.value:
            many = "1 image was" if unread.value == 1 else f"{unread.value:,} images were"
            st.caption(f":material/broken_image: {many} left out: they cannot be read.")
        if more:
            with st.expander("What was left out, and notes on the images"):
                st.caption(plain(more, 2000))


def _ways_on(job: Job, analysis: Analysis) -> None:
    """The reports, Deepchecks' own page, and the page of the run."""
    run_view.downloads(analysis)
    page = state.analyzer().deepchecks_report(AnalysisResult(analysis))
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="check-ways-on"):
        if page:
            st.download_button(
                "Deepchecks' own page",
                data=page.read_bytes,
                file_name=f"{safe_file_name(checked_name(job))}-deepchecks.html",
                mime="text/html",
                icon=":material/html:",
                on_click="ignore",
                key="download-deepchecks",
            )
        if run := analysis.subject.run_id:
            verdict = analysis.diagnosis.verdict
            style = VERDICT_STYLES[verdict]
            st.page_link(PAGE["run"], label="Open its run", icon=":material/show_chart:", query_params=state.link(run))
            st.badge(
                f"Curves: {verdict_label(verdict).lower()}", icon=f":material/{style.icon}:", color=style.streamlit
            )
