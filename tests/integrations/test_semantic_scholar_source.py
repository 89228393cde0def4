from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr

from copilot.core.papers import ABSTRACT_CHARS
from copilot.errors import InputError, ToolError
from copilot.integrations.semantic_scholar_source import SemanticScholarSource
from tests.integrations.paper_servers import S2_IDS, PaperServer


def search(server: PaperServer, query: str = "noisy labels", timeout_s: float = 5.0, **kwargs):
    return SemanticScholarSource(server.url, timeout_s=timeout_s).search(query, **kwargs)


def test_papers_come_with_their_fields():
    with PaperServer() as server:
        papers = search(server, "large networks overfitting")
    by_id = {paper.id: paper for paper in papers}
    dropout = by_id["doi:10.5555/2627435.2670313"]
    assert dropout.title == "Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    assert (dropout.year, dropout.citation_count, dropout.source) == (2014, 40000, "Semantic Scholar")
    assert dropout.venue == "Journal of Machine Learning Research"
    assert dropout.url == "https://doi.org/10.5555/2627435.2670313"
    assert by_id["arxiv:1804.06872"].citation_count == 2500


def test_query_fields_and_limit_reach_the_server_escaped():
    with PaperServer() as server:
        search(server, "R&D of noisy-label & limit=99 #x + 100% déjà", limit=3)
        asked = server.asked[0]
    assert asked.path == "/graph/v1/paper/search"
    assert asked.query["query"] == ["noisy label limit 99 100 déjà"]
    assert asked.query["limit"] == ["3"]
    assert asked.query["fields"] == ["title,authors,year,venue,abstract,externalIds,citationCount"]


def test_keywords_narrow_the_question_and_are_dropped_if_nothing_matches():
    with PaperServer() as server:
        search(server, keywords=["overfitting", "computer vision"])
        assert [asked.query["query"] for asked in server.asked] == [["noisy labels overfitting computer vision"]]
        server.mode = "empty"
        assert search(server, keywords=["overfitting"]) == []
        assert [asked.query["query"][0] for asked in server.asked[1:]] == ["noisy labels overfitting", "noisy labels"]


def test_the_key_is_sent_and_never_shown():
    with PaperServer() as server:
        source = SemanticScholarSource(f"{server.url}/graph/v1/", SecretStr("s3cr3t-key"), 5)
        assert source.search("noisy labels")
        assert {name.lower(): value for name, value in server.asked[0].headers.items()}["x-api-key"] == "s3cr3t-key"
        server.mode = "401"
        with pytest.raises(ToolError) as caught:
            source.search("noisy labels")
    assert "s3cr3t" not in str(caught.value) + repr(caught.value.__cause__)
    with pytest.raises(InputError, match="holds characters that no key has") as refused:
        SemanticScholarSource("http://127.0.0.1", "two\nlines-s3cr3t")
    assert "s3cr3t" not in str(refused.value)


def test_an_empty_answer_is_an_empty_list():
    with PaperServer("empty") as server:
        assert search(server) == []


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("html", "did not answer with papers. A sign-in page may be in the way"),
        ("truncated", "did not answer with papers"),
        ("error", "did not answer with papers"),
        ("lost", "says that papers match but sent none"),
        ("junk", "answered in a form that is not its own"),
        ("400", r"did not accept the request \(HTTP 400\). Check research.semantic_scholar_url"),
        ("401", r"refused the request \(HTTP 401\). Check research.semantic_scholar_key"),
        ("404", r"did not accept the request \(HTTP 404\)"),
        ("429", r"\(HTTP 429\). Wait a minute and try again or set research.semantic_scholar_key"),
        ("502", r"is out of order \(HTTP 502\)"),
        ("503", r"is out of order \(HTTP 503\)"),
        ("huge", "more than 4 MB"),
        ("redirect", "which is not followed"),
    ],
)
def test_a_failure_is_no_empty_answer(mode, line):
    with PaperServer(mode) as server:
        with pytest.raises(ToolError, match=line) as caught:
            search(server)
        assert str(caught.value).startswith(f"Semantic Scholar ({server.url}) ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body", ["[]", "null", "1", '{"total": "1", "data": []}', '{"total": 1, "data": {}}', "[" * 99999]
)
def test_json_of_another_shape_is_a_failure(http_server, body):
    server = http_server(lambda request: body)
    with pytest.raises(ToolError, match="did not answer with papers"):
        SemanticScholarSource(server.url, timeout_s=5).search("noisy labels")


def test_missing_values_of_a_record_are_no_failure(http_server):
    record = f'{{"paperId": "{S2_IDS[0]}", "title": "T", "authors": null, "externalIds": null, "year": null}}'
    server = http_server(lambda request: f'{{"total": 3, "data": [{record}, {{"title": null}}, null]}}')
    (paper,) = SemanticScholarSource(server.url, timeout_s=5).search("noisy labels")
    assert (paper.id, paper.authors, paper.year, paper.abstract) == (f"s2:{S2_IDS[0]}", (), None, "")


@pytest.mark.parametrize("mode", ["drip_body", "drip_headers"])
def test_the_time_limit_holds_for_a_slow_server(mode):
    with PaperServer(mode) as server:
        started = time.monotonic()
        with pytest.raises(ToolError, match=r"Semantic Scholar \(http.*gave no whole answer in time"):
            search(server, timeout_s=0.7)
        assert time.monotonic() - started < 4


def test_a_dead_address_names_the_setting(free_port):
    with pytest.raises(ToolError, match=r"could not be reached.*set research\.semantic_scholar_url"):
        SemanticScholarSource(f"http://127.0.0.1:{free_port()}", timeout_s=2).search("noisy labels")


def test_hostile_text_is_cleaned_and_capped():
    with PaperServer("hostile") as server:
        (paper,) = search(server)
    assert paper.id == "arxiv:2401.00001"
    assert paper.citation_count is None
    assert len(paper.abstract) == ABSTRACT_CHARS
    assert len(paper.authors[2]) == 80
    assert not any(char in paper.title + paper.abstract for char in "\u202e\u200b\x7f\x00\n")


def test_it_works_inside_a_running_event_loop():
    """As in a notebook."""

    async def cell(server: PaperServer):
        return search(server)

    with PaperServer() as server:
        assert len(asyncio.run(cell(server))) == 2
