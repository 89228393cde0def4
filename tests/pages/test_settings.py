"""The settings page: the store of the session, health, settings in force, checks and jobs."""

from __future__ import annotations

import pytest

from copilot import CopilotAnalyzer, jobs
from tests.pages.conftest import words


def _show(page, part):
    page.segmented_control(key="settings-part").set_value(part).run()
    assert not page.exception
    return page


def _use(page, uri):
    page.text_input(key="store-typed").set_value(uri)
    next(b for b in page.button if b.label == "Try and use").click().run()
    return page


def test_health_lists_everything_with_a_word(open_page):
    page = open_page("settings")
    lines = words(page)
    for item in CopilotAnalyzer().health():
        assert f"**{item.name}**" in lines
    assert "Works" in lines


def test_what_failed_comes_first_with_what_to_do(open_page, settings_file, tmp_path):
    settings_file(dvc={"repo": str(tmp_path), "data_path": "images"})
    page = open_page("settings")
    badges = [m.value for m in page.markdown if "-badge[" in m.value]
    assert "Failed" in badges[0]
    assert "DVC data" in badges[0]
    assert "dvc init" in words(page)


def test_another_store_is_used_for_this_session_only(open_page, settings_file, demo, overfitted_run):
    settings_file(mlflow=None)
    page = open_page("settings")
    assert "none is set" in words(page)
    _use(page, demo.tracking_uri)
    assert "this session only" in words(page)
    assert not page.error
    page.query_params["run"] = overfitted_run
    page.switch_page("pages/chat.py").run()
    assert page.chat_input
    assert "none is set" in words(open_page("settings"))


@pytest.mark.parametrize("uri", ["http://someone:secret-word@127.0.0.1:9", "sqlite:////nowhere/mlflow.db", "nonsense"])
def test_a_store_that_does_not_answer_is_refused_and_the_old_one_kept(open_page, demo, uri):
    page = _use(open_page("settings"), uri)
    assert len(page.error) == 1
    assert demo.tracking_uri in words(page)
    assert "secret-word" not in words(page)


def test_settings_are_shown_with_their_origin_and_without_secrets(open_page, monkeypatch, demo):
    monkeypatch.setenv("MLOPS_COPILOT_RESEARCH__SEMANTIC_SCHOLAR_KEY", "secret-word")
    monkeypatch.setenv("MLOPS_COPILOT_CHAT__SUGGESTIONS", "3")
    page = _show(open_page("settings"), "Settings")
    rows = {row["Setting"].replace("\\", ""): row for table in page.table for row in table.value.to_dict("records")}
    assert rows["experiment_name"]["Value"] == "digits-cnn"
    assert rows["experiment_name"]["From"] == r"settings.yaml"
    assert (rows["suggestions"]["Value"], rows["suggestions"]["From"]) == ("3", "environment")
    assert rows["max_retries"]["From"] == "default"
    assert "secret-word" not in str(rows)
    assert "None" not in {row["Value"] for row in rows.values()}
    assert rows["semantic_scholar_key"]["From"] == "environment"


def test_every_check_is_listed_with_the_thresholds_in_force(open_page, settings_file):
    settings_file(detection={"checks": {"OVF105": {"idle_share": 0.75}}, "ignore": {"OVF104": "known <noise>"}})
    page = _show(open_page("settings"), "Checks")
    titles = [e.label for e in page.expander]
    known = CopilotAnalyzer().describe_checks()
    assert [c.code for c in known] == [title.split("**")[1] for title in titles]
    assert titles[3].endswith("muted")
    assert all(f"**{heading}**" in words(page) for heading, _ in known[0].sections())
    tables = [table.value for table in page.table]
    plateau = next(t for t in tables if (t["Threshold"] == r"idle\_share").any())
    changed = plateau[plateau["Threshold"] == r"idle\_share"].iloc[0]
    assert (changed["Value"], changed["Default"]) == ("0.75", "0.5")


def test_jobs_are_listed_with_their_state_and_can_be_retried(open_page):
    with CopilotAnalyzer().store as store:
        job_id = store.add_job("research", {"about": "[x](y)"})
        store.claim_job(job_id, 1, "here")
        store.finish_job(job_id, 1, "failed", error="No source answered.")
    page = _show(open_page("settings"), "Jobs")
    assert r"\[x\]\(y\)" in words(page)
    assert "No source answered" in words(page)
    page.button(key=f"retry-{job_id}").click().run()
    again = jobs.list_jobs()[0]
    assert again.payload == {"about": "[x](y)"}
    assert again.id != job_id
    jobs.cancel(again.id)
