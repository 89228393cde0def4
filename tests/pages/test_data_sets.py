"""Checking a split and describing a set: what the page submits, and what it shows of the results."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from copilot import CopilotAnalyzer, jobs
from copilot.core.data.description import PropertySummary, Tally
from copilot.core.findings import Outcome
from copilot.ui.data_charts import MOST_BARS, class_bars, property_strips
from copilot.ui.data_describe import size_text
from tests.pages.checked import checked, finish, picture
from tests.pages.conftest import labels, stop_worker, words

LEAK = Outcome(
    code="OVF402",
    title="Images in both sets",
    state="issue",
    severity="high",
    summary="4 of 9 validation images are in training too, such as <script>.png.",
)
POOR = Outcome(code="OVF406", title="Image quality", state="issue", severity="low", summary="One is blurred.")
CALM = Outcome(code="OVF404", title="Class balance", state="passed", summary="Even.")
CURVES = Outcome(code="OVF105", title="Of the curves", state="issue", severity="high", summary="The curves part.")


@pytest.fixture
def store(open_page):
    with CopilotAnalyzer().store as opened:
        yield opened


@pytest.fixture
def no_worker(monkeypatch):
    """Jobs that a page submits stay in the queue."""
    monkeypatch.setattr("copilot.ui.state.start_worker", lambda: None)


@pytest.fixture
def images(tmp_path):
    """Six small images of two classes, one file that is none, and a hostile class name."""
    rng = np.random.default_rng(0)
    for label in ("cat", "<b>dog"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "set" / label / f"{i}.png")
    (tmp_path / "set" / "cat" / "*broken*.png").write_bytes(b"no image")
    return tmp_path / "set"


def test_the_views_are_in_the_address(open_page):
    page = open_page("data", view="split")
    assert "No split was checked yet" in words(page)
    page.segmented_control(key="data-view").set_value("describe").run()
    assert page.query_params["view"] == "describe"
    assert "No set was described yet" in words(page)


@pytest.mark.usefixtures("no_worker")
def test_a_split_is_submitted_with_its_run_and_what_was_filled_in(open_page, demo, overfitted_run):
    page = open_page("data", view="split", run=overfitted_run)
    assert page.selectbox(key="split-run").value == overfitted_run
    page.text_input(key="data-val").set_value("dvc:v1:images#val").run()
    page.text_input(key="data-groups").set_value("(").run()
    assert page.button(key="split-start").disabled
    assert "no regular expression" in words(page)
    page.text_input(key="data-groups").set_value(r"p(\d+)").run()
    page.button(key="split-start").click().run()
    [job] = jobs.list_jobs()
    assert (job.kind, job.payload) == (
        "inspect_data",
        {
            "train": str(demo.data_repo / "images" / "train"),
            "val": "dvc:v1:images#val",
            "run_id": overfitted_run,
            "groups_pattern": r"p(\d+)",
        },
    )


def test_without_a_run_both_sets_are_needed(open_page, tmp_path):
    page = open_page("data", view="split", **{"data-said": str(tmp_path / "no.csv")})
    assert "The file of predictions is not there" in words(page)
    page.text_input(key="data-train").set_value("").run()
    assert "Name two sets of images to begin" in words(page)
    assert page.button(key="split-start").disabled


def test_findings_of_the_images_come_by_severity_and_without_those_of_the_curves(open_page, store):
    analysis = checked([POOR, CALM, LEAK, CURVES], [picture("OVF402", "Pairs")], run_id="r1")
    finish(store, {"train": "/a", "val": "/b"}, analysis, "inspect_data")
    page = open_page("data", view="split")
    said = words(page)
    assert "#### 2 issues with this split: 1 of high severity, 1 of low severity." in said
    assert said.index("**OVF402") < said.index("**OVF406") < said.index("**OVF404")
    assert r"such as \<script\>.png" in said
    assert "OVF105" not in said
    assert len(page.get("image")) == 1
    assert "Open the run" in labels(page, "page_link")


def test_a_set_is_described_by_the_worker(open_page, images):
    page = open_page("data", view="describe", **{"data-images": str(images)})
    try:
        page.button(key="describe-start").click().run()
        until = time.monotonic() + 60
        while (job := jobs.list_jobs()[0]).active and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        stop_worker()
    assert (job.kind, job.state) == ("describe_data", "done")
    page.run()
    shown = {metric.label.split(": ")[-1]: metric.value for metric in page.metric}
    assert (shown["Images"], shown["Classes"], shown["Cannot be read"]) == ("7", "2", "1")
    assert r"\<b\>dog" in words(page)
    [corrupt] = [frame.value for frame in page.dataframe if "Reason" in frame.value]
    assert list(corrupt["Image"]) == ["cat/*broken*.png"]
    assert len(page.get("plotly_chart")) == 2
    assert page.get("image")


def test_a_set_that_is_not_there_cannot_be_described(open_page):
    page = open_page("data", view="describe", **{"data-images": "/no/such/set"})
    assert page.button(key="describe-start").disabled
    assert "There is no such file or folder" in words(page)


def test_bars_are_the_largest_classes_and_their_names_no_marks():
    classes = [Tally(name=f"<a href='x'>{i}", count=99 - i, share=0.01) for i in range(MOST_BARS + 5)]
    [bars] = class_bars(classes).data
    assert list(bars.y) == [99 - i for i in range(MOST_BARS)]
    assert bars.customdata[0][0] == "&lt;a href=&#x27;x&#x27;&gt;0"
    assert not any("<" in name for name in bars.x)


def test_classes_whose_names_are_cut_alike_keep_their_bars():
    classes = [Tally(name="x" * 40 + end, count=1, share=0.5) for end in "ab"]
    [bars] = class_bars(classes).data
    assert len(set(bars.x)) == 2


def test_strips_lie_between_the_least_and_the_most_value():
    fields = ("mean", "deviation", "least", "q05", "q25", "median", "q75", "q95", "most")
    values = dict(zip(fields, (5, 1, 0, 1, 4, 5, 6, 9, 10), strict=True))
    moving = PropertySummary(name="a", label="a", unit="", **values)
    constant = PropertySummary(name="b", label="b", unit="", **dict.fromkeys(fields, 7.0))
    traces = property_strips([moving, constant]).data
    assert [list(trace.x) for trace in traces[:4]] == [[0, 1], [0.1, 0.9], [0.4, 0.6], [0.5]]
    assert [list(trace.x) for trace in traces[5:]] == [[0.5, 0.5], [0.5, 0.5], [0.5]]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (281_432, "281 kB"), (10**16, "10,000 TB")],
)
def test_sizes_are_told_for_people(size, text):
    assert size_text(size) == text
