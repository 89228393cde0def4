"""OVF404: uneven, rare and missing classes."""

from __future__ import annotations

from copilot.core.data.class_balance import BalanceThresholds, ClassBalance
from copilot.core.findings import Outcome


def _judged(train: dict[str, int], val: dict[str, int], **limits: float) -> Outcome:
    return ClassBalance(BalanceThresholds(**limits)).judge(train, val)


def test_even_classes_pass():
    outcome = _judged({"a": 100, "b": 110, "c": 95}, {"a": 20, "b": 22, "c": 19})
    assert (outcome.state, outcome.severity) == ("passed", "none")
    assert outcome.value("effective_classes") > 2.9


def test_uneven_classes_are_told_by_their_ratio_and_effective_number():
    outcome = _judged({"a": 1000, "b": 50}, {"a": 200, "b": 20})
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert outcome.value("imbalance_ratio") == 20
    assert outcome.value("effective_classes") < 1.2
    assert "a has 20 times the training images of b (1,000 and 50)" in outcome.summary
    assert _judged({"a": 5000, "b": 50}, {"a": 200, "b": 20}).severity == "high"


def test_a_class_that_only_validation_has_is_the_worst():
    outcome = _judged({"a": 100, "b": 100, "c": 0}, {"a": 20, "b": 20, "c": 20})
    assert outcome.severity == "high"
    assert outcome.summary == "c: in validation only, so that no model can learn them."
    assert outcome.value("only_in_val") == 1


def test_a_class_that_nothing_tests_is_told():
    outcome = _judged({"a": 100, "b": 100}, {"a": 20})
    assert outcome.severity == "medium"
    assert outcome.value("only_in_train") == 1


def test_rare_classes_are_listed_with_what_their_score_can_say():
    outcome = _judged({"a": 100, "b": 60}, {"a": 50, "b": 4})
    assert outcome.severity == "low"
    assert outcome.value("rare_classes_val") == 1
    assert outcome.value("val_count") == 4
    assert outcome.value("score_half_width") > 0.3
    assert "Fewer than 10 validation images: b" in outcome.summary


def test_hostile_class_names_are_cleaned():
    name = "x\u202e\n" + "y" * 500
    outcome = _judged({name: 100, "b": 1}, {name: 100, "b": 1})
    assert "\u202e" not in outcome.summary
    assert len(outcome.summary) < 400


def test_one_class_alone_does_not_apply():
    assert _judged({"a": 3}, {"a": 3}).state == "not_applicable"
    assert _judged({"a": 3, "b": 2}, {}).state == "not_applicable"
