"""Pictures below a finding: on the page of model checks and on a run's page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from copilot.core.findings import Outcome
from tests.pages.checked import checked, picture

OUTCOMES = [
    Outcome(code="OVF305", title="Shortcut", state="issue", severity="high", summary="A mark decides."),
    Outcome(code="OVF304", title="Attribution", state="passed", summary="It looks at the digits."),
]


def _findings(document: str) -> None:
    from copilot.core.findings import Analysis
    from copilot.ui.run_view import findings

    findings(Analysis.model_validate_json(document))


def _shown(pictures) -> AppTest:
    document = checked(OUTCOMES, pictures).model_dump_json()
    page = AppTest.from_function(_findings, args=(document,), default_timeout=30).run()
    assert not page.exception
    return page


def test_a_run_shows_pictures_below_their_findings_and_others_at_the_end():
    page = _shown([picture("OVF305", "The mark <b>"), picture("OVF304"), picture("OVF999", "Of nothing")])
    alternatives = [e.proto.imgs[0].alt for e in page.get("image")]
    assert alternatives == ["The mark <b>", "Some images", "Of nothing"]
    assert any(m.value == r":small[**The mark \<b\>**]" for m in page.markdown)


def test_captions_are_text_and_no_markup():
    page = _shown([picture("OVF305", caption="said [3](http://example.org) :red[x]")])
    [line] = [m.value for m in page.markdown if m.value.startswith(":small[**Some images**")]
    assert r"\[3\]\(http\:" in line
    assert r"\:red\[x\]" in line


@pytest.mark.parametrize("data", ["AAAA", "A", "PHN2Zz48L3N2Zz4="])
def test_what_is_no_picture_is_told_and_the_rest_stands(data):
    page = _shown([picture("OVF305").model_copy(update={"data": data}), picture("OVF305", "Whole")])
    assert any("cannot be shown" in c.value for c in page.caption)
    assert [e.proto.imgs[0].alt for e in page.get("image")] == ["Whole"]


def test_many_pictures_of_one_finding_are_counted():
    page = _shown([picture("OVF305", f"No. {i}") for i in range(8)])
    assert len(page.get("image")) == 6
    assert any("2 more pictures" in c.value for c in page.caption)
