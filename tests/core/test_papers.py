from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from copilot.core.papers import (
    ABSTRACT_CHARS,
    Paper,
    ResearchResult,
    SourceStatus,
    bibtex,
    content_words,
    deduplicate,
    rank_papers,
    reference,
)

S2 = "0123456789abcdef0123456789abcdef01234567"


def paper(title: str = "Rethinking the Inception Architecture", **fields) -> Paper:
    fields.setdefault("arxiv_id", "1512.00567")
    made = Paper.of(title=title, source=fields.pop("source", "arXiv"), **fields)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("ids", "expected", "url"),
    [
        ({"arxiv_id": "1512.00567v3"}, "arxiv:1512.00567", "https://arxiv.org/abs/1512.00567"),
        ({"arxiv_id": "arXiv:hep-th/9901001v2"}, "arxiv:hep-th/9901001", "https://arxiv.org/abs/hep-th/9901001"),
        ({"doi": "https://doi.org/10.1109/CVPR.2016.308"}, "doi:10.1109/cvpr.2016.308", None),
        ({"doi": "10.48550/arXiv.1512.00567"}, "arxiv:1512.00567", "https://arxiv.org/abs/1512.00567"),
        ({"doi": "10.1/x y", "s2_id": S2}, f"s2:{S2}", f"https://www.semanticscholar.org/paper/{S2}"),
        ({"arxiv_id": "1512.00567", "doi": "10.1109/CVPR.2016.308", "s2_id": S2}, "arxiv:1512.00567", None),
    ],
)
def test_id_and_address_come_from_the_best_identifier(ids, expected, url):
    made = Paper.of(title="A title", source="x", **ids)
    assert made.id == expected
    assert url is None or made.url == url


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "", "arxiv_id": "1512.00567"},
        {"title": None, "arxiv_id": "1512.00567"},
        {"title": "\u200b\x00", "arxiv_id": "1512.00567"},
        {"title": "A title", "arxiv_id": "../../etc/passwd"},
        {"title": "A title", "doi": "javascript:alert(1)", "s2_id": {"a": 1}},
    ],
)
def test_no_paper_without_title_or_identifier(fields):
    assert Paper.of(source="x", **fields) is None


def test_hostile_fields_are_cleaned_and_capped():
    made = paper(
        title="Nice\u202e\x00 title\ud800" + "t" * 1000,
        authors=["Eve\nEvil", "", None, "x" * 500, *["more"] * 500],
        abstract="a\u200bb " * 5000,
        year="2016",
        citation_count=-3,
        venue=None,
    )
    assert made.title.startswith("Nice title?ttt")
    assert len(made.title) == 300
    assert made.authors[0] == "Eve Evil"
    assert len(made.authors[1]) == 80
    assert len(made.authors) == 60
    assert len(made.abstract) == ABSTRACT_CHARS
    assert made.abstract.startswith("a b a b")
    assert (made.year, made.citation_count, made.venue) == (None, None, "")
    assert Paper.model_validate_json(made.model_dump_json()) == made


def test_documents_are_frozen_closed_and_without_foreign_addresses():
    made = paper()
    with pytest.raises(ValidationError):
        made.title = "other"
    with pytest.raises(ValidationError):
        Paper(**made.model_dump(), extra=1)
    assert Paper(**(made.model_dump() | {"url": "javascript:alert(1)"})).url == ""
    with pytest.raises(ValidationError):
        Paper(**(made.model_dump() | {"id": "arxiv:x' OR 1=1"}))


def test_result_goes_to_json_and_back():
    status = SourceStatus(name="arXiv", state="ok", n_papers=1, seconds=0.5)
    result = ResearchResult(query="q", problem="label_noise", papers=(paper(),), sources=(status,), summary="One.")
    assert ResearchResult.model_validate_json(result.model_dump_json()) == result


def test_duplicates_are_merged_over_sources_and_gaps_filled():
    preprint = paper(year=2015, venue="arXiv", abstract="Short.", authors=["C. Szegedy"])
    published = paper(
        title="Rethinking the Inception architecture.",
        arxiv_id=None,
        doi="10.1109/CVPR.2016.308",
        source="Semantic Scholar",
        year=2016,
        venue="CVPR",
        abstract="A longer abstract.",
        authors=["Christian Szegedy", "Vincent Vanhoucke"],
        citation_count=27000,
    )
    other = paper("Another paper of the same year", arxiv_id="1512.03385")
    for order in ([preprint, other, published], [published, other, preprint]):
        merged = deduplicate(order)
        assert len(merged) == 2
        one = merged[0]
        assert (one.id, one.doi, one.year, one.venue) == ("arxiv:1512.00567", "10.1109/cvpr.2016.308", 2016, "CVPR")
        assert (one.citation_count, one.abstract) == (27000, "A longer abstract.")
        assert one.authors == ("Christian Szegedy", "Vincent Vanhoucke")
        assert set(one.source.split(", ")) == {"arXiv", "Semantic Scholar"}


