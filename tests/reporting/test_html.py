from __future__ import annotations

import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from copilot.core.findings import Evidence
from copilot.errors import InputError
from copilot.reporting import html, render
from tests.reporting import documents
from tests.reporting.pages import Page, read

LOADING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("image", "href"), ("use", "href")}


@pytest.fixture(params=documents.ALL)
def page(request: pytest.FixtureRequest) -> Page:
    return read(render(documents.ALL[request.param](), "html"))


def test_the_verdict_comes_first_then_why_then_what_to_do_then_the_evidence():
    text = read(render(documents.overfitting(), "html")).text
    order = [
        "resnet18-02",
        "97 % sure",
        "Overfitting since epoch 14.",
        "Keep the checkpoint of epoch 13.",
        "Too little training data 62 %",
        "1 Stop when validation has stopped improving.",
        "Findings",
        "Every number with its source",
        "About this analysis",
    ]
    place = text.index("Training report")
    for words in order:
        place = text.index(words, place)


def test_the_numbers_are_the_evidences_with_their_units():
    text = read(render(documents.overfitting(), "html")).text
    for words in (
        "Best epoch E9 13 validation loss 0.612",
        "Onset E2 14",
        "After the best E3 27 epochs",
        "Gap at the end E4 12.4 points",
        "Probability of the cause: too little training data 62 %",
        "between 10.1 and 14.7 points",
        "best validation loss 0.612",
    ):
        assert words in text
    assert "None" not in text
    assert "N/A" not in text


def test_issues_come_before_the_rest_and_by_severity():
    analysis = documents.overfitting()
    text = read(render(analysis, "html")).text
    findings = text[text.rindex("Findings") :]
    codes = ["OVF102", "OVF101", "OVF501", "OVF103", "OVF201", "OVF401", "OVF105"]
    assert re.findall(r"OVF\d{3}(?= [A-Z][a-z])", findings)[: len(codes)] == codes
    for word in ("High severity", "Medium severity", "Could not run", "Passed", "Does not apply", "Skipped", "Muted"):
        assert word in findings


@pytest.mark.parametrize("name", ["overfitting", "holes", "many_pairs"])
def test_every_cited_evidence_is_an_anchor_that_a_link_leads_to(name: str):
    analysis = documents.ALL[name]()
    page = read(render(analysis, "html"))
    cited = {i for f in analysis.findings for i in f.evidence}
    assert cited
    assert cited <= set(page.ids)
    assert {f"#{i}" for i in cited - {"E8"}} <= set(page.links()) | {"#E5"}


def test_how_sure_it_is_leads_to_the_evidence_too():
    page = read(render(documents.overfitting(), "html"))
    assert {"#E10", "#E11"} <= set(page.links())


def test_no_link_is_dead_and_no_id_comes_twice(page: Page):
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links() if link.startswith("#")}
    assert inside
    assert inside <= set(page.ids)
    outside = [link for link in page.links() if not link.startswith("#")]
    assert all(re.match(r"https://(arxiv\.org/abs|doi\.org)/", link) for link in outside)


def test_nothing_is_requested_from_outside(page: Page):
    for tag, name in LOADING:
        assert all(v.startswith(("data:", "#")) for v in page.attributes(tag, name))
    assert "http" not in "".join(page.styles).replace("http://www.w3.org", "")
    assert not re.search(r"@import|url\(", "".join(page.styles))
    assert not any(k.startswith("on") or k == "style" for _, found in page.tags for k in found)


def test_the_policy_lets_only_this_page_s_own_style_and_script_run(page: Page):
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, texts in (("style", page.styles), ("script", page.scripts)):
        digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
        assert len(digests) <= 1
        assert all(f"{kind}-src 'sha256-{d}'" in policy for d in digests)


def test_hostile_text_stays_text_and_is_capped():
    source = render(documents.hostile(), "html")
    page = read(source)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in read(render(documents.overfitting(), "html")).tags}
    assert len(page.scripts) == 1
    assert "<script>alert(1)</script>" in page.text  # shown as it is, not run
    assert "alert" not in page.scripts[0]
    assert "{{7*7}}" in page.text
    assert not re.search("[\x00-\x08\x1b\u202a-\u202e]", source)
    assert "secret" not in source
    assert max(map(len, re.findall("A+", source))) < 1000
    assert len(source) < 1_500_000


