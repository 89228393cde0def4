"""Scans that pages share: read with visible progress, kept for half a minute, the newest runs first."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

import pandas as pd
import streamlit as st

from copilot.core.comparisons.leaderboard import LeaderboardRow, Order
from copilot.reporting.words import duration_text
from copilot.results import AnalysisList
from copilot.ui import state
from copilot.ui.notices import plain
from copilot.ui.run_frame import run_frame

STEP = 5_000  # runs that are read at first, and with each "more"
_KEPT = 4  # scans
_REFRESH, _LIMITS = "read-again", "scan-limits"  # session


@dataclass
class Scanned:
    """The judged runs of an experiment, and what a table of them needs, made once.

    Attributes
    ----------
    results : AnalysisList
    more : bool
        The experiment has older runs that were not read.
    at : float
        When it was read, by the monotonic clock in s.
    """

    results: AnalysisList
    more: bool
    at: float = field(default_factory=time.monotonic)
    _boards: dict[Order, tuple[LeaderboardRow, ...]] = field(default_factory=dict)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row a run."""
        return run_frame(self.results)

    def board(self, order: Order) -> tuple[LeaderboardRow, ...]:
        """The runs in that order."""
        if order not in self._boards:
            self._boards[order] = self.results.leaderboard(order)
        return self._boards[order]


class _Shelf:
    """Scans of all windows, the last used ones; a scan that one window makes is not made by another at once."""

    def __init__(self) -> None:
        self.scans: OrderedDict[tuple, Scanned] = OrderedDict()
        self.locks: defaultdict[tuple, Lock] = defaultdict(Lock)
        self.lines: dict[tuple, tuple[float, str]] = {}

    def fresh(self, place: tuple) -> Scanned | None:
        found = self.scans.get(place)
        if found is None or time.monotonic() - found.at > state.FRESH_S:
            return None
        self.scans.move_to_end(place)
        return found

    def keep(self, place: tuple, scanned: Scanned) -> None:
        self.scans[place] = scanned
        while len(self.scans) > _KEPT:
            self.scans.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


def scanned(name: str) -> Scanned:
    """The runs of an experiment, judged. Reading shows how far it is; what is younger than half a minute is shown."""
    shelf, place = _shelf(), (state.key(), name, limit(name))
    refresh = st.session_state.pop(_REFRESH, None) == name
    if not refresh and (kept := shelf.fresh(place)):
        return kept
    slot, lock = st.empty(), shelf.locks[place]
    while not lock.acquire(timeout=0.3):  # another window reads them
        slot.progress(*shelf.lines.get(place, (0.0, "Reading the list of runs")))
    try:
        kept = None if refresh else shelf.fresh(place)
        return kept or _read(shelf, place, refresh, slot)
    finally:
        lock.release()
        slot.empty()
        state.tell_notes()


def _read(shelf: _Shelf, place: tuple, refresh: bool, slot: st.delta_generator.DeltaGenerator) -> Scanned:
    _, name, most = place
    began = time.monotonic()

    def show(fraction: float, line: str) -> None:
        said = f"Judged {line}" if fraction < 1 else f"Judged {line}. Comparing them"
        shelf.lines[place] = (
            min(max(fraction, 0.0), 1.0),
            f"{plain(said)} · {duration_text(round(time.monotonic() - began))}",
        )
        slot.progress(*shelf.lines[place])

    slot.progress(0.0, "Reading the list of runs")
    try:
        analyzer = state.analyzer()
        results = analyzer.scan(name, limit=most, refresh=refresh, progress=show)
        full = len(results) + len(results.failed) >= most
        made = Scanned(results, full and len(analyzer.source.runs(name, limit=most + 1)) > most)
    finally:
        shelf.lines.pop(place, None)
    shelf.keep(place, made)
    return made


def limit(name: str) -> int:
    """How many runs of an experiment this session reads."""
    return st.session_state.get(_LIMITS, {}).get(name, STEP)


def read_more(name: str) -> None:
    """Read older runs too."""
    st.session_state.setdefault(_LIMITS, {})[name] = limit(name) + STEP


def read_again(name: str) -> None:
    """Read and judge every run again, whatever is kept of it."""
    st.session_state[_REFRESH] = name
    state.forget()


def older_runs(name: str) -> None:
    """Says that there are older runs, with a way to see them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="older-runs"):
        st.caption(f"The newest {limit(name):,} runs are shown; the experiment has older ones.", width="content")
        st.button(f"Read {STEP:,} more", on_click=read_more, args=(name,), type="tertiary", key="read-more")