def test_works_that_only_look_alike_stay_apart():
    assert len(deduplicate([paper("A survey of methods", arxiv_id=f"2001.0000{n}") for n in range(3)])) == 3
    short = [paper("Dropout", arxiv_id=None, doi=f"10.1000/{n}") for n in range(2)]
    assert len(deduplicate(short)) == 2
    names = [
        paper("On the theory of deep learning", arxiv_id=None, doi=f"10.1000/{name}", authors=[f"A {name}"])
        for name in ("smith", "jones")
    ]
    assert len(deduplicate(names)) == 2


def test_ranking_prefers_agreement_and_the_words_asked_for():
    asked = "noisy labels"
    both = paper("Learning with noisy labels", arxiv_id="2001.00001")
    words = paper("Noisy label correction", arxiv_id="2001.00002")
    neither = paper("Fast attention", arxiv_id="2001.00003", abstract="About speed.")
    ranked = rank_papers([[both, neither, words], [both, words]], asked)
    assert [p.id for p in ranked] == ["arxiv:2001.00001", "arxiv:2001.00002", "arxiv:2001.00003"]
    assert all(0 < p.relevance <= 1 for p in ranked)
    assert rank_papers([[both], [both]], asked)[0].relevance == 1.0
    assert rank_papers([], asked) == rank_papers([[], []], asked) == []


def test_ties_go_to_the_more_cited_paper_whatever_the_order():
    a = paper("Noisy labels one", arxiv_id="2001.00001", citation_count=5)
    b = paper("Noisy labels two", arxiv_id="2001.00002", citation_count=500)
    assert rank_papers([[a], [b]], "noisy labels") == rank_papers([[b], [a]], "noisy labels")
    assert rank_papers([[a], [b]], "noisy labels")[0].citation_count == 500


def test_content_words():
    assert content_words("Why does my ResNet-50 overfit on X-ray & the images?") == [
        "resnet",
        "50",
        "overfit",
        "ray",
        "images",
    ]
    assert content_words("what is the") == []
    assert len(content_words(" ".join(f"w{n}" for n in range(50)))) == 12


def test_reference_line():
    made = paper(authors=["A One", "B Two", "C Three", "D Four"], year=2016, venue="CVPR")
    assert reference(made) == (
        "A One, B Two, C Three, et al. (2016). Rethinking the Inception Architecture. CVPR. https://arxiv.org/abs/1512.00567"
    )
    assert reference(paper()).startswith("Unknown authors (n.d.). Rethinking")


def test_bibtex_of_an_ordinary_paper():
    text = bibtex(
        [paper(authors=["Piotr Dollár", "Tsung-Yi Lin"], year=2017, venue="ICCV", doi="10.1109/ICCV.2017.324")]
    )
    assert text.startswith("@article{dollar2017rethinking,\n")
    assert "  title = {{Rethinking the Inception Architecture}},\n" in text
    assert "  author = {Piotr Dollár and Tsung-Yi Lin},\n" in text
    assert "  eprint = {1512.00567},\n  archiveprefix = {arXiv},\n" in text
    assert "@misc" in bibtex([paper(venue="arXiv")])
    assert bibtex([]) == "\n"


def test_bibtex_keys_are_unique():
    text = bibtex([paper(arxiv_id=f"2001.0000{n}", authors=["Ann Lee"], year=2020) for n in range(3)])
    keys = re.findall(r"^@\w+\{([^,]+),", text, flags=re.MULTILINE)
    assert keys == ["lee2020rethinking", "lee2020rethinking-2", "lee2020rethinking-3"]


def test_hostile_text_cannot_leave_its_bibtex_field():
    hostile = "} } @article{x, title={y}} \\input{/etc/passwd} 100% $x_1^2$ #&~ {"
    made = paper(hostile, authors=["A and B", "Doe, John", "others", "{", "R&D Lab"], venue=hostile)
    text = bibtex([made])
    assert text.count("@article{") == 1
    assert text.count("{") == text.count("}")
    depths, depth = [], 0
    for char in text.strip():
        depth += {"{": 1, "}": -1}.get(char, 0)
        depths.append(depth)
    assert depths[-1] == 0
    assert 0 not in depths[text.index("{") : -1]  # the entry closes at its last character only
    assert "\\input{/" not in text
    assert re.findall(r"\\[a-zA-Z]+", text).count("\\input") == 0
    assert "  author = {{A and B} and {Doe, John} and {others} and \\textbraceleft{} and R\\&D Lab},\n" in text
