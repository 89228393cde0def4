from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from copilot.core.findings import CauseName
from copilot.core.papers import ResearchResult, bibtex
from copilot.errors import InputError, JobCancelled, MissingExtraError, ToolError
from copilot.integrations.research_assistant import LIBRARY, TOPICS, ResearchAssistant, classify_problem
from copilot.integrations.vector_store import PaperLibrary
from copilot.utils.config import ResearchSettings
from tests.integrations.paper_servers import PaperServer


@pytest.fixture
def library(tmp_path: Path) -> PaperLibrary:
    return PaperLibrary(tmp_path / "papers")


@pytest.fixture
def servers():
    """arXiv's and Semantic Scholar's servers; a test sets their modes."""
    with PaperServer() as arxiv, PaperServer() as scholar:
        yield arxiv, scholar


def settings(servers, **fields) -> ResearchSettings:
    arxiv, scholar = servers
    urls = {"arxiv_url": arxiv.arxiv_url, "semantic_scholar_url": scholar.url}
    return ResearchSettings(**({"timeout_s": 5.0} | urls | fields))


def assistant(servers, library, **fields) -> ResearchAssistant:
    return ResearchAssistant(settings(servers, **fields), library)


def states(result: ResearchResult) -> dict[str, str]:
    return {status.name: status.state for status in result.sources}


def test_a_search_merges_ranks_and_keeps(servers, library):
    result = assistant(servers, library).search("learning with noisy labels")
    assert states(result) == {"arXiv": "ok", "Semantic Scholar": "ok"}
    assert result.problem == "label_noise"
    assert not result.from_library
    first = result.papers[0]
    assert first.id == "arxiv:1804.06872"
    assert first.source == "arXiv, Semantic Scholar"
    assert (first.citation_count, first.venue) == (2500, "Neural Information Processing Systems")
    assert len({paper.id for paper in result.papers}) == len(result.papers)
    assert [p.relevance for p in result.papers] == sorted((p.relevance for p in result.papers), reverse=True)
    assert result.summary == f"{len(result.papers)} papers on label noise from arXiv and Semantic Scholar."
    assert library.count() == len(result.papers)
    assert library.get(first.id).abstract == first.abstract
    assert ResearchResult.model_validate_json(result.model_dump_json()) == result
    assert bibtex(result.papers).count("@") == len(result.papers)


def test_a_problem_alone_is_enough(servers, library):
    result = assistant(servers, library).search(problem="class_imbalance")
    assert result.query == TOPICS["class_imbalance"].terms
    assert result.problem == "class_imbalance"
    assert "arxiv:1708.02002" in {paper.id for paper in result.papers}
    asked = servers[0].asked[0].query["search_query"][0]
    assert asked.startswith("(all:class AND all:imbalance AND")
    assert asked.endswith('AND (all:"overfitting" OR all:"computer vision" OR all:"regularization")')


def test_a_query_and_a_problem_are_asked_together(servers, library):
    result = assistant(servers, library, keywords=[]).search("chest scans", problem="label_noise")
    assert result.query == "chest scans learning with noisy labels image classification"


def test_max_papers_and_sources_are_kept_to(servers, library):
    result = assistant(servers, library, max_papers=1, sources=["semantic_scholar"]).search("noisy labels")
    assert len(result.papers) == 1 == library.count()
    assert states(result) == {"Semantic Scholar": "ok"}
    assert servers[0].asked == []
    assert result.summary == "1 paper on label noise from Semantic Scholar."


def test_one_lost_source_is_told_and_the_other_answers(servers, library):
    servers[0].mode = "html"
    result = assistant(servers, library).search("noisy labels")
    assert states(result) == {"arXiv": "failed", "Semantic Scholar": "ok"}
    assert "sign-in page" in result.sources[0].message
    assert servers[0].arxiv_url in result.sources[0].message
    assert result.papers
    assert result.summary.endswith("from Semantic Scholar. arXiv could not be used.")


def test_an_empty_answer_is_no_failure(servers, library):
    for server in servers:
        server.mode = "empty"
    result = assistant(servers, library).search("quark gluon plasma")
    assert states(result) == {"arXiv": "empty", "Semantic Scholar": "empty"}
    assert result.papers == ()
    assert result.summary == "No paper on “quark gluon plasma” was found."
    assert library.count() == 0


def test_the_library_answers_when_no_source_does(servers, library):
    searcher = assistant(servers, library)
    searcher.search("learning with noisy labels")
    servers[0].mode, servers[1].mode = "503", "429"
    result = searcher.search("noisy labels")
    assert result.from_library
    assert states(result) == {"arXiv": "failed", "Semantic Scholar": "failed", LIBRARY: "ok"}
    assert result.papers[0].id == "arxiv:1804.06872"
    assert result.summary == (
        f"{len(result.papers)} papers on label noise from earlier searches. "
        "arXiv and Semantic Scholar could not be used."
    )


