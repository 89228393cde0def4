"""The page of model checks: what it submits, and what it shows of a job in every state."""

from __future__ import annotations

import contextlib
import sqlite3
import time

import pytest

from copilot import CopilotAnalyzer, jobs
from copilot.core.analysis import analyse
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from tests.pages.conftest import stop_worker, words

PAYLOAD = {"model_uri": "models:/digits-cnn/3", "train": "/a", "test": "/b", "suite": "computer_vision"}


@pytest.fixture
def worker():
    """The worker that the page starts is stopped after the test."""
    yield
    stop_worker()


@pytest.fixture
def store(open_page):
    with CopilotAnalyzer().store as opened:
        yield opened


@pytest.fixture
def done(store):
    """A finished set of checks in the store; its analysis."""
    weak = Evidence(name="lowest test recall of a class (8)", value=0.581, source="deepchecks:ClassPerformance")
    outcomes = [
        Outcome(code="OVF504", title="Drift of the predictions", state="passed", summary="No drift."),
        Outcome(
            code="OVF501",
            title="Performance by class <i>",
            state="issue",
            severity="medium",
            summary="5 scores failed.",
            evidence=(weak,),
        ),
        Outcome(code="OVF515", title="Average image", state="not_applicable", summary="Sizes differ."),
    ]
    subject = {"kind": "model", "model_uri": PAYLOAD["model_uri"]}
    [analysis] = analyse([RunHistory.empty()], [subject], [], extra=outcomes)
    job_id = store.add_job("validate", PAYLOAD)
    store.claim_job(job_id, 1, "here")
    store.finish_job(job_id, 1, "done", result=analysis.model_dump(mode="json"))
    return analysis


def test_the_run_in_the_address_and_the_settings_folders_are_filled_in(open_page, demo, overfitted_run):
    page = open_page("model_checks", run=overfitted_run)
    model = page.selectbox(key="check-model")
    assert model.value == CopilotAnalyzer().source.run(overfitted_run).model_uris[0]
    assert "digits-cnn version 3 (champion)" in model.options
    assert page.text_input(key="folder-train").value == str(demo.data_repo / "images" / "train")
    assert page.text_input(key="folder-val").value == str(demo.data_repo / "images" / "val")
    assert "AGPL" in words(page)


def test_a_folder_that_is_not_there_is_told_before_anything_runs(open_page):
    page = open_page("model_checks")
    page.text_input(key="folder-train").set_value("/no/such/place").run()
    assert "There is no such folder" in words(page)
    assert next(b for b in page.button if b.label == "Run checks").disabled


@pytest.mark.usefixtures("worker")
def test_running_checks_submits_a_job_that_can_be_stopped_and_retried(open_page, demo):
    page = open_page("model_checks")
    next(b for b in page.button if b.label == "Run checks").click().run()
    [job] = jobs.list_jobs()
    assert job.payload == {
        "model_uri": "models:/digits-cnn/3",
        "train": str(demo.data_repo / "images" / "train"),
        "test": str(demo.data_repo / "images" / "val"),
        "suite": "computer_vision",
    }
    page.button(key=f"page-stop-{job.id}").click().run()
    assert jobs.status(job.id).state == "cancelled"
    assert "It was stopped" in words(page)
    page.button(key=f"retry-{job.id}").click().run()
    again = jobs.list_jobs()[0]
    assert (again.id != job.id, again.payload) == (True, job.payload)
    assert page.button(key=f"page-stop-{again.id}")
    jobs.cancel(again.id)


def test_a_worker_that_cannot_start_is_told_beside_the_waiting_job(open_page, home):
    with contextlib.closing(sqlite3.connect(home / "worker.lock", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        page = open_page("model_checks")
        next(b for b in page.button if b.label == "Run checks").click().run()
        deadline = time.monotonic() + 60
        while not page.error and time.monotonic() < deadline:
            time.sleep(0.5)
            page.run()
        assert "No worker takes this job" in words(page)
        assert "worker already runs" in words(page)
        jobs.cancel(jobs.list_jobs()[0].id)


def test_findings_are_grouped_by_state_with_their_evidence(open_page, done):
    page = open_page("model_checks")
    assert "1 of 3 checks found an issue with digits-cnn version 3" in words(page)
    assert {m.label.split("] ")[1]: m.value for m in page.metric} == {"Issues": "1", "Passed": "1", "Do not apply": "1"}
    assert r"OVF501 Performance by class \<i\>" in words(page)
    assert "0.581" in words(page)
    assert {e.label for e in page.expander} >= {"Passed: 1", "Do not apply: 1"}


def test_a_job_whose_worker_has_gone_can_be_retried(open_page, store):
    job_id = store.add_job("validate", PAYLOAD)
    store.claim_job(job_id, 2**22 - 1, jobs.queue.host_name())
    page = open_page("model_checks")
    assert jobs.status(job_id).state == "lost"
    assert "worker stopped while it ran this job" in words(page)
    assert "Retry" in [b.label for b in page.button]


def test_a_failure_is_told_in_its_own_words(open_page, store):
    job_id = store.add_job("validate", PAYLOAD)
    store.claim_job(job_id, 1, "here")
    store.finish_job(job_id, 1, "failed", error="The model <b> does not fit. See https://example.org for more.")
    page = open_page("model_checks")
    assert r"The model \<b\> does not fit." in words(page)
    assert "https\\://" not in words(page)  # an address in an error is not made a link


def test_without_a_store_a_model_can_still_be_typed(open_page, settings_file):
    settings_file(mlflow=None)
    page = open_page("model_checks")
    assert page.selectbox(key="check-model").options == []
    assert "Choose a model" in words(page)
    assert next(b for b in page.button if b.label == "Run checks").disabled


def test_a_store_that_is_out_of_reach_is_told_beside_the_form(open_page, settings_file, free_port):
    settings_file(mlflow={"tracking_uri": f"http://127.0.0.1:{free_port()}", "timeout_s": 1, "max_retries": 0})
    page = open_page("model_checks")
    assert "models cannot be listed" in words(page)
    assert page.text_input(key="folder-train").value
