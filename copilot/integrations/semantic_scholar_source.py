"""Semantic Scholar's Graph API: the `semanticscholar` package builds the request, a bounded GET carries it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from pydantic import SecretStr

from copilot.core.papers import Paper, content_words
from copilot.errors import InputError, MissingExtraError
from copilot.integrations.web import Service, fetch

try:
    from semanticscholar import SemanticScholar
    from semanticscholar.ApiRequester import ApiRequester
    from semanticscholar.Paper import Paper as Record
except ImportError as error:
    raise MissingExtraError("Paper search on Semantic Scholar", "research") from error

SEMANTIC_SCHOLAR_URL = "https://api.semanticscholar.org"
MAX_WORDS = 12
_FIELDS = ["title", "authors", "year", "venue", "abstract", "externalIds", "citationCount"]


class SemanticScholarSource:
    """Search Semantic Scholar.

    Parameters
    ----------
    api_url : str
        Address of the API, without ``/graph/v1``.
    key : str or SecretStr, optional
        API key; without one few requests are allowed.
    timeout_s : float
        Seconds that one search may take in all.

    Raises
    ------
    InputError
        `api_url` is not a web address, or the key cannot be sent in a header.
    """

    name = "Semantic Scholar"

    def __init__(
        self, api_url: str = SEMANTIC_SCHOLAR_URL, key: str | SecretStr | None = None, timeout_s: float = 15.0
    ) -> None:
        self._service = Service(self.name, api_url, "research.semantic_scholar_url", "research.semantic_scholar_key")
        self._key = key.get_secret_value() if isinstance(key, SecretStr) else key
        if self._key and not (self._key.isascii() and self._key.isprintable() and self._key == self._key.strip()):
            raise InputError("research.semantic_scholar_key holds characters that no key has.", "Copy the key again.")
        self._timeout_s = timeout_s

    def search(self, query: str, limit: int = 10, keywords: Sequence[str] = ()) -> list[Paper]:
        """Papers on `query`, Semantic Scholar's best first; an empty list means that it answered and has none.

        Asked first are the words of the query and of the keywords together, then those of the query alone.

        Raises
        ------
        ToolError
            Semantic Scholar was out of reach, too slow, refused, or answered with something else than papers.
        InputError
            The query holds no word to search for.
        """
        deadline = time.monotonic() + self._timeout_s
        for words in _queries(query, keywords):
            if papers := self._ask(words, limit, deadline):
                return papers
        return []

    def _ask(self, words: str, limit: int, deadline: float) -> list[Paper]:
        api_url = self._service.url.rstrip("/").removesuffix("/graph/v1")
        client = SemanticScholar(api_key=self._key, api_url=api_url, retry=False)
        client._AsyncSemanticScholar._requester = requester = _Requester(self._service, deadline)
        try:  # the package puts the query into the address as it is
            records = client.search_paper(quote_plus(words), limit=min(limit, 100), fields=_FIELDS).items
            papers = [paper for record in records[:limit] if (paper := _paper(record))]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise self._service.error("answered in a form that is not its own") from error
        if requester.promised and not papers:
            raise self._service.error("says that papers match but sent none", "Try again.")
        return papers


class _Requester(ApiRequester):
    """The package's own reads 401, 502 and 503 as no papers and has neither a total time nor a size limit."""

    def __init__(self, service: Service, deadline: float) -> None:
        super().__init__(timeout=None, retry=False)
        self._service, self._deadline = service, deadline
        self.promised = 0

    async def get_data_async(
        self, url: str, parameters: str, headers: Mapping[str, str], payload: dict | None = None
    ) -> dict[str, Any]:
        body = fetch(f"{url}?{parameters.lstrip('&')}", self._service, self._deadline, headers)
        answer = _checked(body, self._service)
        self.promised = answer["total"]
        return answer


def _checked(body: bytes, service: Service) -> dict[str, Any]:
    """The answer as one page of papers; anything without a count of matches is a failure, not an empty answer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    total = answer.get("total") if isinstance(answer, dict) else None
    data = answer.get("data", []) if isinstance(answer, dict) else None
    if not isinstance(total, int) or not isinstance(data, list):
        raise service.not_itself("papers")
    return {"total": total, "data": [record for record in data if isinstance(record, dict)]}


def _queries(query: str, keywords: Sequence[str]) -> list[str]:
    """Plain words, the narrow query first. Hyphens would match nothing, so only the words go in."""
    words = content_words(query, MAX_WORDS)
    if not words:
        raise InputError("The question holds no word to search for.", "Name the problem, for example: label noise.")
    extra = content_words(" ".join(keywords), MAX_WORDS)
    narrow = list(dict.fromkeys([*words, *extra]))[:MAX_WORDS]
    return list(dict.fromkeys([" ".join(narrow), " ".join(words)]))


def _paper(record: Record) -> Paper | None:
    ids = record.externalIds or {}
    return Paper.of(
        title=record.title,
        source=SemanticScholarSource.name,
        arxiv_id=ids.get("ArXiv"),
        doi=ids.get("DOI"),
        s2_id=record.paperId,
        authors=[author.name for author in record.authors or []],
        year=record.year,
        venue=record.venue,
        abstract=record.abstract,
        citation_count=record.citationCount,
    )
