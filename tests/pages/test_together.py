"""What runs say together: below the table of runs, and for the ones that were ticked."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import words


def _draw(together: str) -> None:
    from copilot.core.comparisons.document import Comparison
    from copilot.ui.together import together as draw

    draw(Comparison.model_validate_json(together))


def _bar(ids: list[str]) -> None:
    import streamlit as st

    from copilot.ui import scans, state
    from copilot.ui.compare_bar import compare_bar

    names = {r.subject.run_id: r.subject.run_name for r in scans.scanned(state.experiment()).results}
    asked = compare_bar({i: names[i] for i in ids})
    st.write(f"asked for {','.join(asked)}")


def _drawn(**changes) -> AppTest:
    from copilot.core.comparisons.document import ComparedRun, Comparison, ComparisonSubject
    from copilot.core.findings import Evidence, Finding, Recommendation

    run = {"verdict": "healthy", "best_epoch": 4, "gap": 0.02, "fold": None, "n_train": 100}
    facts = [
        ("E1", "rank_correlation", 0.7, "", "weight_decay"),
        ("E2", "rank_correlation", -0.6, "", "dropout"),
        ("E3", "gap_difference", 0.12, "fraction", "dropout"),
        ("E4", "parameters_tested", 1, "parameters", ""),
    ]
    fields = {
        "subject": ComparisonSubject(analyzed_at="2026-11-24T03:46:00+00:00", quantity="accuracy", baseline="a"),
        "runs": (
            ComparedRun(run_id="a", run_name="first", best_value=0.9, **run),
            ComparedRun(run_id="b", run_name=None, best_value=None, **run | {"gap": None, "best_epoch": None}),
        ),
        "findings": (
            Finding(code="OVF201", title="Folds", state="passed", summary="They agree."),
            Finding(code="OVF202", title="Sizes", state="not_applicable", summary="One size only."),
            Finding(
                code="OVF203",
                title="Knobs",
                state="issue",
                severity="medium",
                summary="Two parameters go with the gap.",
                evidence=("E1", "E2", "E3", "E4"),
            ),
        ),
        "evidence": tuple(
            Evidence(id=i, name=n, value=v, unit=u, source=s, quantity="accuracy") for i, n, v, u, s in facts
        ),
        "recommendations": (
            Recommendation(
                id="knob", action="Turn it.", why="It helps.", expected_effect="", finding_codes=("OVF203",)
            ),
        ),
    }
    document = Comparison(**fields | changes)
    page = AppTest.from_function(_draw, args=(document.model_dump_json(),), default_timeout=30).run()
    assert not page.exception
    return page


def test_issues_come_first_with_their_word_and_their_remedy():
    shown = words(_drawn())
    assert shown.index("OVF203 Knobs") < shown.index("Medium severity") < shown.index("Turn it") < shown.index("OVF201")
    assert "2 runs, compared by validation accuracy" in shown


def test_numbers_that_come_for_each_parameter_stand_in_one_table():
    page = _drawn()
    table = page.table[0].value
    assert list(table.iloc[:, 0]) == ["weight\\_decay", "dropout"]
    assert list(table["Rank correlation with the accuracy gap"]) == ["0.7", "-0.6"]
    assert list(table["Change of the accuracy gap over its values"]) == ["", "12.0 points"]
    assert "1 parameter" in words(page)
    assert "rank_correlation" not in words(page)


def test_comparisons_with_nothing_to_judge_share_one_line_with_their_reasons_below():
    page = _drawn()
    (folded,) = page.expander
    assert "1 comparison had nothing to judge" in folded.label
    assert "One size only" in folded.markdown[0].value


def _against(base: str, others: dict[str, str]) -> list[dict[str, str]]:
    """The rows of a comparison with `base`: names of runs by what sources call them."""
    from copilot.core.findings import Evidence
    from copilot.ui.together import _rows

    facts = [(n, s) for run in others.values() for n, s in (("worse_by", f"{run} against {base}"), ("best_value", run))]
    tabled = [
        Evidence(id=f"E{i}", name=n, value=0.1, unit="fraction", source=s, quantity="accuracy")
        for i, (n, s) in enumerate(facts)
    ]
    return _rows(tabled, "Run", base)


def test_runs_whose_names_say_against_keep_their_rows():
    for base in ("base", "a against b"):
        names = {"x": "x", "y": f"x against {base}", "z": "new against old"}
        rows = _against(base, names)
        assert [row["Run"] for row in rows] == list(names.values())
        assert all(all(row.values()) for row in rows)


def test_runs_of_one_name_are_told_apart_in_the_table_and_the_evidence():
    from copilot.core.comparisons.document import ComparedRun, ComparisonSubject
    from copilot.core.findings import Evidence, Finding

    ids = ("0000aaaa", "0000bbbb", "0000cccc")
    known = {"verdict": None, "best_value": 0.9, "best_epoch": 1, "gap": 0.1, "fold": None, "n_train": None}
    names = [f"net (…{i[-4:]})" for i in ids]
    facts = [(n, s) for o in names[1:] for n, s in (("worse_by", f"{o} against {names[0]}"), ("best_value", o))]
    page = _drawn(
        subject=ComparisonSubject(analyzed_at="2026-11-24T03:46:00+00:00", quantity="accuracy", baseline=ids[0]),
        runs=tuple(ComparedRun(run_id=i, run_name="net", **known) for i in ids),
        findings=(
            Finding(code="OVF205", title="Base", state="passed", summary="Fine.", evidence=("E0", "E1", "E2", "E3")),
        ),
        evidence=tuple(
            Evidence(id=f"E{i}", name=n, value=0.1, unit="fraction", source=s, quantity="accuracy")
            for i, (n, s) in enumerate(facts)
        ),
        recommendations=(),
    )
    table = page.table[0].value
    assert len(table) == 2
    assert "bbbb" in table.iloc[0, 0]
    assert "against" not in table.iloc[0, 0]


def test_a_single_run_says_nothing_together():
    page = _drawn(runs=())
    assert not page.markdown
    assert not page.expander


def test_the_page_of_runs_shows_what_the_scan_compared(open_page):
    page = open_page("runs")
    assert "What the runs say together" in words(page)
    assert "OVF201 Fold stability" in words(page)
    assert "Tick two or more to compare" in words(page)
    assert "None" not in words(page).replace("None of", "")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_ticked_runs_are_told_how_to_compare(count, settings_file, demo_runs):
    settings_file()
    page = AppTest.from_function(_bar, args=(demo_runs[:count],), default_timeout=60).run()
    assert not page.exception
    assert not page.button
    assert "to compare" in page.caption[0].value


def test_ticked_runs_are_handed_over_once_their_comparison_is_asked_for(settings_file, demo_runs):
    settings_file()
    ids = demo_runs[:2]
    page = AppTest.from_function(_bar, args=(ids,), default_timeout=60).run()
    assert page.markdown[-1].value == "asked for"
    page.button(key="compare").click().run()
    assert not page.exception
    assert page.markdown[-1].value == f"asked for {','.join(ids)}"
