"""The page of model checks: what it submits, and what it shows of a job in every state."""

from __future__ import annotations

import contextlib
import sqlite3
import time

import pytest

from copilot import CopilotAnalyzer, jobs
from copilot.core.findings import Evidence, Outcome
from copilot.probes.base import BaseProbe
from tests.pages.checked import checked, class_gap, finish, number, picture
from tests.pages.conftest import labels, stop_worker, words

PAYLOAD = {"model_uri": "models:/digits-cnn/3", "train": "/a", "test": "/b", "suite": "computer_vision"}
WEAK = Outcome(
    code="OVF501",
    title="Performance by class <i>",
    state="issue",
    severity="medium",
    summary="5 scores failed.",
    evidence=(Evidence(name="lowest test recall of a class (8)", value=0.581, source="deepchecks:ClassPerformance"),),
)
CALM = [
    Outcome(code="OVF504", title="Drift of the predictions", state="passed", summary="No drift."),
    Outcome(code="OVF515", title="Average image", state="not_applicable", summary="Sizes differ."),
]
LOOKED_AT = Outcome(
    code="OVF300",
    title="Model and images",
    state="passed",
    summary="Asked the model on cpu about 20 of 20 training images. Left out: val/<b>.png.",
    evidence=(number("unreadable_images", 2, None, "images"),),
)


class Odd(BaseProbe):
    """The model is odd in *some* way.

    What is measured.
    """

    code, title, name = "OVF398", "Oddness <b>", "oddness"


class Even(Odd):
    """The model is even."""

    code, title, name = "OVF399", "Evenness", "evenness"


@pytest.fixture
def probes(monkeypatch):
    """Two probes, whatever else is there."""
    monkeypatch.setattr("copilot.probes.loading.BUILT_IN", (Odd, Even))


@pytest.fixture
def worker():
    """The worker that the page starts is stopped after the test."""
    yield
    stop_worker()


@pytest.fixture
def submitted(monkeypatch):
    """What the page submits, with the settings; no worker starts."""
    kept = []
    put = jobs.submit

    def submit(kind, payload, settings=None):
        kept.append((payload, settings))
        return put(kind, payload, settings)

    monkeypatch.setattr("copilot.jobs.submit", submit)
    monkeypatch.setattr("copilot.ui.state.start_worker", lambda: None)
    return kept


@pytest.fixture
def store(open_page):
    with CopilotAnalyzer().store as opened:
        yield opened


@pytest.fixture
def done(store):
    """The id of a finished set of checks of version 3."""
    outcomes = [LOOKED_AT, class_gap(0.99, 0.7, "high"), WEAK, *CALM]
    analysis = checked(outcomes, [picture("OVF301", "Mistakes")], model_uri=PAYLOAD["model_uri"])
    return finish(store, PAYLOAD, analysis)


@pytest.fixture
def earlier(store):
    """The id of a finished set of checks of version 1, before `done` if asked for first."""
    payload = PAYLOAD | {"model_uri": "models:/digits-cnn/1", "suite": "none"}
    return finish(store, payload, checked([class_gap(0.9, 0.85)]))


def start(page):
    return next(b for b in page.button if b.label == "Start")


def metrics(page) -> dict[str, str]:
    return {m.label.split("] ")[-1]: m.value for m in page.metric}


def test_the_run_in_the_address_and_the_settings_folders_are_filled_in(open_page, demo, overfitted_run):
    page = open_page("model_checks", run=overfitted_run)
    model = page.selectbox(key="check-model")
    assert model.value == CopilotAnalyzer().source.run(overfitted_run).model_uris[0]
    assert "digits-cnn version 3 (champion)" in model.options
    assert page.text_input(key="check-train").value == str(demo.data_repo / "images" / "train")
    assert page.text_input(key="check-val").value == str(demo.data_repo / "images" / "val")
    assert "AGPL" in words(page)


@pytest.mark.parametrize("named", ["/no/such/place", "/no/such.npz#train", "x" * 300])
def test_images_that_are_not_there_are_told_before_anything_runs(open_page, named):
    page = open_page("model_checks")
    page.text_input(key="check-train").set_value(named).run()
    assert "There is no such file or folder" in words(page)
    assert start(page).disabled