def test_a_page_without_curves_says_what_there_is():
    page = read(render(documents.inconclusive(), "html"))
    assert "Inconclusive" in page.text
    assert "Log a validation metric every epoch." in page.text
    assert "models:/digits/3" in page.text
    assert "Best epoch" not in page.text
    assert "curves" not in page.ids
    assert "No check found an issue." in page.text


def test_charts_are_drawn_once_a_pair_and_can_be_left_out():
    analysis = documents.many_pairs(12)
    page = read(render(analysis, "html"))
    charts = [a for tag, a in page.tags if a.get("class") == "chart"]
    assert len(charts) == 13  # the first also in the size of a phone
    assert "Box loss 1 by epoch" in page.text
    without = read(render(analysis, "html", include_visualizations=False))
    assert not [a for tag, a in without.tags if a.get("class") == "chart"]
    assert without.scripts == []
    assert "Overfitting since epoch 14." in without.text


def test_more_charts_than_a_page_holds_are_counted():
    page = read(render(documents.many_pairs(html.MAX_CHARTS + 3), "html"))
    assert "3 more stand in the JSON report." in page.text


def test_an_unknown_template_names_the_known_ones():
    with pytest.raises(InputError, match="default") as caught:
        render(documents.overfitting(), "html", template="../../etc")
    assert "default" in caught.value.hint
    assert html.template_names() == ["default"]


def test_a_broken_template_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(html.TEMPLATES / "default", tmp_path / "ours")
    (tmp_path / "ours" / "report.html").write_text("{{ view.nothing_like_this.at_all }}")
    monkeypatch.setattr(html, "TEMPLATES", tmp_path)
    with pytest.raises(InputError, match="template ours is not valid"):
        render(documents.overfitting(), "html", template="ours")


def test_a_template_of_one_s_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(html.TEMPLATES / "default", tmp_path / "plain")
    (tmp_path / "plain" / "report.html").write_text("{{ view.verdict }} {{ view.title }}")
    monkeypatch.setattr(html, "TEMPLATES", tmp_path)
    assert render(documents.hostile(), "html", template="plain").startswith("Overfitting &lt;script&gt;")


@pytest.mark.browser
def test_a_browser_shows_it_without_a_request_and_the_hover_works(tmp_path: Path, chromium: str):
    sync_api = pytest.importorskip("playwright.sync_api")
    report, conflict = documents.overfitting(), Evidence(id="E99", name="conflict", value="over_confident")
    report = report.model_copy(update={"evidence": (*report.evidence, conflict)})
    (tmp_path / "report.html").write_text(render(report, "html"), encoding="utf-8")
    (tmp_path / "hostile.html").write_text(render(documents.hostile(), "html"), encoding="utf-8")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        seen: list[str] = []
        tab.on("request", lambda request: seen.append(request.url))
        tab.on("console", lambda message: seen.append(message.text))
        tab.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
        for name in ("hostile", "report"):
            tab.goto(f"file://{tmp_path / name}.html")
            assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")
        labels = "[...document.querySelectorAll('.evidence td:nth-child(2)')].map(cell => cell.offsetWidth)"
        assert min(tab.evaluate(labels)) > 120, "a value in words leaves room for what it is"
        tab.set_viewport_size({"width": 1200, "height": 900})
        box = tab.locator("#curves .wide .hover").bounding_box()
        tab.mouse.move(box["x"] + box["width"] - 20, box["y"] + 100)
        tip = tab.locator("#curves .wide .tip").inner_text().split()
        tab.locator("#curves .wide .hover").press("ArrowLeft")
        earlier = tab.locator("#curves .wide .tip").inner_text().split()
        browser.close()
    assert tip == ["epoch", "40", "training", "0.0369", "validation", "1.12", "gap", "1.08"]
    assert earlier[:2] == ["epoch", "39"]
    assert [s for s in seen if not s.startswith("file://")] == []
    assert len(seen) == 2
