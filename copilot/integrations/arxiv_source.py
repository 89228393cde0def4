"""arXiv's query API: the `arxiv` package builds the request and reads the feed, a bounded GET carries it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from copilot.core.papers import Paper, content_words
from copilot.errors import InputError, MissingExtraError
from copilot.integrations.web import Service, fetch
from copilot.utils.validators import clean_text

try:
    import arxiv
    from lxml import etree
except ImportError as error:
    raise MissingExtraError("Paper search on arXiv", "research") from error

ARXIV_URL = "https://export.arxiv.org/api/query"
MAX_KEYWORDS = 6
PAUSE_S = 3.0  # arXiv's terms of use: one request every three seconds
_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"


class ArxivSource:
    """Search arXiv.

    Parameters
    ----------
    base_url : str
        Address of the query API.
    timeout_s : float
        Seconds that one search may take in all.

    Raises
    ------
    InputError
        `base_url` is not a web address.
    """

    name = "arXiv"

    def __init__(self, base_url: str = ARXIV_URL, timeout_s: float = 15.0) -> None:
        self._service = Service(self.name, base_url, "research.arxiv_url")
        self._timeout_s = timeout_s

    def search(self, query: str, limit: int = 10, keywords: Sequence[str] = ()) -> list[Paper]:
        """Papers on `query`, arXiv's best first; an empty list means that arXiv answered and has none.

        Asked first are papers with every word of the query and one of the keywords, then papers with any of the words.

        Raises
        ------
        ToolError
            arXiv was out of reach, too slow, or answered with something else than a feed of papers.
        InputError
            The query holds no word to search for.
        """
        deadline = time.monotonic() + self._timeout_s
        for expression in _expressions(query, keywords):
            if papers := self._ask(expression, limit, deadline):
                return papers
        return []

    def _ask(self, expression: str, limit: int, deadline: float) -> list[Paper]:
        url = self._service.url.replace("{", "{{").replace("}", "}}")
        client = arxiv.Client(page_size=limit, delay_seconds=0.0, num_retries=0)  # the pause is kept in _Session
        client.query_url_format = url.rstrip("?") + ("&{}" if "?" in url.rstrip("?") else "?{}")
        client._session = session = _Session(self._service, deadline)  # the package's own has no timeout
        try:
            results = list(client.results(arxiv.Search(query=expression, max_results=limit)))
        except (arxiv.ArxivError, ValueError, TypeError) as error:
            raise self._service.error("answered with a feed that cannot be read") from error
        papers = [paper for result in results if (paper := _paper(result))]
        if session.promised and not papers:
            raise self._service.error("says that papers match but sent none", "Try again.")
        return papers


@dataclass
class _Answer:
    content: bytes
    status_code: int = 200


class _Session(requests.Session):
    """What `arxiv.Client` sends its requests through: bounded, paced, and only feeds come back."""

    _pace = threading.Lock()
    _last_request = -PAUSE_S

    def __init__(self, service: Service, deadline: float) -> None:
        super().__init__()
        self._service, self._deadline = service, deadline
        self.promised = 0

    def get(self, url: str, **kwargs) -> _Answer:
        self._wait_for_turn()
        body = fetch(url, self._service, self._deadline, kwargs.get("headers"))
        self.promised += _checked_total(body, self._service)
        return _Answer(body)

    def _wait_for_turn(self) -> None:
        if not (urlsplit(self._service.url).hostname or "").endswith("arxiv.org"):
            return
        with _Session._pace:
            turn = max(time.monotonic(), _Session._last_request + PAUSE_S)
            if turn >= self._deadline:
                raise self._service.error("allows one request every three seconds", "Try again in a few seconds.")
            _Session._last_request = turn
        time.sleep(max(turn - time.monotonic(), 0.0))


def _checked_total(body: bytes, service: Service) -> int:
    """How many papers the feed says match; a page that is no feed, and arXiv's error entry, are failures."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        feed = etree.fromstring(body, parser=parser)
    except (etree.XMLSyntaxError, ValueError):
        feed = None
    if feed is None or feed.tag != f"{_ATOM}feed":
        raise service.not_itself("a feed of papers")
    for entry in feed.iterfind(f"{_ATOM}entry"):
        if "/api/errors" in (entry.findtext(f"{_ATOM}id") or ""):
            reason = clean_text(entry.findtext(f"{_ATOM}summary") or "no reason given")
            raise service.error(f"reports an error: {reason}", "Ask with other words.")
    total = (feed.findtext(_TOTAL) or "").strip()
    return int(total) if total.isascii() and total.isdigit() and len(total) < 10 else 0


def _expressions(query: str, keywords: Sequence[str]) -> list[str]:
    """Query expressions, the narrow one first; only words and quotes of ours go in, so a query cannot add operators."""
    words = content_words(query)
    if not words:
        raise InputError("The question holds no word to search for.", "Name the problem, for example: label noise.")
    narrow = " AND ".join(f"all:{word}" for word in words)
    phrases = ['all:"' + " ".join(content_words(keyword)) + '"' for keyword in keywords if content_words(keyword)]
    if phrases:
        narrow = f"({narrow}) AND ({' OR '.join(phrases[:MAX_KEYWORDS])})"
    return list(dict.fromkeys([narrow, " OR ".join(f"all:{word}" for word in words)]))


def _paper(result: arxiv.Result) -> Paper | None:
    found = re.search(r"/abs/(.+)$", result.entry_id)
    return Paper.of(
        title=result.title,
        source=ArxivSource.name,
        arxiv_id=found[1] if found else None,
        doi=result.doi,
        authors=[author.name for author in result.authors],
        year=result.published.year,
        venue=result.journal_ref or "arXiv",
        abstract=result.summary,
    )
