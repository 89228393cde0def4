"""Papers: the frozen documents of a literature search, and how papers are merged, ranked and cited."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from copilot.core.findings import CauseName, Document
from copilot.utils.validators import clean_text

TITLE_CHARS, NAME_CHARS, VENUE_CHARS, ABSTRACT_CHARS = 300, 80, 200, 2000
MAX_AUTHORS = 60
FUSION_OFFSET = 60

_COMMON = (
    "a an and are as at be but by can do does for from has have how i if in into is it its me my no not of on or our "
    "should so than that the their them there these they this to too using via was we were what when where which who "
    "why will with without you your"
)
STOP_WORDS = frozenset(_COMMON.split())

_WORD = re.compile(r"[^\W_]+")
_SUFFIX = re.compile(r"(?<=\w{4})(?:ing|ed|es|s)$")
_ARXIV_ID = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[a-z]{2})?/\d{7})(?:v\d{1,3})?", re.IGNORECASE)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/[-._;()/:a-z0-9]{1,200})", re.IGNORECASE)
_S2_ID = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_SAFE_URL = re.compile(r"https?://[^\s<>\"'{}|\\^`]{1,500}")
_ARXIV_DOI = "10.48550/arxiv."
_ESCAPES = str.maketrans(
    {char: f"\\{char}" for char in "$&#_%"}
    | {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",  # BibTeX counts braces even behind a backslash
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def _line(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda v: clean_text(str(v or "").encode("utf-8", "replace").decode("utf-8"), limit))


def _safe_url(value: Any) -> str:
    return str(value) if _SAFE_URL.fullmatch(str(value or "")) else ""


class Paper(Document):
    """One paper. Its text comes from outside: control characters are gone and lengths are capped, whoever builds it.

    ``id`` is ``arxiv:<id>``, else ``doi:<doi>``, else ``s2:<id>``. ``relevance`` runs from 0 to 1: 1 is a paper that
    every source and the words of the question put first.
    """

    id: str = Field(pattern=r"^(arxiv|doi|s2):[-._;()/:a-z0-9A-Z]{1,210}$")
    title: Annotated[str, _line(TITLE_CHARS)] = Field(min_length=1)
    authors: tuple[Annotated[str, _line(NAME_CHARS)], ...] = Field((), max_length=MAX_AUTHORS)
    year: int | None = None
    venue: Annotated[str, _line(VENUE_CHARS)] = ""
    abstract: Annotated[str, _line(ABSTRACT_CHARS)] = ""
    url: Annotated[str, BeforeValidator(_safe_url)] = ""
    source: str = ""
    citation_count: int | None = None
    doi: str | None = None
    arxiv_id: str | None = None
    relevance: float | None = Field(None, ge=0.0, le=1.0)

    @classmethod
    def of(
        cls,
        *,
        title: Any,
        source: str,
        arxiv_id: Any = None,
        doi: Any = None,
        s2_id: Any = None,
        authors: Iterable[Any] = (),
        year: Any = None,
        venue: Any = "",
        abstract: Any = "",
        citation_count: Any = None,
    ) -> Paper | None:
        """A paper from a source's raw fields, its id and address made from the identifiers that are well formed.

        Returns
        -------
        Paper or None
            None without a title or any well-formed identifier.
        """
        doi = _match(_DOI, doi, group=1)
        if doi and doi.startswith(_ARXIV_DOI):
            arxiv_id, doi = arxiv_id or doi.removeprefix(_ARXIV_DOI), None
        arxiv_id, s2_id = _match(_ARXIV_ID, arxiv_id, group=1), _match(_S2_ID, s2_id)
        place = _place(arxiv_id, doi, s2_id)
        if place is None or not clean_text(title or ""):
            return None
        return cls(
            **dict(zip(("id", "url"), place, strict=True)),
            title=title,
            authors=tuple(name for name in authors if name)[:MAX_AUTHORS],
            year=_whole(year, 1800, 2100),
            citation_count=_whole(citation_count, 0, 10**8),
            venue=venue,
            abstract=abstract,
            source=source,
            doi=doi,
            arxiv_id=arxiv_id,
        )


class SourceStatus(Document):
    """How one source answered: ``empty`` is an answer without papers, ``failed`` is no usable answer."""

    name: str
    state: Literal["ok", "failed", "empty"]
    message: str = ""
    n_papers: int = 0
    seconds: float = 0.0


class ResearchResult(Document):
    """The answer to one search. ``from_library``: the papers come from earlier searches, not from the network."""

    query: str
    problem: CauseName | None = None
    papers: tuple[Paper, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    from_library: bool = False
    summary: str = ""


def content_words(text: str, limit: int = 12) -> list[str]:
    """The first `limit` different words of `text` that carry meaning, in lower case, without stop words."""
    words = (word for word in _WORD.findall(text.lower()) if len(word) > 1 and word not in STOP_WORDS)
    return list(dict.fromkeys(words))[:limit]


def deduplicate(papers: Iterable[Paper]) -> list[Paper]:
    """One paper per work: equal arXiv id, DOI, or title and first author. Gaps are filled from the duplicates."""
    merged: list[Paper] = []
    for paper in papers:
        for i, known in enumerate(merged):
            if _same_work(known, paper):
                merged[i] = _merge(known, paper)
                break
        else:
            merged.append(paper)
    return merged


def rank_papers(answers: Sequence[Sequence[Paper]], question: str) -> list[Paper]:
    """Merge the answers of several sources and order them by reciprocal rank fusion.

    Fused are the order in which each source gave its papers and the order by the share of the question's words that a
    paper's title and abstract hold. Ties go to the more cited, then the newer paper.

    Parameters
    ----------
    answers : sequence of sequence of Paper
        One list a source, its best paper first.
    question : str
        What was asked.

    Returns
    -------
    list of Paper
        Without duplicates, best first, with ``relevance`` set.

    References
    ----------
    Cormack, Clarke and Buettcher (2009), Reciprocal rank fusion, SIGIR. The offset of 60 is theirs.
    """
    papers = deduplicate(paper for answer in answers for paper in answer)
    fits = [_word_fit(question, paper) for paper in papers]
    orders = [
        [next((i for i, p in enumerate(answer) if _same_work(p, paper)), None) for paper in papers]
        for answer in answers
    ]
    orders.append([sum(other > fit for other in fits) for fit in fits])
    top = len(orders) / (FUSION_OFFSET + 1)
    scores = [
        sum(1 / (FUSION_OFFSET + 1 + r) for r in ranks if r is not None) / top for ranks in zip(*orders, strict=True)
    ]
    ranked = [p.model_copy(update={"relevance": round(min(s, 1.0), 4)}) for p, s in zip(papers, scores, strict=True)]
    return sorted(ranked, key=lambda p: (-p.relevance, -(p.citation_count or 0), -(p.year or 0), p.id))


def reference(paper: Paper) -> str:
    """The paper as one line of plain text: authors, year, title, venue, address."""
    shown = list(paper.authors[:3]) + (["et al."] if len(paper.authors) > 3 else [])
    head = f"{', '.join(shown) or 'Unknown authors'} ({paper.year or 'n.d.'})."
    parts = [head, *(f"{text.rstrip('.')}." for text in (paper.title, paper.venue) if text), paper.url]
    return " ".join(part for part in parts if part)


def bibtex(papers: Iterable[Paper]) -> str:
    """A BibTeX file of `papers`: keys are unique, and hostile text can neither end a field nor run a command."""
    used: set[str] = set()
    return "\n\n".join(_bibtex_entry(paper, _free_key(paper, used)) for paper in papers) + "\n"


def _bibtex_entry(paper: Paper, key: str) -> str:
    kind = "article" if paper.venue and paper.venue.lower() != "arxiv" else "misc"
    fields = {
        "title": f"{{{_tex(paper.title)}}}",  # inner braces keep capitals
        "author": " and ".join(_tex_name(name) for name in paper.authors),
        "year": str(paper.year or ""),
        "journal": _tex(paper.venue) if kind == "article" else "",
        "doi": paper.doi or "",
        "eprint": paper.arxiv_id or "",
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "url": paper.url,
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@{kind}{{{key},\n{body}}}"


def _tex(text: str) -> str:
    return text.translate(_ESCAPES)


def _tex_name(name: str) -> str:
    listed = re.search(r"(?i)\s(and|others)\s|^others$|,", name)  # words that BibTeX reads as several authors
    return f"{{{_tex(name)}}}" if listed else _tex(name)


def _free_key(paper: Paper, used: set[str]) -> str:
    surname = _ascii(paper.authors[0]).split()[-1:] if paper.authors else []
    word = [w for w in content_words(_ascii(paper.title), 1) if w.isascii()]
    stem = "".join([*surname, str(paper.year or ""), *word])[:40] or "paper"
    key, n = stem, 1
    while key in used:
        n += 1
        key = f"{stem}-{n}"
    used.add(key)
    return key


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", plain.lower()))


def _match(pattern: re.Pattern[str], value: Any, group: int = 0) -> str | None:
    found = pattern.fullmatch(str(value or "").strip())
    return found[group].lower() if found else None


def _place(arxiv_id: str | None, doi: str | None, s2_id: str | None) -> tuple[str, str] | None:
    """The id and the address of a paper, by the identifier that is the most use to people."""
    if arxiv_id:
        return f"arxiv:{arxiv_id}", f"https://arxiv.org/abs/{arxiv_id}"
    if doi:
        return f"doi:{doi}", f"https://doi.org/{doi}"
    return (f"s2:{s2_id}", f"https://www.semanticscholar.org/paper/{s2_id}") if s2_id else None


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _same_work(a: Paper, b: Paper) -> bool:
    if a.arxiv_id and b.arxiv_id:
        return a.arxiv_id == b.arxiv_id
    if a.id == b.id or (a.doi and a.doi == b.doi):
        return True
    same_title = _title_key(a) == _title_key(b) and len(_title_key(a)) >= 15
    return same_title and (not a.authors or not b.authors or _surname(a) == _surname(b))


def _title_key(paper: Paper) -> str:
    return "".join(_WORD.findall(unicodedata.normalize("NFKD", paper.title).lower()))


def _surname(paper: Paper) -> str:
    return (_ascii(paper.authors[0]).split() or [paper.authors[0].lower()])[-1]


def _merge(a: Paper, b: Paper) -> Paper:
    arxiv_id, doi = a.arxiv_id or b.arxiv_id, a.doi or b.doi
    place = _place(arxiv_id, doi, None) or (a.id, a.url)
    published = next((p for p in (a, b) if p.venue and p.venue.lower() != "arxiv"), a)
    counts = [p.citation_count for p in (a, b) if p.citation_count is not None]
    names = dict.fromkeys(name for p in (a, b) for name in p.source.split(", ") if name)
    return a.model_copy(
        update={
            **dict(zip(("id", "url"), place, strict=True)),
            "arxiv_id": arxiv_id,
            "doi": doi,
            "authors": max(a.authors, b.authors, key=len),
            "year": published.year or a.year or b.year,
            "venue": published.venue or b.venue,
            "abstract": max(a.abstract, b.abstract, key=len),
            "citation_count": max(counts, default=None),
            "source": ", ".join(names),
        }
    )


def _word_fit(question: str, paper: Paper) -> float:
    """Share of the question's words in the paper, 0 to 1: half for the title alone, half for title and abstract."""
    asked = {_SUFFIX.sub("", word) for word in content_words(question)}
    if not asked:
        return 0.0
    title, abstract = (
        {_SUFFIX.sub("", word) for word in content_words(text, 10_000)} for text in (paper.title, paper.abstract)
    )
    return (len(asked & title) + len(asked & (title | abstract))) / (2 * len(asked))
