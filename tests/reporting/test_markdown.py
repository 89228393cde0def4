from __future__ import annotations

import re

import pytest

from copilot.reporting import render
from copilot.reporting.markdown import escape_markdown
from tests.reporting import documents


def test_it_reads_like_the_report():
    text = render(documents.overfitting(), "markdown")
    for line in (
        "# resnet18-02",
        "▲ **Overfitting** · 97 % sure · High severity",
        "| 13 | 14 | 27 epochs | 12.4 points |",
        "- Too little training data: **62 %** (from OVF101)",
        "| E5 | Validation accuracy at the end | 87.3 % | 40 |  |",
    ):
        assert line in text.splitlines()
    assert "[arXiv:2002.11569](https://arxiv.org/abs/2002.11569)" in text
    assert "None" not in text
    headings = re.findall(r"^## (.+)", text, flags=re.MULTILINE)
    assert headings[:4] == ["Why", "What to do", "Findings", "Evidence"]


def test_without_curves_it_is_short():
    text = render(documents.inconclusive(), "markdown")
    assert "○ **Inconclusive**" in text
    assert "## Evidence" not in text
    assert "## Why" not in text


def test_hostile_text_is_no_markup():
    text = render(documents.hostile(), "markdown")
    assert not re.search(r"(?<!\\)<", text)
    assert "](javascript" not in text.replace("\\]", "")
    assert all(url.startswith("https://arxiv.org/") for url in re.findall(r"(?<!\\)\]\((\S+)\)", text))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows if not row.startswith(("| Best", "| 13"))} == {6}
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("resnet_18 *new*", r"resnet\_18 \*new\*"),
        ("1. list", r"1\. list"),
        ("16.9 points", "16.9 points"),
        ("- item", r"\- item"),
        ("@team", "@\u200bteam"),
        ("see #12", "see \\#\u200b12"),
        ("http://evil", "http:\u200b//evil"),
        ("a\nb\u202ec", "a b c"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_escape_markdown(text: str, escaped: str):
    assert escape_markdown(text) == escaped
