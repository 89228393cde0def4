"""OVF205: worse than the baseline beyond noise, or not."""

import numpy as np
import pytest

from copilot.core.comparisons.baseline_regression import BaselineRegression
from tests.core.comparisons.groups import group, run, value


def judge(members, baseline="base"):
    return BaselineRegression().compare(group(members, baseline=baseline))


def base(score=0.9, **options):
    return run(score, name="base", **options)


def test_a_run_that_lost_points_is_named_with_its_interval():
    outcome = judge([base(n_val=5000), run(0.86, name="new", n_val=5000)])
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert "new reaches 86.0 % validation accuracy, 4.0 points worse than base at 90.0 %" in outcome.summary
    worse = value(outcome, "worse_by")
    assert worse.value == pytest.approx(0.04)
    assert 0.02 < worse.low < 0.04 < worse.high
    assert value(outcome, "baseline_value").value == pytest.approx(0.9)
    assert value(outcome, "best_value").epoch == 10


def test_the_same_drop_on_few_images_is_noise():
    outcome = judge([base(n_val=100), run(0.86, name="new", n_val=100)])
    assert outcome.state == "passed"
    assert "beyond noise" in outcome.summary


def test_a_tiny_drop_on_many_images_does_not_matter():
    assert judge([base(n_val=10**6), run(0.895, name="new", n_val=10**6)]).state == "passed"


def test_a_gap_that_opened_counts_by_itself():
    outcome = judge(
        [base(n_val=5000, n_train=5000), run(0.9, 0.1, name="new", n_val=5000, n_train=5000), run(0.9, 0.0, name="c")]
    )
    assert outcome.state == "passed"
    wide = judge([base(0.8, gap=0.02, n_val=5000), run(0.8, 0.2, name="new", n_val=5000)])
    assert wide.state == "issue"
    assert "final gap of new is 18.0 points wider than that of base" in wide.summary


def test_without_sizes_the_noise_of_the_curves_is_the_measure():
    quiet = [run(0.9, name="base", noise=0.002, seed=1), run(0.86, name="new", noise=0.002, seed=2)]
    assert judge(quiet).state == "issue"
    loud = [run(0.9, name="base", noise=0.04, seed=1), run(0.88, name="new", noise=0.04, seed=2)]
    assert judge(loud).state == "passed"


def test_losses_count_by_their_share():
    members = [run(loss=1.0, name="base", noise=0.005, seed=1), run(loss=1.4, name="new", noise=0.005, seed=2)]
    outcome = judge(members)
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "validation loss" in outcome.summary


def test_equal_runs_seem_worse_as_seldom_as_promised():
    rng, found = np.random.default_rng(0), 0
    for _ in range(150):
        scores = rng.binomial(400, 0.85, 5) / 400
        members = [run(s, name="base" if i == 0 else f"r{i}", n_val=400) for i, s in enumerate(scores)]
        found += judge(members).state == "issue"
    assert found <= 14  # 5 % and three standard deviations


def test_several_runs_and_the_better_one():
    members = [base(n_val=5000), *(run(0.8 - i / 50, name=f"r{i}", n_val=5000) for i in range(5))]
    outcome = judge(members)
    assert "5 runs are worse than the baseline: r4, r3, r2 and 2 more." in outcome.summary
    assert value(outcome, "runs_worse").value == 5
    better = judge([base(n_val=5000), run(0.95, name="new", n_val=5000)])
    assert "The best, new, is 5.0 points better." in better.summary


def test_what_is_not_applicable():
    assert "No baseline was named" in judge([base(), run(0.8)], baseline=None).summary
    assert "baseline has no validation metric" in judge([run(0.8), run(0.9)], baseline="gone").summary
    assert "No noise is known" in judge([base(), run(loss=0.3)]).summary
    assert judge([base()]).state == "not_applicable"


def test_runs_of_one_name_are_told_apart_by_their_ids():
    ids = ("11112222aaaa", "33334444bbbb", "55556666cccc")
    scores = (0.9, 0.8, 0.85)
    members = [run(s, name="resnet", run_id=i, n_val=5000) for s, i in zip(scores, ids, strict=True)]
    outcome = judge(members, baseline=ids[0])
    assert outcome.summary.startswith("resnet (…bbbb) reaches 80.0 %")
    assert "worse than resnet (…aaaa)" in outcome.summary
    assert "resnet (…bbbb), resnet (…cccc)." in outcome.summary
    assert [e.source for e in outcome.evidence if e.name == "best_value"] == ["resnet (…bbbb)", "resnet (…cccc)"]
    assert value(outcome, "worse_by").source == "resnet (…bbbb) against resnet (…aaaa)"
    assert value(outcome, "baseline_value").source == "resnet (…aaaa)"


def test_the_best_run_has_evidence_however_many_runs_there_are():
    members = [base(n_val=5000), *(run(0.9 + i / 500, name=f"r{i}", n_val=5000) for i in range(15))]
    outcome = judge(members)
    assert "The best, r14, is 2.8 points better." in outcome.summary
    shown = [e.source for e in outcome.evidence if e.name == "best_value"]
    assert len(shown) == 11
    assert shown[-1] == "r14"
