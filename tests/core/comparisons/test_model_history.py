"""A registered model over its versions: changes, the one before and the best, and what is missing."""

from __future__ import annotations

import pytest

from copilot.core.comparisons import load_all_checks
from copilot.core.comparisons.compare import compare_runs
from copilot.core.comparisons.members import RegisteredVersion
from copilot.core.history import RunHistory
from tests.core.comparisons.groups import GroupMember, group, run


def over(members, versions, *, ignore=None, **options):
    made = group(members, model="net", versions=versions, **options)
    return compare_runs(made, load_all_checks()[1], ignore=ignore)


def _versions(*run_ids):
    return [RegisteredVersion(str(i), run_id) for i, run_id in enumerate(run_ids, 1)]


MEMBERS = [run(0.90, name="a", n_val=5000), run(0.95, name="b", n_val=5000), run(0.80, name="c", n_val=5000)]


def test_each_version_is_held_against_the_one_before_and_the_best():
    found = over(MEMBERS, _versions("a", "b", "c"))
    first, second, third = found.model_history.versions
    assert (first.previous, first.change, first.worse) == (None, None, None)
    assert (second.previous, second.change, second.worse) == ("1", pytest.approx(0.05), False)
    assert (third.previous, third.change, third.worse, third.severity) == ("2", pytest.approx(-0.15), True, "high")
    assert [v.change_to_best for v in (first, second, third)] == pytest.approx([-0.05, 0.0, -0.15])
    assert found.model_history.best == "2"
    assert third.sentence.startswith("Version 3 reaches 80.0 % validation accuracy, 15.0 points worse than version 2")
    assert second.sentence == ""
    known = found.evidence_by_id()
    assert {known[i].name for i in third.evidence} >= {"worse_by", "best_value", "baseline_value"}
    assert len(known) == len(found.evidence)


def test_the_summary_names_the_best_and_where_it_got_worse():
    summary = over(MEMBERS, _versions("a", "b", "c", None)).model_history.summary
    assert summary == (
        "net has 4 versions. Version 2 is the best at 95.0 % validation accuracy, epoch 10. "
        "Value or gap got worse beyond the noise with version 3. Without numbers: 4."
    )


def test_versions_without_run_or_curves_are_listed_and_the_next_is_held_against_the_last_known():
    members = [MEMBERS[0], MEMBERS[2], GroupMember(RunHistory.from_arrays(train_loss=[2.0, 1.0]), "t", "t")]
    versions = [
        *_versions("a", None, "t"),
        RegisteredVersion("4", "gone", reason="There is no run 'gone'."),
        RegisteredVersion("5", "c", "Production", ("champion",)),
    ]
    rows = over(members, versions).model_history.versions
    assert [r.reason for r in rows] == [
        "",
        "It came from no run.",
        "Its run has no accuracy on validation.",
        "There is no run 'gone'.",
        "",
    ]
    assert [r.best_value is None for r in rows] == [False, True, True, True, False]
    assert (rows[4].previous, rows[4].worse, rows[4].stage, rows[4].aliases) == ("1", True, "Production", ("champion",))


def test_a_loss_that_rose_is_a_positive_change_and_worse():
    members = [run(loss=0.3, name="a", noise=0.001), run(loss=0.6, name="b", noise=0.001)]
    _, second = over(members, _versions("a", "b")).model_history.versions
    assert second.change == pytest.approx(0.3, abs=0.02)
    assert second.change_to_best == second.change
    assert second.worse is True


def test_two_versions_of_one_run_do_not_differ():
    _, second = over(MEMBERS, _versions("a", "a")).model_history.versions
    assert (second.change, second.worse, second.sentence) == (0.0, False, "Version 2 is of the same run as version 1.")


def test_a_difference_whose_noise_is_unknown_is_not_judged():
    members = [GroupMember(RunHistory.from_arrays(val_accuracy=[0.1, v]), n, n) for n, v in (("a", 0.9), ("b", 0.5))]
    _, second = over(members, _versions("a", "b")).model_history.versions
    assert (second.worse, second.change) == (None, pytest.approx(-0.4))
    assert "n_val" in second.sentence


def test_a_muted_check_judges_no_version():
    _, _, third = over(MEMBERS, _versions("a", "b", "c"), ignore={"OVF205": "no"}).model_history.versions
    assert (third.worse, third.sentence, third.change) == (None, "", pytest.approx(-0.15))


def test_a_model_of_which_nothing_is_known():
    found = over([], _versions(None, None)).model_history
    assert (found.best, [v.best_value for v in found.versions]) == (None, [None, None])
    assert found.summary == "net has 2 versions. Without numbers: 1, 2."


def test_a_version_alone_is_not_called_the_best():
    assert "Version 1 reaches 90.0 %" in over(MEMBERS, _versions("a", None)).model_history.summary