@pytest.mark.usefixtures("probes")
def test_other_forms_of_image_sets_and_what_the_run_logged_are_handed_on(open_page, submitted):
    page = open_page("model_checks")
    page.text_input(key="check-train").set_value("dvc:v1:images/train").run()
    page.text_input(key="check-val").set_value("").run()
    assert page.text_input(key="check-val").placeholder == "As the run logged them"
    start(page).click().run()
    [(payload, settings)] = submitted
    assert payload == {"model_uri": PAYLOAD["model_uri"], "train": "dvc:v1:images/train", "suite": "computer_vision"}
    assert settings.probes.max_samples == CopilotAnalyzer().settings.probes.max_samples


@pytest.mark.usefixtures("probes")
def test_probes_are_named_with_their_claims_and_options_are_submitted(open_page, submitted):
    page = open_page("model_checks")
    odd = page.checkbox(key="probe-oddness")
    assert (odd.label, odd.value) == (r"Oddness \<b\>", True)
    assert odd.help == r"OVF398: The model is odd in \*some\* way."
    odd.uncheck().run()
    page.selectbox(key="check-suite").select("none").run()
    page.number_input(key="check-samples").set_value(120).run()
    page.checkbox(key="check-again").check().run()
    start(page).click().run()
    [(payload, settings)] = submitted
    assert (payload["probes"], payload["suite"], payload["refresh"]) == (["evenness"], "none", True)
    assert (settings.probes.max_samples, settings.deepchecks.max_samples) == (120, 120)
    assert jobs.list_jobs()[0].settings["probes"]["max_samples"] == 120


@pytest.mark.usefixtures("probes")
def test_without_suite_and_probes_there_is_nothing_to_start(open_page):
    page = open_page("model_checks")
    page.selectbox(key="check-suite").select("none").run()
    assert not start(page).disabled
    for name in ("oddness", "evenness"):
        page.checkbox(key=f"probe-{name}").uncheck().run()
    assert start(page).disabled
    assert "nothing to run" in words(page)


def test_files_of_predictions_stand_in_for_a_model(open_page, submitted, tmp_path):
    files = [tmp_path / "train.csv", tmp_path / "val.csv"]
    page = open_page("model_checks")
    page.segmented_control(key="check-what").set_value("Files of its predictions").run()
    assert start(page).disabled
    for name, file in zip(("training", "validation"), files, strict=True):
        page.text_input(key=f"check-said-{name}").set_value(str(file)).run()
    assert "There is no such file" in words(page)
    assert start(page).disabled
    for file in files:
        file.touch()
    start(page.run()).click().run()
    [(payload, _)] = submitted
    assert (payload["predictions"], "model_uri" in payload) == ([str(f) for f in files], False)
    assert page.selectbox(key="validate-1").options[0].startswith("predictions train.csv and val.csv")


@pytest.mark.usefixtures("probes")
def test_the_form_is_as_the_address_says(open_page):
    kept = {
        "check-train": "dvc:v2:x",
        "check-samples": "77",
        "probe-oddness": "false",
        "check-suite": "None: probes only",
    }
    page = open_page("model_checks", **kept)
    assert page.text_input(key="check-train").value == "dvc:v2:x"
    assert page.number_input(key="check-samples").value == 77
    assert page.checkbox(key="probe-oddness").value is False
    assert page.selectbox(key="check-suite").value == "none"


@pytest.mark.usefixtures("worker")
def test_checks_can_be_stopped_and_retried(open_page):
    page = open_page("model_checks")
    start(page).click().run()
    [job] = jobs.list_jobs()
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
        start(page).click().run()
        deadline = time.monotonic() + 60
        while not page.error and time.monotonic() < deadline:
            time.sleep(0.5)
            page.run()
        assert "No worker takes this job" in words(page)
        assert "worker already runs" in words(page)
        jobs.cancel(jobs.list_jobs()[0].id)


@pytest.mark.usefixtures("done")
def test_the_answer_comes_first_then_issues_with_their_pictures(open_page):
    page = open_page("model_checks")
    shown = words(page)
    assert "2 issues with digits-cnn version 3" in shown
    assert "1 of high severity, 1 of medium severity" in shown
    assert "Generalisation by class: Accuracy is 99% on training" in shown
    assert metrics(page) == {"Issues": "2", "Passed": "1", "Do not apply": "1"}
    assert r"OVF501 Performance by class \<i\>" in shown
    assert "0.581" in shown
    assert [s.value for s in page.subheader] == ["The model", "Images and suite"]
    assert [e.proto.imgs[0].alt for e in page.get("image")] == ["Mistakes"]
    assert "Passed: 1 · Do not apply: 1" in [e.label for e in page.expander]


