"""Runs that could not be judged, by the reason."""

from __future__ import annotations

from collections import defaultdict

import streamlit as st

from copilot.core.history import NoCurvesError
from copilot.results import AnalysisList
from copilot.ui.notices import plain

_NAMED = 12  # runs of one reason


def failed_runs(results: AnalysisList, verb: str = "judged", expanded: bool = False) -> None:
    """An expander with each reason once, the most frequent first, and the runs that it holds for."""
    if not results.failed:
        return
    many = "One run" if len(results.failed) == 1 else f"{len(results.failed):,} runs"
    with st.expander(f"{many} could not be {verb}", icon=":material/warning:", expanded=expanded):
        for reason, names in sorted(by_reason(results).items(), key=lambda item: -len(item[1])):
            left = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            number = f"{len(names):,} runs" if len(names) > 1 else "One run"
            st.markdown(f"**{plain(reason)}**")
            st.caption(f"{number}: {', '.join(plain(name, 60) for name in names[:_NAMED])}{left}")


def by_reason(results: AnalysisList) -> dict[str, list[str]]:
    """Names of runs (ids where the name is not known) by what is wrong with them."""
    found: dict[str, list[str]] = defaultdict(list)
    for run_id, reason in results.failed.items():
        error = results.errors.get(run_id)
        name = error.run if isinstance(error, NoCurvesError) else ""
        text = reason.removeprefix(f"{name}: ") if name else reason
        found[text[:1].upper() + text[1:]].append(name or run_id)
    return dict(found)
