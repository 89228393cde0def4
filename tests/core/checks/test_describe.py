"""A check described from its docstring and thresholds."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import Field

from copilot.core.checks import BUILT_IN, load_checks
from copilot.core.checks.base import BaseCheck, Thresholds
from copilot.core.checks.describe import LABELS, describe


class Limits(Thresholds):
    limit: int = Field(3, description="Points that count.")
    names: list[str] = Field(default_factory=lambda: ["a"])
    needed: float


class Labelled:
    """Folds
    disagree.

    The spread of the folds.

    Why it matters: One fold is luck.

    A second paragraph of it.

    When it is wrong: With two folds. Source: is no label here.
    """

    code, title, scope = "OVF201", "Spread", "comparison"
    aliases = {"spread_limit": "limit"}  # noqa: RUF012

    def __init__(self):
        self.thresholds = Limits(limit=5, needed=1.0)


class Plain(Labelled):
    """Counts points.

    One paragraph.

    source: in small letters is a word like others.
    """

    scope = ""


@pytest.mark.parametrize("check", load_checks(), ids=lambda check: check.code)
def test_every_built_in_check_says_all_there_is_to_say(check):
    found = describe(check)
    assert [heading for heading, _ in found.sections()] == ["What it measures", *LABELS.values()]
    assert found.claim.endswith(".")
    assert found.claim == found.explanation.splitlines()[0]
    assert any(mark in found.source for mark in ("arXiv:", "doi:"))
    assert all(t.description for t in found.thresholds)


def test_thresholds_named_in_the_text_exist():
    for check in BUILT_IN:
        named = {word.strip("`") for word in check.__doc__.split() if word.startswith("`") and word.endswith("`")}
        assert named <= set(check.Thresholds.model_fields), check.code


def test_labelled_paragraphs_become_fields():
    found = describe(Labelled(), {"OVF201": "few folds"})
    assert (found.claim, found.measures) == ("Folds disagree.", "The spread of the folds.")
    assert found.why_it_matters == "One fold is luck.\n\nA second paragraph of it."
    assert (found.source, found.scope, found.muted) == ("", "comparison", "few folds")
    assert found.when_it_is_wrong == "With two folds. Source: is no label here."
    assert [heading for heading, _ in found.sections()] == ["What it measures", "Why it matters", "When it is wrong"]


def test_a_docstring_without_labels_is_a_claim_and_what_is_measured():
    found = describe(Plain())
    assert found.claim == "Counts points."
    assert found.measures == "One paragraph.\n\nsource: in small letters is a word like others."
    assert (found.why_it_matters, found.source, found.when_it_is_wrong, found.scope) == ("", "", "", "")
    assert found.explanation.startswith("Counts points.\n\nOne paragraph.")


def test_a_check_without_a_docstring_does_not_borrow_that_of_the_base_class():
    class Bare(BaseCheck):
        code, title = "ACME1", "Bare"

    bare = SimpleNamespace(code="A", title="B", aliases={}, thresholds=Thresholds(), __doc__=None)
    for check in (Bare(), bare):
        found = describe(check)
        assert (found.explanation, found.claim, found.sections(), found.thresholds) == ("", "", [], ())


def test_thresholds_have_the_value_in_force_and_the_default():
    found = {t.name: t for t in describe(Labelled()).thresholds}
    assert (found["limit"].value, found["limit"].default, found["limit"].alias) == (5, 3, "spread_limit")
    assert (found["names"].default, found["names"].alias) == (["a"], None)
    assert found["needed"].default is None
