"""What the checks of a split found: the answer first, then issues with their pictures, then the rest folded."""

from __future__ import annotations

import streamlit as st

from copilot.core.findings import Analysis, Finding
from copilot.jobs import Job
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.words import verdict_label
from copilot.ui import finding_groups, jobs_view, run_view, state
from copilot.ui.advice import advice
from copilot.ui.frame import PAGE
from copilot.ui.notices import notice, plain
from copilot.ui.pictures import other_pictures, show_pictures
from copilot.utils.validators import clean_text

_CODES = "OVF4"


def split_results(found: list[Job]) -> None:
    """The chosen checks of `found`: their progress, what they found, or why they failed."""
    if not found:
        notice(
            "policy",
            "No split was checked yet",
            "The images themselves often hold the cause: the same image on both sides makes the validation score too "
            "good, wrong labels are learnt by heart, and a small or one-sided validation set says little.",
        )
        return
    chosen = jobs_view.pick_job("Checks that were run", found, {job.id: _label(job) for job in found})
    job = jobs_view.finished(chosen)
    analysis = jobs_view.result_as(job, Analysis) if job else None
    if job and analysis:
        _shown(job, analysis)


def of_data(analysis: Analysis) -> list[Finding]:
    """What the checks of the images say: not what the curves of a run do."""
    return [finding for finding in analysis.findings if finding.code.startswith(_CODES)]


def _label(job: Job) -> str:
    """Which images, for which run, and when."""
    sets = [clean_text(job.payload.get(name) or "", 60) for name in ("train", "val")]
    words = " and ".join(filter(None, sets)) or f"images of run {clean_text(job.payload.get('run_id'), 12)}"
    return clean_text(f"{words} · {job.created_at:%d %b %Y, %H:%M} UTC", 180)


def _shown(job: Job, analysis: Analysis) -> None:
    findings = of_data(analysis)
    st.markdown(f"#### {finding_groups.headline(findings, 'this split')}")
    if worst := finding_groups.gravest(findings):
        st.markdown(f"{plain(worst.title, 80)}: {plain(worst.summary, 400)}")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        finding_groups.counts(findings, key="split-counts")
        took = jobs_view.duration(job)
        st.caption(f"Finished {jobs_view.when(job)}{f', took {took}' if took else ''}.")
    with right:
        _ways_on(analysis)
    _what_to_do(analysis, findings)
    finding_groups.group("Findings", findings, analysis.evidence_by_id(), analysis.pictures)
    if others := other_pictures(analysis):
        st.subheader("More pictures", anchor=False)
        show_pictures(others)


def _what_to_do(analysis: Analysis, findings: list[Finding]) -> None:
    """The advice that follows from the images."""
    codes = {finding.code for finding in findings}
    items = [item for item in analysis.recommendations if codes & set(item.finding_codes)]
    if items:
        st.subheader("What to do", anchor=False)
    for i, item in enumerate(items, 1):
        with st.container(border=True, gap="xsmall"):
            advice(item, f"{i}. ")


def _ways_on(analysis: Analysis) -> None:
    """The reports, and the page of the run with its verdict."""
    run_view.downloads(analysis)
    if not (run := analysis.subject.run_id):
        return
    verdict = analysis.diagnosis.verdict
    style = VERDICT_STYLES[verdict]
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="split-ways-on"):
        st.page_link(PAGE["run"], label="Open the run", icon=":material/show_chart:", query_params=state.link(run))
        st.badge(
            f"With its curves: {verdict_label(verdict).lower()}",
            icon=f":material/{style.icon}:",
            color=style.streamlit,
        )
