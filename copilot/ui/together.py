"""What runs say together: a card for each comparison that found something, the others in one line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from copilot.core.comparisons.document import Comparison
from copilot.core.findings import Evidence, Finding
from copilot.reporting.words import (
    capital,
    citation_label,
    evidence_in_full,
    quantity_name,
)
from copilot.ui.advice import advice
from copilot.ui.finding_card import finding_card
from copilot.ui.notices import plain
from copilot.utils.names import told_apart
from copilot.utils.validators import clean_text

_SPOKEN = ("issue", "error", "passed")
_SEVERITIES = ("high", "medium", "low", "none")
_VERSUS = ("worse_by", "gap_wider_by")  # their source is a run `against` the baseline
_ROWS = {"OVF201": "Cross-validation", "OVF203": "Parameter", "OVF205": "Run"}


def together(found: Comparison) -> None:
    """The comparisons of `found`: issues first, then passed ones; those with nothing to judge are folded."""
    if len(found.runs) < 2:
        return
    st.subheader("What the runs say together", anchor=False)
    by = f", compared by validation {plain(quantity_name(found.subject.quantity))}" if found.subject.quantity else ""
    st.caption(f"{len(found.runs):,} runs{by}")
    told = sorted((f for f in found.findings if f.state in _SPOKEN), key=_attention)
    left = list(found.recommendations)
    for finding in told:
        mine = [item for item in left if finding.code in item.finding_codes]
        left = [item for item in left if item not in mine]
        with _card(finding, found):
            for item in mine:
                advice(item, ":material/arrow_forward: ")
    _silent([f for f in found.findings if f.state not in _SPOKEN])


def _labels(found: Comparison) -> tuple[str, ...]:
    """The runs' names as the sentences and sources of `found` have them."""
    names = [clean_text(run.run_name or run.run_id, 60) for run in found.runs]
    return told_apart(names, [run.run_id or str(i) for i, run in enumerate(found.runs, 1)])


def _baseline(found: Comparison) -> str:
    """The baseline's name, empty where there is none."""
    if not found.subject.baseline:
        return ""  # a scan of thousands has none
    named = (n for run, n in zip(found.runs, _labels(found), strict=True) if run.run_id == found.subject.baseline)
    return next(named, "")


def _attention(finding: Finding) -> tuple[int, int]:
    return _SPOKEN.index(finding.state), _SEVERITIES.index(finding.severity)


def _card(finding: Finding, found: Comparison):
    """The card; numbers that come once for each run or parameter stand in a table below its sentence."""
    known = found.evidence_by_id()
    cited = [known[i] for i in finding.evidence if i in known]
    tabled = _repeated(cited)
    card = finding_card(finding, {e.id: e for e in cited if e not in tabled})
    if tabled:
        with card:
            rows = _rows(tabled, _ROWS.get(finding.code, "Source"), _baseline(found))
            st.table(rows, border="horizontal", hide_index=True, alt=f"Evidence of {finding.code}")
    return card


def _repeated(cited: Sequence[Evidence]) -> list[Evidence]:
    """The evidence of sources that are alike: a name that comes for several tells which these are."""
    sources: dict[str, set[str]] = {}
    for e in cited:
        sources.setdefault(e.name, set()).add(e.source)
    alike = {e.source for e in cited if len(sources[e.name]) > 1}
    return [e for e in cited if e.source in alike]


def _rows(tabled: Sequence[Evidence], first: str, baseline: str = "") -> list[dict[str, str]]:
    """A row a source, a column a name; what is said of a run against `baseline` stands in the run's row."""

    def about(e: Evidence) -> str:
        return e.source.removesuffix(f" against {baseline}") if e.name in _VERSUS else e.source

    names = dict.fromkeys(capital(citation_label(e)) for e in tabled)
    order = list(dict.fromkeys(map(about, tabled)))
    rows = []
    for source, own in groupby(sorted(tabled, key=lambda e: order.index(about(e))), key=about):
        values = {capital(citation_label(e)): evidence_in_full(e) for e in own}
        rows.append({first: plain(source, 120), **{name: plain(values.get(name, "")) for name in names}})
    return rows


def _silent(findings: Sequence[Finding]) -> None:
    if not findings:
        return
    many = "comparison" if len(findings) == 1 else "comparisons"
    with st.expander(f":gray[{len(findings)} {many} had nothing to judge]", key="silent-comparisons"):
        for f in findings:
            st.markdown(f":gray[**{f.code} {plain(f.title)}**: {plain(f.summary)}]")
