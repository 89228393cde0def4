"""The page of data versions shows what the analyzer says of them."""

from __future__ import annotations

import json

import pytest

from copilot import CopilotAnalyzer
from copilot.ui.data_view import PICTURES
from tests.pages.conftest import words


@pytest.fixture
def moved(demo):
    return CopilotAnalyzer(demo.config_file).compare_data("v1", "v2")


def test_the_cards_and_the_summary_are_the_comparison(open_page, moved):
    page = open_page("data", **{"from": "v1", "to": "v2"})
    shown = {metric.label.split()[-1]: metric.value for metric in page.metric}
    counted = (moved.n_added, moved.n_removed, moved.n_changed, moved.unchanged_count)
    assert list(shown.items()) == list(
        zip(("Added", "Removed", "Changed", "Unchanged"), (f"{n:,}" for n in counted), strict=True)
    )
    assert f"{moved.n_files_a:,} before, {moved.n_files_b:,} after" in words(page)
    assert moved.outcomes[0].code in words(page)


def test_the_bars_are_the_class_counts_of_both_versions(open_page, moved):
    page = open_page("data", **{"from": "v1", "to": "v2"})
    charts = [json.loads(chart.proto.spec)["data"] for chart in page.get("plotly_chart")]
    splits = list(dict.fromkeys(row.split for row in moved.class_counts))
    assert len(charts) == len(splits)
    for split, (before, after) in zip(splits, charts, strict=True):
        rows = [row for row in moved.class_counts if row.split == split]
        assert (before["name"], after["name"]) == ("v1", "v2")
        assert [before["y"], after["y"]] == [[row.a for row in rows], [row.b for row in rows]]
        assert before["marker"]["pattern"]["shape"]  # told apart without colour


def test_the_newest_two_versions_come_first_and_the_choice_is_in_the_address(open_page, demo):
    newest, before = CopilotAnalyzer(demo.config_file).data_versions()[:2]
    page = open_page("data")
    assert page.query_params["to"] == newest.revision
    assert page.query_params["from"] == before.revision
    page.selectbox(key="version-to").select("v1").run()
    assert page.query_params["to"] == "v1"
    assert "to v1" in words(page)


def test_the_same_version_twice_asks_for_another(open_page):
    page = open_page("data", **{"from": "v1", "to": "v1"})
    assert "same version twice" in words(page)
    assert not page.metric


def test_pictures_are_those_of_the_side_that_has_them(open_page, moved):
    page = open_page("data", **{"from": "v1", "to": "v2"})
    assert len(page.get("image")) == 2 * min(PICTURES, moved.n_changed)
    page.segmented_control(key="pictures-of").set_value("removed").run()
    assert len(page.get("image")) == min(PICTURES, moved.n_removed)
    assert "As they were in v1" in words(page)


def test_every_moved_file_is_listed(open_page, moved):
    page = open_page("data", **{"from": "v1", "to": "v2"})
    listed = [frame.value for frame in page.dataframe if "File" in frame.value]
    assert [len(value) for value in listed] == [moved.n_changed, moved.n_added, moved.n_removed]


def test_without_a_data_set_it_says_what_to_set(open_page, settings_file):
    settings_file(dvc=None)
    page = open_page("data")
    assert "No data set is named" in words(page)
    page.button(key="no-data-button").click().run()
    assert page.title[0].value == "Settings"


def test_a_folder_without_dvc_is_told_in_one_line(open_page, settings_file, tmp_path):
    settings_file(dvc={"repo": str(tmp_path), "data_path": "images"})
    page = open_page("data")
    assert "no Git repository" in words(page)
    assert "Traceback" not in words(page)
