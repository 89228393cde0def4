"""The research page on a loopback server that speaks for arXiv and Semantic Scholar."""

from __future__ import annotations

import pytest

from copilot import CopilotAnalyzer, jobs
from copilot.reporting.words import cause_label
from copilot.utils.config import load_settings
from tests.integrations.paper_servers import PaperServer
from tests.pages.conftest import labels, stop_worker, words


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory):
    """One home folder for these tests: the worker that the first page starts serves them all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_COPILOT_HOME", str(tmp_path_factory.mktemp("research-home")))
        yield
        stop_worker()


@pytest.fixture
def papers():
    with PaperServer() as server:
        yield server


@pytest.fixture
def visit(open_page, settings_file, papers):
    """Open the page with its sources on the loopback server."""
    settings_file(research={"arxiv_url": papers.arxiv_url, "semantic_scholar_url": papers.url})
    return lambda **query: open_page("research", **query)


def _search(page, question=None):
    if question is not None:
        page.text_input(key="question").set_value(question)
    return _ended(page, next(b for b in page.button if b.label == "Find papers"))


def _ended(page, button):
    """Press `button`, wait for the job that it starts, and look at the page again."""
    button.click().run()
    jobs.wait(jobs.list_jobs()[0].id, 60, load_settings())
    return page.run()


def test_papers_come_with_link_source_and_bibtex_and_the_library_keeps_them(visit, papers):
    page = _search(visit(), "noisy labels")
    assert "4 papers on label noise" in words(page)
    assert "](https://arxiv.org/abs/1804.06872)" in words(page)
    assert "Found by arXiv and Semantic Scholar" in words(page)
    assert labels(page, "download_button") == ["BibTeX of 4"]
    assert "4 papers in your library" in words(page)
    papers.mode = "503"
    page = _search(page, "noisy labels")
    assert "from earlier searches" in words(page)
    assert words(page).count("out of order") == 2


def test_the_likely_cause_of_the_run_is_filled_in_and_searched_for(visit, demo, overfitted_run):
    cause = CopilotAnalyzer(demo.config_file).analyze_model(overfitted_run).diagnosis.causes[0].cause
    page = visit(run=overfitted_run)
    assert page.text_input(key="question").value.lower() == cause_label(cause)
    page = _search(page)
    job = jobs.status(jobs.list_jobs()[0].id)
    assert list(job.payload) == ["analysis_id"]
    assert job.result["problem"] == cause
    assert job.result["query"] in words(page)


def test_when_no_source_answers_the_reason_and_retry_are_shown(visit, papers):
    papers.mode = "503"
    page = _search(visit(), "zebra stripes")
    assert "No source answered" in words(page)
    assert "arXiv" in words(page)
    papers.mode = "empty"
    page = _ended(page, next(b for b in page.button if b.label == "Retry"))
    assert "No paper on “zebra stripes” was found" in words(page)
    assert words(page).count("no paper matches") == 2


def test_hostile_papers_are_text(visit, papers):
    papers.mode = "hostile"
    page = _search(visit(), "noisy labels")
    assert r"\<script\>alert\(1\)\</script\>" in words(page)
    assert r"\[click\]\(javascript\:alert\(1\)\)" in words(page)


def test_an_idea_is_searched_for_once(visit):
    page, before = visit(), len(jobs.list_jobs())
    page.button_group[0].select("Early stopping")
    page.run()
    page.run()
    assert len(jobs.list_jobs()) == before + 1
    assert jobs.list_jobs()[0].payload == {"about": "Early stopping"}
    assert page.text_input(key="question").value == "Early stopping"


def test_an_empty_question_is_not_searched_for(visit):
    page, before = visit(), len(jobs.list_jobs())
    next(b for b in page.button if b.label == "Find papers").click().run()
    assert len(jobs.list_jobs()) == before
    assert "Type a question" in words(page)
