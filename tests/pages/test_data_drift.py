"""What moved in the images of two versions: what the page submits, and what it shows of a job in every state."""

from __future__ import annotations

import pytest

from copilot import CopilotAnalyzer, jobs
from copilot.core.data.set_comparison import SetBrief, SetComparison
from copilot.core.datasets import ClassCount, DataComparison
from copilot.core.findings import Evidence, Outcome
from copilot.ui.data_drift import named_sets, shared_splits
from tests.pages.checked import fail, finish, picture
from tests.pages.conftest import words

KIND = "data_drift"
SIDES = {"a": "dvc:v1:images#train", "b": "dvc:v2:images#train"}
MOVED = Outcome(
    code="OVF408",
    title="Image properties that moved",
    state="issue",
    severity="medium",
    summary="The images are *darker*.",
    evidence=(Evidence(name="brightness moved", value=0.9, unit="spreads"),),
)
CALM = Outcome(code="OVF409", title="Label shares that moved", state="passed", summary="The shares stayed.")
BRIEF = SetBrief(origin=SIDES["a"], n_images=9, n_readable=9, n_classes=2, summary="Nine images.")


def comparison(*outcomes: Outcome) -> SetComparison:
    told = " ".join(o.summary for o in outcomes if o.state == "issue")
    return SetComparison(
        a=BRIEF,
        b=BRIEF.model_copy(update={"origin": SIDES["b"]}),
        compared=("v1 <b>", "what is new in v2"),
        n_compared=(1180, 156),
        outcomes=outcomes,
        pictures=(picture("OVF408", "Darker images"),),
        n_measured=1336,
        summary=f"From {SIDES['a']} to {SIDES['b']}: 126 images added. {told}",
    )


@pytest.fixture
def store(open_page):
    with CopilotAnalyzer().store as opened:
        yield opened


@pytest.fixture
def no_worker(monkeypatch):
    """Jobs that a page submits stay in the queue."""
    monkeypatch.setattr("copilot.ui.state.start_worker", lambda: None)


def visit(open_page, **query):
    return open_page("data", **{"from": "v1", "to": "v2", **query})


@pytest.mark.usefixtures("no_worker")
def test_the_button_submits_the_split_of_both_versions(open_page):
    page = visit(open_page)
    page.segmented_control(key="drift-split").set_value("val").run()
    assert page.query_params["split"] == "val"
    page.button(key="drift-start").click().run()
    [job] = jobs.list_jobs()
    assert (job.kind, job.payload) == (KIND, {"a": "dvc:v1:images#val", "b": "dvc:v2:images#val"})
    assert "Comparison of images" in words(page)
    assert any(button.label == "Stop" for button in page.button)


def test_what_moved_is_said_first_and_shown_with_pictures(open_page, store):
    finish(store, SIDES, comparison(MOVED, CALM), KIND)
    page = visit(open_page)
    said = words(page)
    assert "#### Image properties that moved." in said
    assert r"The images are \*darker\*." in said
    assert r"From v1 to v2\: 126 images added." in said
    assert said.count(r"\*darker\*") == 1  # not in the summary again
    assert r"v1 \<b\> (1,180 images) and what is new in v2 (156); 1,336 measured now" in said
    assert "Passed: 1" in said
    assert "Darker images" in said


def test_the_comparison_of_other_versions_is_not_shown(open_page, store):
    finish(store, SIDES | {"b": "dvc:v3:images#train"}, comparison(MOVED), KIND)
    page = visit(open_page)
    assert "OVF408" not in words(page)
    assert page.button(key="drift-start").label == "Compare the images"


@pytest.mark.usefixtures("no_worker")
def test_a_failed_comparison_says_why_and_can_be_tried_again(open_page, store):
    fail(store, SIDES, "The remote is <b>out of reach. Check the network.", KIND)
    page = visit(open_page)
    assert r"The remote is \<b\>out of reach." in words(page)
    next(button for button in page.button if button.label == "Retry").click().run()
    assert [job.state for job in jobs.list_jobs()] == ["queued", "failed"]


def test_a_result_of_another_version_of_the_program_is_told(open_page, store):
    finish(store, SIDES, {"no": "comparison"}, KIND)
    assert "This result cannot be read" in words(visit(open_page))


def of(*counts: ClassCount) -> DataComparison:
    rest = dict.fromkeys(("n_files_a", "n_files_b", "n_added", "n_removed", "n_changed", "n_moved"), 0)
    fields = {"path": "x", "rev_a": "r", "rev_b": "s", "unchanged_count": 0, "summary": ""}
    return DataComparison(**rest, **fields, class_counts=counts)


def test_splits_are_those_with_images_on_both_sides():
    found = of(
        ClassCount(split="train", label="a", a=3, b=0),
        ClassCount(split="train", label="b", a=0, b=2),
        ClassCount(split="new", label="a", a=0, b=5),
    )
    assert shared_splits(found) == ["train"]
    assert named_sets(found, "train") == ("dvc:r:x#train", "dvc:s:x#train")


def test_class_folders_without_splits_are_one_set():
    found = of(ClassCount(split=None, label="a", a=3, b=4))
    assert shared_splits(found) == [""]
    assert named_sets(found, "") == ("dvc:r:x", "dvc:s:x")
    assert shared_splits(of()) == []
