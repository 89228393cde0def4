"""The Runs page: filters, order, older runs, reading again, progress, notes, and runs that could not be judged."""

from __future__ import annotations

import pytest
import streamlit as st
import yaml
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from copilot import CopilotAnalyzer
from copilot.core.history import NoCurvesError
from copilot.errors import ToolError
from copilot.results import AnalysisList
from copilot.ui import scans, state
from copilot.ui.failed_runs import by_reason
from copilot.ui.run_frame import matching, ranked, run_frame, shown
from tests.pages.conftest import APP, words


@pytest.fixture
def runs_page(cross_validation, home, monkeypatch):
    """Open the Runs page as a new visitor."""

    def visit() -> AppTest:
        path = home / "settings.yaml"
        mlflow = {"tracking_uri": cross_validation.uri, "experiment_name": "cross-validation"}
        path.write_text(yaml.safe_dump({"mlflow": mlflow}))
        monkeypatch.setenv("MLOPS_COPILOT_CONFIG", str(path))
        page = AppTest.from_file(str(APP), default_timeout=60).run()
        assert not page.exception
        return page

    return visit


@pytest.fixture
def scanned_with(monkeypatch) -> list[dict]:
    """What the analyzer's scans are asked for from here on."""
    asked, scan = [], CopilotAnalyzer.scan

    def spy(self, *args, **options):
        asked.append(options)
        return scan(self, *args, **options)

    monkeypatch.setattr(CopilotAnalyzer, "scan", spy)
    return asked


@pytest.fixture(scope="module")
def judged(cross_validation):
    analyzer = CopilotAnalyzer(overrides={"mlflow": {"tracking_uri": cross_validation.uri}})
    return analyzer.scan("cross-validation")


def _names(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value["Run"])


def test_pills_and_search_leave_the_rows_that_match(runs_page):
    page = runs_page()
    everyone = _names(page)
    assert len(everyone) == 7
    page.text_input(key="run-search").set_value(" FOLD-3 ").run()
    assert _names(page) == ["resnet-fold-3"]
    page.text_input(key="run-search").set_value("no such run").run()
    assert "No run matches" in words(page)
    page.text_input(key="run-search").set_value("").run()
    verdict = page.pills(key="verdict-filter").options[0].lower()
    page.pills(key="verdict-filter").set_value([verdict]).run()
    chips = {cell[0] for cell in page.dataframe[0].value["Verdict"]}
    assert len(chips) == 1
    assert verdict in chips.pop().lower()
    assert set(_names(page)) <= set(everyone)


def test_a_filter_does_not_scan_again_but_the_next_visit_does(runs_page, scanned_with, monkeypatch):
    page = runs_page()
    assert len(scanned_with) == 1
    page.text_input(key="run-search").set_value("better").run()
    assert _names(page) == ["better"]
    assert len(scanned_with) == 1
    monkeypatch.setattr(state, "FRESH_S", -1)
    runs_page()
    assert len(scanned_with) == 2


def test_older_runs_are_told_and_can_be_read(runs_page, monkeypatch):
    monkeypatch.setattr(scans, "STEP", 3)
    page = runs_page()
    before = len(_names(page)) + _failed(page)
    assert before == 3
    assert "The newest 3 runs are shown; the experiment has older ones." in words(page)
    for _ in range(4):
        if not [b for b in page.button if b.key == "read-more"]:
            break
        page.button(key="read-more").click().run()
    assert len(_names(page)) == 7
    assert "older ones" not in words(page)


def _failed(page: AppTest) -> int:
    told = [e.label for e in page.expander if "could not be judged" in e.label]
    return 0 if not told else 1 if told[0].startswith("One") else int(told[0].split()[0])


def test_read_again_judges_every_run_anew_once(runs_page, scanned_with):
    page = runs_page()
    page.button(key="read-again-button").click().run()
    page.run()
    assert [options["refresh"] for options in scanned_with] == [False, True]
    assert len(_names(page)) == 7


def test_reading_shows_how_far_it_is(runs_page, monkeypatch):
    told, progress = [], DeltaGenerator.progress

    def spy(self, value, text=None, **options):
        told.append((value, text))
        return progress(self, value, text, **options)

    monkeypatch.setattr(DeltaGenerator, "progress", spy)
    page = runs_page()
    assert told[0] == (0.0, "Reading the list of runs")
    fraction, line = told[-1]
    assert fraction == 1.0
    assert line.startswith("Judged ")
    assert " runs" in line
    assert line.endswith(" s")
    assert not page.get("progress"), "it is gone when the table is there"


def test_a_damaged_cache_is_told_once(runs_page, home, monkeypatch):
    st.cache_resource.clear()
    runs_page()
    damaged = list((home / "cache").rglob("analyses/*"))
    assert damaged
    for file in damaged:
        file.write_bytes(b"PAR1 nothing")
    monkeypatch.setattr(state, "FRESH_S", -1)
    page = runs_page()
    assert len(_names(page)) == 7
    (toast,) = page.toast
    assert "damaged" in toast.value
    assert not page.run().toast


def test_runs_that_cannot_be_judged_stand_under_their_reason():
    failed, errors = {}, {}
    for i in range(3):
        error = NoCurvesError(f"run {i}: no metrics were logged.", "Log curves.")
        error.run = f"run {i}"
        errors[f"id{i}"], failed[f"id{i}"] = error, str(error)
    failed["id9"] = str(errors.setdefault("id9", ToolError("The server is away.", "Try later.")))
    results = AnalysisList(failed=failed)
    results.errors = errors
    assert list(by_reason(results).values()) == [["run 0", "run 1", "run 2"], ["id9"]]
    assert all("run 0" not in reason for reason in by_reason(results))


def test_the_frame_keeps_attention_first_and_ranks_by_the_board(judged):
    frame = run_frame(judged)
    assert len(frame) == len(judged)
    order = ["unstable", "overfitting", "underfitting", "inconclusive", "healthy"]
    places = [order.index(v) for v in frame["verdict"]]
    assert places == sorted(places)
    board = judged.leaderboard("best")
    by_best = ranked(frame, board)
    assert list(by_best["id"]) == [row.run_id for row in board]
    assert list(by_best["Rank"]) == [row.rank for row in board]
    assert by_best["Best"].iloc[0] == pytest.approx(100 * board[0].best_value)
    assert list(ranked(frame.iloc[:2], board)["id"]) == [r.run_id for r in board if r.run_id in set(frame["id"][:2])]
    assert "text" not in shown(frame)
    assert matching(frame, ["no verdict"], "").empty
    assert run_frame([]).empty