def test_the_library_helps_when_one_source_is_lost_and_the_other_empty(servers, library):
    searcher = assistant(servers, library)
    searcher.search("noisy labels")
    servers[0].mode, servers[1].mode = "503", "empty"
    assert searcher.search("noisy labels").from_library
    nothing = searcher.search("quark gluon plasma")
    assert (nothing.papers, nothing.from_library) == ((), False)
    assert states(nothing) == {"arXiv": "failed", "Semantic Scholar": "empty", LIBRARY: "empty"}
    assert nothing.summary == "No paper on “quark gluon plasma” was found. arXiv could not be used."


def test_nothing_reached_and_nothing_kept_is_an_error(servers, library, free_port):
    dead = f"http://127.0.0.1:{free_port()}"
    servers[1].mode = "401"
    started = time.monotonic()
    with pytest.raises(ToolError) as caught:
        assistant(servers, library, arxiv_url=f"{dead}/api/query").search("noisy labels")
    text = str(caught.value)
    assert text.startswith("No source answered, and the library has no paper on this. arXiv (")
    assert "set research.arxiv_url" in text
    assert "Check research.semantic_scholar_key" in text
    assert "\n" not in text
    assert time.monotonic() - started < 5


def test_slow_sources_are_asked_side_by_side(servers, library):
    for server in servers:
        server.mode = "drip_body"
    started = time.monotonic()
    with pytest.raises(ToolError, match="no whole answer in time"):
        assistant(servers, library, timeout_s=1.5).search("noisy labels")
    assert time.monotonic() - started < 2.9  # one after the other takes 3 s


def test_a_damaged_library_does_not_spoil_an_answer(servers, library):
    library.folder.mkdir(parents=True)
    (library.folder / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    result = assistant(servers, library).search("noisy labels")
    assert result.papers
    assert states(result)[LIBRARY] == "failed"
    assert result.summary.endswith("They could not be kept in the library.")
    servers[0].mode = servers[1].mode = "503"
    with pytest.raises(ToolError, match=r"No source answered\. The paper library in .* cannot be opened"):
        assistant(servers, library).search("noisy labels")


def test_without_sources_the_library_answers(servers, library):
    assistant(servers, library).search("noisy labels")
    result = assistant(servers, library, sources=[]).search("noisy labels")
    assert result.from_library
    assert result.summary.endswith("from earlier searches. No source is set.")
    with pytest.raises(ToolError, match=r"Name a source in research\.sources"):
        assistant(servers, library, sources=[]).search("quark gluon plasma")


def test_progress_rises_and_a_cancel_is_let_through(servers, library):
    seen = []
    assistant(servers, library).search("noisy labels", progress=lambda fraction, line: seen.append((fraction, line)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert seen[0][1] == "Asking arXiv and Semantic Scholar"

    def stop(fraction: float, line: str) -> None:
        if fraction > 0:
            raise JobCancelled("Stopped.")

    servers[0].mode = "drip_body"
    started = time.monotonic()
    with pytest.raises(JobCancelled):
        assistant(servers, library, timeout_s=3.0).search("noisy labels", progress=stop)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("query", "problem", "line"),
    [
        (None, None, "There is nothing to search for"),
        (" \u200b\n", None, "There is nothing to search for"),
        ("what is the", None, "holds no word to search for"),
        ("x", "label_noize", "Unknown problem: label_noize. Did you mean label_noise?"),
    ],
)
def test_bad_questions_are_the_person_s_to_mend(servers, library, query, problem, line):
    with pytest.raises(InputError) as caught:
        assistant(servers, library).search(query, problem)
    assert line in str(caught.value)


def test_hostile_text_goes_through_the_whole_path(servers, library):
    for server in servers:
        server.mode = "hostile"
    result = assistant(servers, library).search("noisy labels")
    (paper,) = result.papers
    assert paper.url == "https://arxiv.org/abs/2401.00001"
    assert library.search("labels")[0].id == paper.id
    text = bibtex(result.papers)
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("arxiv", "arxiv_source"),
        ("semanticscholar", "semantic_scholar_source"),
        ("chromadb", "vector_store"),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, package, module):
    monkeypatch.setitem(sys.modules, package, None)
    source = Path(sys.modules[f"copilot.integrations.{module}"].__file__)
    with pytest.raises(MissingExtraError, match=r"mlops-copilot\[research\]"):
        runpy.run_path(str(source))


def test_every_cause_has_its_terms():
    assert set(TOPICS) == set(get_args(CauseName))
    assert len({topic.terms for topic in TOPICS.values()}) == len(TOPICS)


@pytest.mark.parametrize(
    ("question", "cause"),
    [
        ("label noise in medical images", "label_noise"),
        ("my training images are mislabelled", "label_noise"),
        ("duplicates between train and validation", "leakage"),
        ("covariate shift at a new hospital", "distribution_shift"),
        ("long-tailed class frequencies", "class_imbalance"),
        ("few labelled images per class, only a small dataset", "small_dataset"),
        ("confidence intervals for a small test set", "validation_too_small"),
        ("test set reuse on public benchmarks", "validation_overused"),
        ("early stopping", "trained_too_long"),
        ("loss is nan with a large learning rate", "optimization"),
        ("underfitting of a tiny network", "underpowered_model"),
        ("does weight decay help generalization", "capacity"),
        ("vision transformers", None),
    ],
)
def test_a_question_is_classified_by_its_words(question, cause):
    assert classify_problem(question) == cause
