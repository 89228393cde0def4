from __future__ import annotations

import time

import pytest

from copilot.core.papers import ABSTRACT_CHARS
from copilot.errors import InputError, ToolError
from copilot.integrations.arxiv_source import PAUSE_S, ArxivSource
from tests.integrations.paper_servers import PaperServer


def search(server: PaperServer, query: str = "noisy labels", timeout_s: float = 5.0, **kwargs):
    return ArxivSource(server.arxiv_url, timeout_s).search(query, **kwargs)


def test_papers_come_with_their_fields():
    with PaperServer() as server:
        papers = search(server)
    first, second = papers
    assert (first.id, first.arxiv_id, first.year, first.source) == ("arxiv:1804.06872", "1804.06872", 2018, "arXiv")
    assert first.title.startswith("Co-teaching: Robust Training")
    assert first.authors == ("Bo Han", "Quanming Yao", "Xingrui Yu", "Gang Niu")
    assert first.url == "https://arxiv.org/abs/1804.06872"
    assert first.abstract.startswith("Two networks teach each other")
    assert (second.id, second.doi) == ("arxiv:1911.00068", "10.1613/jair.1.12125")


def test_the_narrow_question_is_asked_first_then_the_wide_one():
    with PaperServer() as server:
        assert len(search(server, keywords=["overfitting", "computer vision"])) == 1
        assert len(server.asked) == 1
        papers = search(server, "noisy foreground quarks", keywords=["overfitting"])
        expressions = [asked.query["search_query"][0] for asked in server.asked[1:]]
    assert expressions == [
        '(all:noisy AND all:foreground AND all:quarks) AND (all:"overfitting")',
        "all:noisy OR all:foreground OR all:quarks",
    ]
    assert {paper.id for paper in papers} == {"arxiv:1804.06872", "arxiv:1911.00068", "arxiv:1708.02002"}


def test_the_limit_and_the_query_reach_the_server():
    with PaperServer() as server:
        assert len(search(server, limit=1)) == 1
        asked = server.asked[0]
    assert asked.path == "/api/query"
    assert asked.query["max_results"] == ["1"]
    assert asked.query["sortBy"] == ["relevance"]


def test_a_query_cannot_add_operators_or_parameters():
    with PaperServer() as server:
        search(server, 'labels") OR au:smith &max_results=5000#x {0} %00 ANDNOT noisy')
        asked = server.asked[0].query
    assert asked["max_results"] == ["10"]
    assert asked["search_query"][0].startswith("all:labels AND all:au AND all:smith AND all:max AND all:results")


def test_an_empty_answer_is_an_empty_list():
    with PaperServer("empty") as server:
        assert search(server) == []
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("html", "did not answer with a feed of papers. A sign-in page may be in the way"),
        ("truncated", "did not answer with a feed of papers"),
        ("error", "reports an error: malformed query"),
        ("lost", "says that papers match but sent none"),
        ("junk", "answered with a feed that cannot be read|says that papers match but sent none"),
        ("401", r"refused the request \(HTTP 401\). Check research.arxiv_url"),
        ("404", r"did not accept the request \(HTTP 404\). Check research.arxiv_url"),
        ("429", r"asks for fewer requests \(HTTP 429\). Wait a minute"),
        ("503", r"is out of order \(HTTP 503\). Try again later"),
        ("huge", "more than 4 MB"),
        ("redirect", "which is not followed. A sign-in page may be in the way"),
    ],
)
def test_a_failure_is_no_empty_answer(mode, line):
    with PaperServer(mode) as server:
        with pytest.raises(ToolError, match=line) as caught:
            search(server)
        assert str(caught.value).startswith(f"arXiv ({server.arxiv_url}) ")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("mode", ["drip_body", "drip_headers"])
def test_the_time_limit_holds_for_a_slow_server(mode):
    with PaperServer(mode) as server:
        started = time.monotonic()
        with pytest.raises(ToolError, match=r"arXiv \(http.*gave no whole answer in time"):
            search(server, timeout_s=0.7)
        assert time.monotonic() - started < 4


def test_a_dead_address_names_the_setting(free_port):
    source = ArxivSource(f"http://127.0.0.1:{free_port()}/api/query", 2)
    with pytest.raises(ToolError, match=r"could not be reached.*Check the network or set research\.arxiv_url"):
        source.search("noisy labels")


def test_hostile_text_is_cleaned_and_capped():
    with PaperServer("hostile") as server:
        (paper,) = search(server)
    assert paper.title.startswith("Noisy labels gnp.exe <script>")
    assert len(paper.abstract) == ABSTRACT_CHARS
    assert not any(char in paper.title + paper.abstract for char in "\u202e\u200b\x7f\n")


def test_entities_are_not_expanded(http_server):
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        '<!ENTITY f SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom"><entry>'
        "<id>http://arxiv.org/abs/2401.00001v1</id><title>T &b; &f;</title><updated>2024-01-01T00:00:00Z</updated>"
        "<published>2024-01-01T00:00:00Z</published></entry></feed>"
    )
    server = http_server(lambda request: bomb)
    (paper,) = ArxivSource(f"{server.url}/api/query", 5).search("labels")
    assert paper.title == "T"


def test_a_question_without_words_is_not_sent():
    with PaperServer() as server:
        with pytest.raises(InputError, match="holds no word"):
            search(server, "what is the … ?")
        assert server.asked == []


def test_an_address_with_a_query_and_braces_is_kept():
    with PaperServer() as server:
        papers = ArxivSource(f"{server.arxiv_url}?tag={{x}}", 5).search("noisy labels")
        assert server.asked[0].query["tag"] == ["{x}"]
    assert len(papers) == 2


def test_arxiv_itself_is_asked_once_in_three_seconds(monkeypatch):
    with PaperServer() as server:
        monkeypatch.setenv("http_proxy", server.url)  # requests for arXiv's host end at the loopback server
        monkeypatch.setenv("no_proxy", "")
        for _ in range(2):
            assert len(ArxivSource("http://export.arxiv.org/api/query", 10).search("noisy labels")) == 2
        with pytest.raises(ToolError, match="allows one request every three seconds"):
            ArxivSource("http://export.arxiv.org/api/query", 1).search("noisy labels")
        first, second = [asked.at for asked in server.asked]
    assert second - first > PAUSE_S - 0.1
