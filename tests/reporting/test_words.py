from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from copilot.core import comparisons
from copilot.core.checks.conflicts import ConflictName
from copilot.core.checks.learning_pattern import PATTERNS
from copilot.core.findings import CauseName, Evidence, State, Verdict
from copilot.reporting import words
from copilot.reporting.evidence_words import EVIDENCE


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.612, "", "0.612"),
        (0.873, "fraction", "87.3 %"),
        (53.71, "%", "53.7 %"),
        (14, "epoch", "14"),
        (15000.0, "epoch", "15000"),
        (2.5, "epoch", "2.5"),
        (27, "epochs", "27 epochs"),
        (1, "epochs", "1 epoch"),
        (0.8, "h", "0.8 h"),
        (4.25, "times", "4.25 times"),
        (0.0000123, "", "1.23e-05"),
        (12345.6, "", "12346"),
        (3e9, "", "3e+09"),
        (True, "", "yes"),
        ("resnet\u202e18", "", "resnet 18"),
        (float("nan"), "fraction", "not a number"),
        (float("-inf"), "", "minus infinite"),
    ],
)
def test_values_carry_their_unit(value, unit: str, text: str):
    assert words.with_unit(value, unit) == text


def test_a_difference_of_fractions_is_told_in_points():
    gap = Evidence(name="gap_final", value=0.1236, unit="fraction", low=0.1, high=0.15, quantity="accuracy")
    assert words.evidence_value(gap) == "12.4 points"
    assert words.evidence_interval(gap) == "between 10.0 and 15.0 points"
    assert words.evidence_in_full(gap) == "12.4 points (between 10.0 and 15.0 points)"
    assert words.citation_label(gap) == "gap of accuracy at the end"


def test_missing_is_a_dash_and_never_none():
    nothing = Evidence(name="rise", value=None)
    assert words.evidence_value(nothing) == words.evidence_value(nothing, "epoch") == words.MISSING
    assert words.evidence_interval(nothing) == ""
    assert words.evidence_in_full(nothing) == words.MISSING


def test_values_that_are_names_are_told_in_words():
    shapes = [Evidence(name="pattern", value=shape, quantity="box_loss") for shape in PATTERNS]
    conflicts = [Evidence(name="conflict", value=name, quantity="top_k") for name in get_args(ConflictName)]
    told = [words.evidence_value(e) for e in (*shapes, *conflicts)]
    assert len(set(told)) == len(told)
    assert "_" not in "".join([*told, *map(words.citation_label, (*shapes, *conflicts))])
    assert words.evidence_value(conflicts[0]) == "the loss rises while top k still improves"


def test_every_number_of_a_comparison_has_its_words():
    package = Path(comparisons.__file__).parent
    names = re.findall(r'fact\(\s*"([a-z_]+)"', "".join(p.read_text() for p in package.glob("*.py")))
    assert len(names) > 30
    assert [name for name in names if name not in EVIDENCE] == []


def test_a_name_from_outside_is_no_format_string():
    hostile = Evidence(name="{q.__class__}_{0}", value=1, quantity="{x}")
    assert words.citation_label(hostile) == "{q. class } {0} ({x})"


def test_every_word_of_the_contract_has_its_plain_one():
    assert all(words.cause_label(c) for c in get_args(CauseName))
    assert all(words.verdict_sentence(v).endswith(".") for v in get_args(Verdict))
    assert len({words.state_label(s) for s in get_args(State)}) == len(get_args(State))
    assert "_" not in "".join(words.cause_label(c) for c in get_args(CauseName))


@pytest.mark.parametrize(("share", "text"), [(0.974, "97 %"), (0.0, "1 %"), (1.0, "99 %")])
def test_nobody_is_perfectly_sure(share: float, text: str):
    assert words.percent_sure(share) == text


@pytest.mark.parametrize(
    ("paper", "link", "label"),
    [
        ("arxiv:1512.00567", "https://arxiv.org/abs/1512.00567", "arXiv:1512.00567"),
        ("doi:10.1007/3-540-49430-8_3", "https://doi.org/10.1007/3-540-49430-8_3", "doi:10.1007/3-540-49430-8_3"),
        ("doi:10.1/a(b)", "https://doi.org/10.1/a%28b%29", "doi:10.1/a(b)"),
        ("javascript:alert(1)", "", "javascript:alert(1)"),
        ("arxiv:x y", "", "arxiv:x y"),
        ("A survey", "", "A survey"),
    ],
)
def test_references_link_only_to_known_hosts(paper: str, link: str, label: str):
    assert words.paper_link(paper) == link
    assert words.paper_label(paper) == label


def test_moments():
    assert words.moment_text("2026-11-24T03:46:00+00:00") == "24 November 2026, 03:46 UTC"
    assert words.moment_text("2026-11-24") == "24 November 2026, 00:00"
    assert words.moment_text("yes\x00terday") == "yes terday"
    assert words.moment_text(None) == ""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    asked = {
        "2026-11-24T11:59:30Z": "just now",
        "2026-11-24T11:50:00Z": "10 min ago",
        "2026-11-22T11:00:00Z": "2 days ago",
    }
    assert {iso: words.relative_time(iso, now) for iso in asked} == asked
    assert words.relative_time("soon", now) == ""


def test_the_gap_of_two_points_is_positive_where_validation_is_worse():
    assert words.gap_text(0.9, 0.8, "accuracy", True) == "10.0 points"
    assert words.gap_text(0.2, 0.5, "loss", False) == "0.3"
    assert words.gap_text(None, 0.5, "loss", False) == ""
    assert words.axis_label("accuracy") == "accuracy (%)"
    assert words.axis_label("box_loss") == "box loss"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.04 s"), (34.2, "34 s"), (89, "89 s"), (126, "2.1 min"), (12600, "3.5 h")]
)
def test_stretches_of_time(seconds, text):
    assert words.duration_text(seconds) == text


def test_places_on_an_axis_and_changes():
    assert [words.axis_place(12.0, "epoch"), words.axis_place(126, "s"), words.axis_place(None, "s")] == [
        "12",
        "2.1 min",
        "–",
    ]
    assert [words.change_text(0.018, "accuracy"), words.change_text(-0.3, "loss")] == ["+1.8 points", "−0.3"]
