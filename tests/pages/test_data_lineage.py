"""Lineage and pipeline on the data page: what the verbs say of the demo and of a small DVC project."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest

from copilot import CopilotAnalyzer
from copilot.ui.notices import plain
from tests.pages.conftest import words

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
STAGES = """
stages:
  prepare: {cmd: python prepare.py, deps: [raw], outs: [clean]}
  train: {cmd: python train.py, deps: [clean], params: [lr], outs: [model.pt]}
"""


@pytest.fixture
def project(tmp_path):
    """A DVC project with two stages and a parameter that differs between its tags."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (folder / "dvc.yaml").write_text(STAGES)
    subprocess.run((*GIT, "init", "-q", "-b", "main"), cwd=folder, check=True)
    for tag, rate in (("v1", 0.1), ("v2", 0.01)):
        (folder / "params.yaml").write_text(f"lr: {rate}\nname: '<b>x'\n")
        for command in (("add", "-A"), ("commit", "-qm", tag), ("tag", tag)):
            subprocess.run((*GIT, *command), cwd=folder, check=True)
    return folder


def drawings(page) -> list[str]:
    """The SVG documents that the page shows."""
    found = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", "\n".join(e.proto.body for e in page.get("html")))
    return [base64.b64decode(data).decode() for data in found]


def test_the_chain_of_the_run_in_the_address_is_drawn_and_told(open_page, overfitted_run):
    lineage = CopilotAnalyzer().lineage(overfitted_run)
    page = open_page("data", view="lineage", run=overfitted_run)
    [drawing] = drawings(page)
    assert all(node.label in drawing for node in lineage.nodes if len(node.label) < 15)
    assert f"**{lineage.summary.split(' ran at')[0]}" in words(page)
    facts = next(frame.value for frame in page.dataframe if "Detail" in frame.value)
    assert set(facts["Name"]) == {node.label for node in lineage.nodes}


def test_runs_are_listed_by_the_version_that_they_used(open_page):
    found = CopilotAnalyzer().runs_by_data()
    page = open_page("data", view="lineage")
    assert "Choose a run" in words(page)
    table = next(frame.value for frame in page.dataframe if "How many" in frame.value)
    assert list(table["Version"]) == [row.version.revision for row in found.versions]
    assert list(table["How many"]) == [len(row.run_ids) for row in found.versions]


def test_what_moved_between_two_runs_is_that_of_their_versions(open_page):
    by_version = {row.version.revision: row.run_ids[0] for row in CopilotAnalyzer().runs_by_data().versions}
    moved = CopilotAnalyzer().compare_data("v1", "v2")
    page = open_page("data", view="lineage", run=by_version["v2"], other=by_version["v1"])
    shown = {metric.label.split()[-1]: metric.value for metric in page.metric}
    assert (shown["Added"], shown["Removed"]) == (f"{moved.n_added:,}", f"{moved.n_removed:,}")
    page.selectbox(key="lineage-other").select(by_version["v2"]).run()
    assert page.query_params["other"] == by_version["v2"]
    assert "the same run" in words(page)


def test_gaps_are_told_with_what_to_do(open_page, settings_file, overfitted_run, project):
    settings_file(dvc={"repo": str(project)})
    missing = CopilotAnalyzer().lineage(overfitted_run).missing
    page = open_page("data", view="lineage", run=overfitted_run)
    assert missing
    for gap in missing:
        assert f"**{plain(gap.what)}** {plain(gap.hint, 400)}" in words(page)
    assert f"Of {len(CopilotAnalyzer().runs_by_data().unknown)} runs the data is not known" in words(page)


def test_without_a_store_it_says_what_to_set(open_page, settings_file):
    page = open_page("data")
    settings_file(mlflow=None)
    page.segmented_control(key="data-view").set_value("lineage").run()
    assert "No MLflow store is set" in words(page)


def test_stages_and_changed_parameters_are_shown(open_page, settings_file, project):
    page = open_page("data")
    settings_file(dvc={"repo": str(project)})
    page.query_params["revs"] = "v1,v2"
    page.segmented_control(key="data-view").set_value("pipeline").run()
    [drawing] = drawings(page)
    assert "prepare" in drawing
    assert "2 stages at HEAD" in words(page)
    assert "Parameters: 1 of 2 changed" in words(page)
    [table] = [frame.value for frame in page.dataframe if "v2" in frame.value]
    assert table[["Name", "v1", "v2"]].to_numpy().tolist() == [["lr", "0.1", "● 0.01"]]
    page.toggle(key="only-params").set_value(False).run()
    [table] = [frame.value for frame in page.dataframe if "v2" in frame.value]
    assert list(table["Name"]) == ["lr", "name"]


def test_an_unknown_revision_is_told_and_another_can_be_chosen(open_page):
    page = open_page("data", view="pipeline", rev="<b>nowhere")
    assert r"\<b\>nowhere" in words(page)
    page.selectbox(key="pipeline-rev").select("v1").run()
    assert page.query_params["rev"] == "v1"
    assert "1 tracked data set at v1" in words(page)
    assert "neither parameters" in words(page)


def test_a_folder_without_dvc_is_told_in_one_line(open_page, settings_file, tmp_path):
    page = open_page("data")
    settings_file(dvc={"repo": str(tmp_path)})
    page.segmented_control(key="data-view").set_value("pipeline").run()
    assert "no Git repository" in words(page)
    assert "Traceback" not in words(page)
