"""The parts of a run's page: verdict first, then why, then what to do, then the evidence."""

from __future__ import annotations

import streamlit as st

from copilot.core.findings import Analysis
from copilot.reporting import render
from copilot.reporting.palette import VERDICT_STYLES
from copilot.reporting.view import report_view
from copilot.reporting.words import (
    capital,
    cause_label,
    citation_label,
    evidence_in_full,
    percent_sure,
    verdict_label,
)
from copilot.ui.advice import advice
from copilot.ui.finding_card import finding_card
from copilot.ui.notices import plain
from copilot.ui.pictures import other_pictures, pictures_of, show_pictures
from copilot.utils.validators import safe_file_name

_STATE_ORDER = ("issue", "error", "passed", "not_applicable", "skipped", "ignored")
_REPORTS = (
    ("PDF", "pdf", "pdf", "application/pdf", "picture_as_pdf"),
    ("HTML", "html", "html", "text/html", "html"),
    ("JSON", "json", "json", "application/json", "data_object"),
    ("Markdown", "markdown", "md", "text/markdown", "article"),
)


def headline(analysis: Analysis) -> None:
    """Name, verdict with its confidence, and the answer in words."""
    style, d = VERDICT_STYLES[analysis.diagnosis.verdict], analysis.diagnosis
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(plain(analysis.subject.run_name or "Run", 80), width="content", anchor=False)
        st.badge(verdict_label(d.verdict), icon=f":material/{style.icon}:", color=style.streamlit)
        st.badge(
            f"{percent_sure(d.confidence)} sure",
            color="gray",
            help="The share of such verdicts that were right on runs whose answer is known.",
        )
    view = report_view(analysis)
    st.markdown(f"**{plain(view.headline, 600)}** {plain(view.lead, 600)}")


def figures(analysis: Analysis) -> None:
    """The numbers that decide, as cards of equal height; a number that was not measured has no card."""
    with st.container(horizontal=True, gap="small", key="figures"):
        for card in report_view(analysis).cards:
            st.metric(card.label, card.value, border=True, help=plain(card.note), width="stretch")


def why(analysis: Analysis) -> None:
    """The likely causes, each with its probability."""
    st.subheader("Why", anchor=False)
    for cause in analysis.diagnosis.causes:
        if cause.cause == "none":
            st.caption("Nothing to explain.")
            continue
        sure = f"{capital(cause_label(cause.cause))} · {percent_sure(cause.probability)}"
        with st.container(gap="xxsmall"):
            st.progress(cause.probability, text=sure)
            if cause.finding_codes:
                st.caption(f"From {', '.join(cause.finding_codes)}")


def what_to_do(analysis: Analysis) -> None:
    """The recommendations, most useful first."""
    if not analysis.recommendations:
        return
    st.subheader("What to do", anchor=False)
    for i, item in enumerate(analysis.recommendations, 1):
        with st.container(border=True, gap="xsmall"):
            advice(item, f"{i}. ")


def findings(analysis: Analysis) -> None:
    """Every check once: issues as cards, the rest folded, each with the pictures that show it."""
    st.subheader("Findings", anchor=False)
    known = analysis.evidence_by_id()
    ordered = sorted(analysis.findings, key=lambda f: _STATE_ORDER.index(f.state))
    for finding in (f for f in ordered if f.state in ("issue", "error")):
        with finding_card(finding, known):
            show_pictures(pictures_of(analysis, finding.code))
    calm = [f for f in ordered if f.state not in ("issue", "error")]
    if calm:
        with st.expander(f"{len(calm)} more checks without an issue"):
            for finding in calm:
                with finding_card(finding, known):
                    show_pictures(pictures_of(analysis, finding.code))
    show_pictures(other_pictures(analysis))


def evidence_table(analysis: Analysis, highlighted: str | None) -> None:
    """Every number with its source; the one a citation points to is shown first and marked."""
    chosen = analysis.evidence_by_id().get(highlighted or "")
    if chosen:
        with st.container(border=True, key="cited-evidence"):
            st.markdown(
                f":material/format_quote: **{chosen.id}** {plain(citation_label(chosen))}: "
                f"**{plain(evidence_in_full(chosen))}**"
            )
            st.caption(
                f"Source: {plain(chosen.source) or 'the run'}"
                + (f" · epoch {chosen.epoch:g}" if chosen.epoch is not None else "")
            )
    with st.expander(f"Evidence: {len(analysis.evidence)} numbers", expanded=bool(chosen)):
        rows = [
            {
                "Id": e.id,
                "Evidence": citation_label(e),
                "Value": evidence_in_full(e),
                "Epoch": "" if e.epoch is None else f"{e.epoch:g}",
                "Source": plain_cell(e.source),
            }
            for e in analysis.evidence
        ]
        st.dataframe(rows, hide_index=True, key="evidence-table", alt="Evidence with value, epoch and source")


def downloads(analysis: Analysis) -> None:
    """The reports; each is made when its button is pressed."""
    name = safe_file_name(f"{analysis.subject.run_name or 'history'}-report")
    with st.container(horizontal=True, gap="small", key="downloads"):
        for label, kind, suffix, mime, icon in _REPORTS:
            st.download_button(
                label,
                data=lambda kind=kind: render(analysis, kind),
                file_name=f"{name}.{suffix}",
                mime=mime,
                icon=f":material/{icon}:",
                on_click="ignore",
                key=f"download-{kind}",
                type="primary" if kind == "pdf" else "secondary",
            )


def warnings(analysis: Analysis) -> None:
    """What was repaired in the curves."""
    notes = analysis.history.warnings
    if notes:
        with st.expander(f"{len(notes)} repairs in the curves", icon=":material/healing:"):
            for note in notes:
                st.markdown(f"- {plain(note)}")


def plain_cell(text: str) -> str:
    return text.replace("\n", " ")[:200]
