"""The whole path in headless Chromium: open, pick a run, read the verdict, take the PDF, ask, follow the citation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pypdf import PdfReader

from copilot import CopilotAnalyzer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SLOW_MS = 60_000


@pytest.fixture(scope="module")
def dashboard(demo, tmp_path_factory, free_port):
    """The dashboard on the demo's runs, as a person starts it; its address."""
    port = free_port()
    home = tmp_path_factory.mktemp("dashboard-home")
    command = [sys.executable, "-m", "copilot.cli.main", "dashboard", "--port", str(port), "--no-browser"]
    command += ["--config", str(demo.config_file)]
    environment = {**os.environ, "MLOPS_COPILOT_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(15)


def _wait(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).status == 200:
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail("the dashboard did not start")


@pytest.fixture
def page(chromium):
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(SLOW_MS)
        yield opened
        browser.close()


@pytest.fixture(scope="module")
def overfitted(demo):
    """The analysis of a demo run that overfits, computed apart from the dashboard."""
    key = json.loads(demo.answer_key.read_text())
    run_id = next(r for r, a in key.items() if a["condition"] == "over-long training")
    return CopilotAnalyzer(demo.config_file).analyze_model(run_id).analysis


def test_from_the_table_of_runs_to_a_cited_answer(dashboard, page: Page, overfitted, tmp_path):
    d, name, run_id = overfitted.diagnosis, overfitted.subject.run_name, overfitted.subject.run_id
    page.goto(dashboard)
    page.get_by_placeholder("Name, run id, cause").fill(name)
    page.keyboard.press("Enter")
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_have_count(1, timeout=SLOW_MS)
    page.wait_for_timeout(1500)
    table.click(position={"x": 220, "y": 57})  # the first row; its cells are drawn on a canvas

    expect(page.get_by_role("heading", name=name)).to_be_visible(timeout=SLOW_MS)
    assert run_id in page.url
    expect(page.get_by_text(f"Overfitting since epoch {d.onset_epoch}.").first).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="PDF").click()
    report = tmp_path / "report.pdf"
    download.value.save_as(report)
    text = " ".join(p.extract_text() for p in PdfReader(report).pages)
    assert name in text
    assert f"since epoch {d.onset_epoch}" in " ".join(text.split())

    page.get_by_role("link", name="Ask about this run").click()
    question = page.get_by_test_id("stChatInputTextArea")
    question.fill("When did it start to overfit?")
    question.press("Enter")
    answer = page.get_by_test_id("stChatMessage").last
    expect(answer).to_contain_text(f"began to overfit at epoch {d.onset_epoch}", timeout=SLOW_MS)

    onset = next(e for e in overfitted.evidence if e.name == "onset" and e.value == d.onset_epoch)
    answer.get_by_role("link", name=onset.id).first.click()
    cited = page.locator(".st-key-cited-evidence")
    expect(cited).to_contain_text(onset.id, timeout=SLOW_MS)
    expect(cited).to_contain_text(str(onset.value))


def test_ticked_runs_are_compared_on_their_own_page(dashboard, page: Page):
    page.goto(dashboard)
    expect(page.get_by_text("What the runs say together")).to_be_visible(timeout=SLOW_MS)
    table = page.get_by_test_id("stDataFrame").first
    page.wait_for_timeout(1500)
    for row in (3, 5):
        table.click(position={"x": 16, "y": 57 + 38 * row})  # its tick
        page.wait_for_timeout(1000)
    page.get_by_role("button", name="Compare 2 runs").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("OVF205 Regression against the baseline").first).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=SLOW_MS)
    assert "runs=" in page.url
    page.reload()  # the link alone shows the same
    expect(page.get_by_text("reaches the best validation").first).to_be_visible(timeout=SLOW_MS)


def test_a_link_opens_its_run_in_a_fresh_browser(dashboard, page: Page, overfitted):
    page.goto(f"{dashboard}/run?run={overfitted.subject.run_id}")
    expect(page.get_by_role("heading", name=overfitted.subject.run_name)).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("MLOps Copilot").first).to_be_visible(timeout=SLOW_MS)


def test_an_unknown_run_is_told_without_a_stack_trace(dashboard, page: Page):
    page.goto(f"{dashboard}/run?run=0000000000000000000000000000dead")
    expect(page.get_by_text("0000000000000000000000000000dead").first).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Traceback")).to_have_count(0)