@pytest.mark.usefixtures("done")
def test_what_was_looked_at_is_a_caption_and_no_finding(open_page):
    shown = words(open_page("model_checks"))
    assert "OVF300" not in shown
    assert "about 20 of 20 training images" in shown
    assert "2 images were left out" in shown
    assert r"val/\<b\>.png" in shown


def test_what_could_not_run_at_all_is_told(open_page, store):
    failed = Outcome(code="OVF300", title="Model and images", state="error", summary="Out of memory <i>.")
    finish(store, PAYLOAD, checked([failed]))
    shown = words(open_page("model_checks"))
    assert "Nothing could be judged of" in shown
    assert r"OVF300 Model and images" in shown
    assert r"Out of memory \<i\>." in shown


def test_no_issue_is_said_in_words(open_page, store):
    finish(store, PAYLOAD, checked([class_gap(0.9, 0.9)]))
    page = open_page("model_checks")
    assert "No issue with" in words(page)
    assert "No issue here" in words(page)


def test_reports_deepchecks_page_and_the_run_are_within_reach(open_page, store, home, overfitted_run):
    kept = home / "examinations" / "deepchecks.html"
    kept.parent.mkdir()
    kept.write_text("<p>Deepchecks</p>")
    analysis = checked([WEAK], run_id=overfitted_run)
    named = analysis.provenance.model_copy(update={"artifacts": {"deepchecks_report": "examinations/deepchecks.html"}})
    finish(store, PAYLOAD, analysis.model_copy(update={"provenance": named}))
    page = open_page("model_checks")
    assert {"PDF", "HTML", "JSON", "Deepchecks' own page"} <= set(labels(page, "download_button"))
    assert "Open its run" in labels(page, "page_link")
    kept.unlink()
    page = open_page("model_checks")
    assert "Deepchecks' own page" not in labels(page, "download_button")


def test_a_result_of_another_version_can_be_made_again(open_page, store):
    job_id = store.add_job("validate", PAYLOAD)
    store.claim_job(job_id, 1, "here")
    store.finish_job(job_id, 1, "done", result={"schema_version": "0"})
    page = open_page("model_checks")
    assert "This result cannot be read" in words(page)
    assert page.button(key=f"retry-{job_id}")


def test_two_sets_of_checks_are_compared(open_page, earlier, done):
    page = open_page("model_checks")
    page.selectbox(key="checks-other").select(earlier).run()
    shown = words(page)
    assert "Issues: 1 new." in shown
    assert "other suite" in shown
    assert metrics(page)["Validation accuracy"] == "70.0 %"
    [delta] = [m.delta for m in page.metric if m.label == "Validation accuracy"]
    assert delta == "-15.0 points"
    table = page.dataframe[0].value
    assert table["Finding"].iloc[0] == "OVF301 Generalisation by class"
    assert table["Change"].iloc[0] == "new issue"
    assert table["Better or worse"].iloc[0].startswith("▼ worse +24.0")
    assert set(table["There"].iloc[1:]) == {"– Not run"}
    assert page.query_params["beside"] == earlier


def test_what_is_compared_and_shown_is_in_the_address(open_page, earlier, done):
    page = open_page("model_checks", job=earlier, beside=done)
    assert "No issue with" in words(page)
    assert "Compared" in words(page)
    page.selectbox(key="validate-0").select(done).run()
    assert "job" not in page.query_params  # the newest needs no address


def test_a_single_set_of_checks_has_nothing_to_be_compared_with(open_page, done):
    page = open_page("model_checks")
    assert page.selectbox(key="checks-other").disabled
    assert page.selectbox(key="checks-other").placeholder.startswith("No other set")


def test_an_empty_page_says_what_checks_are(open_page):
    assert "No model was checked yet" in words(open_page("model_checks"))


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
    assert start(page).disabled
    page = open_page("model_checks", **{"check-model": "/m/net.pt2"})
    assert not start(page).disabled
    page = open_page("model_checks", **{"check-model": "/m/net.pt2", "check-val": ""})
    assert start(page).disabled  # no run has logged them
    assert "Name two sets of images" in words(page)


def test_a_store_that_is_out_of_reach_is_told_beside_the_form(open_page, settings_file, free_port):
    settings_file(mlflow={"tracking_uri": f"http://127.0.0.1:{free_port()}", "timeout_s": 1, "max_retries": 0})
    page = open_page("model_checks")
    assert "models cannot be listed" in words(page)
    assert page.text_input(key="check-train").value
