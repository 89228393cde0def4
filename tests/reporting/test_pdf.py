from __future__ import annotations

import io
import sys
import time

import pytest
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, NullObject

from copilot.core.findings import Analysis
from copilot.errors import InputError, MissingExtraError, ToolError
from copilot.reporting import render
from copilot.reporting.pdf import check_libraries
from tests.reporting import documents


def _read(analysis: Analysis, **options) -> PdfReader:
    data = render(analysis, "pdf", **options)
    assert data.startswith(b"%PDF-")
    return PdfReader(io.BytesIO(data))


def _text(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@pytest.fixture(scope="module")
def report() -> PdfReader:
    return _read(documents.overfitting())


def test_the_first_page_answers(report: PdfReader):
    first = " ".join(report.pages[0].extract_text().split())
    for words in ("resnet18-02", "Overfitting since epoch 14.", "97 % sure", "Too little training data", "What to do"):
        assert words in first
    assert "Page 1 of" in first
    assert "overfitting from 14" in first  # the chart's own words


def test_every_number_and_finding_is_in_it(report: PdfReader):
    text = _text(report)
    for words in (
        "0.612",
        "12.4 points",
        "87.3 %",
        "27 epochs",
        "OVF102",
        "OVF501",
        "Could not run",
        "arXiv:2002.11569",
    ):
        assert words in text
    assert "None" not in text


def test_it_says_who_made_it_and_can_be_read_aloud(report: PdfReader):
    assert report.metadata.title == "resnet18-02: Overfitting"
    assert report.metadata.author == "MLOps Copilot"
    root = report.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert (
        'part="1"' in root["/Metadata"].get_data().decode()
        or "<pdfuaid:part>1" in root["/Metadata"].get_data().decode()
    )
    assert round(float(report.pages[0].mediabox.width)) == 595  # A4


def test_every_picture_has_words(report: PdfReader):
    tags: list[tuple[str, str | None]] = []

    def walk(node) -> None:
        node = node.get_object()
        if isinstance(node, ArrayObject):
            for child in node:
                walk(child)
        elif isinstance(node, DictionaryObject):
            tags.append((node.get("/S"), node.get("/Alt")))
            walk(node.get("/K", NullObject()))

    walk(report.trailer["/Root"]["/StructTreeRoot"]["/K"])
    pictures = [words for tag, words in tags if tag == "/Figure"]
    assert all(pictures)
    assert "Training and validation loss by epoch" in pictures
    assert {"/H1", "/H2", "/Table", "/TH", "/Link"} <= {tag for tag, _ in tags}


def test_no_link_is_dead(report: PdfReader):
    names = set(report.named_destinations)
    inside, outside = set(), set()
    for page in report.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            if "/A" in note:
                outside.add(note["/A"]["/URI"])
            elif not isinstance(note["/Dest"], ArrayObject):
                inside.add(note["/Dest"])
    assert {*(e.id for e in documents.overfitting().evidence), "check-OVF102"} <= inside
    assert inside <= names
    assert "https://arxiv.org/abs/2002.11569" in outside
    assert all(link.startswith(("https://arxiv.org/", "https://doi.org/")) for link in outside)


def test_a_document_without_curves_makes_a_pdf_too():
    text = _text(_read(documents.inconclusive()))
    assert "Log a validation metric every epoch." in text
    assert "Page 1 of 1" in text


def test_hostile_text_attaches_and_fetches_nothing(caplog: pytest.LogCaptureFixture):
    reader = _read(documents.hostile())
    text = _text(reader)
    assert "alert(1)" in text
    assert "secret" not in text
    assert reader.attachments == {}
    assert "/JavaScript" not in reader.trailer["/Root"].get("/Names", {})
    assert not [r for r in caplog.records if "Failed to load" in r.getMessage()]


def test_it_is_made_in_time():
    started = time.process_time()
    reader = _read(documents.many_pairs(12))
    assert time.process_time() - started < 3
    assert len(reader.pages) <= 8


def test_charts_can_be_left_out():
    text = _text(_read(documents.inconclusive().model_copy(update={"history": documents.holes().history})))
    assert "Loss by epoch" in text
    bare = documents.inconclusive().model_copy(update={"history": documents.holes().history})
    assert "Loss by epoch" not in _text(_read(bare, include_visualizations=False))


def test_an_unknown_template_is_told():
    with pytest.raises(InputError, match="Unknown report template: fancy"):
        render(documents.overfitting(), "pdf", template="fancy")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtraError, match=r"mlops-copilot\[pdf\]"):
        render(documents.overfitting(), "pdf")


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch):
    class Finder:
        """What importing WeasyPrint does where Pango is not installed."""

        @staticmethod
        def find_spec(name: str, *_):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ToolError, match="Pango") as caught:
        check_libraries()
    assert "libpango-1.0-0" in caught.value.hint
