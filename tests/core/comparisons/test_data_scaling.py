"""OVF202: a planted power law is recovered, a flat line is not called one."""

import numpy as np
import pytest

from copilot.core.comparisons.data_scaling import DataScaling, _expected
from tests.core.comparisons.groups import group, run, value

SIZES = (100, 200, 400, 800, 1600)


def law(n, a=0.05, b=2.0, c=0.5):
    return a + b * np.asarray(n, float) ** -c


def judge(errors, sizes=SIZES, **params):
    members = [
        run(1 - e, name=f"r{i}", n_train=n, **params) for i, (e, n) in enumerate(zip(errors, sizes, strict=True))
    ]
    return DataScaling().compare(group(members))


def test_a_power_law_says_what_twice_the_data_would_bring():
    rng = np.random.default_rng(0)
    outcome = judge(law(SIZES) + rng.normal(0, 0.001, 5))
    expected = value(outcome, "expected_at_twice_the_data")
    assert (outcome.state, outcome.severity) == ("issue", "low")
    assert expected.value == pytest.approx(1 - law(3200), abs=0.003)
    assert expected.low <= 1 - law(3200) <= expected.high
    assert expected.high - expected.low < 0.02
    assert value(outcome, "exponent").low <= 0.5 <= value(outcome, "exponent").high
    assert "Twice the 1600 images should bring it from 90.0 % to 91.5 %" in outcome.summary


def test_a_steep_curve_is_more_severe():
    assert judge(law(SIZES, a=0.0, b=6, c=0.4)).severity == "medium"


def test_a_loss_follows_the_law_too():
    members = [
        run(loss=e, name=f"r{i}", n_train=n) for i, (e, n) in enumerate(zip(law(SIZES, b=20), SIZES, strict=True))
    ]
    outcome = DataScaling().compare(group(members))
    assert outcome.state == "issue"
    assert value(outcome, "expected_at_twice_the_data").value == pytest.approx(law(3200, b=20), rel=0.01)


def test_a_curve_that_has_flattened_says_that_data_will_not_help():
    outcome = judge(0.1 + np.array([1, -1, 1, -1, 1]) * 2e-4)
    assert outcome.state == "passed"
    assert "More data of this kind is not what helps" in outcome.summary


def test_scatter_is_no_curve():
    outcome = judge([0.2, 0.12, 0.25, 0.11, 0.21])
    assert (outcome.state, outcome.confidence) == ("not_applicable", 0.0)
    assert outcome.summary.startswith("No conclusion: ")
    assert value(outcome, "flat_line_p").value > 0.05


def test_no_law_is_found_where_size_does_not_matter():
    rng, sizes = np.random.default_rng(1), SIZES * 2
    states = [judge(0.15 + rng.normal(0, 0.01, 10), sizes).state for _ in range(150)]
    assert states.count("issue") <= 7


def test_the_law_is_found_where_it_is():
    rng, sizes = np.random.default_rng(2), SIZES * 2
    states = [judge(law(sizes) + rng.normal(0, 0.004, 10), sizes).state for _ in range(60)]
    assert states.count("issue") >= 57


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ((100, 200, 400), "3 comparable runs"),
        ((800, 801, 802, 803, 804), "1 training-set size no"),
        ((500, 600, 700, 800), "factor of 2"),
    ],
)
def test_too_few_or_too_alike(sizes, named):
    outcome = judge(law(sizes), sizes)
    assert outcome.state == "not_applicable"
    assert named in outcome.summary


def test_runs_that_say_no_size_are_asked_to():
    outcome = DataScaling().compare(group([run(0.8) for _ in range(6)]))
    assert (outcome.state, "n_train" in outcome.summary) == ("not_applicable", True)
    assert DataScaling().compare(group([])).state == "not_applicable"


def test_runs_that_differ_in_more_are_not_on_the_curve():
    members = [run(1 - law(n), name=f"r{i}", n_train=n, lr=0.1, epochs=n) for i, n in enumerate(SIZES)]
    others = [run(0.3, name=f"x{i}", n_train=n, lr=i) for i, n in enumerate(SIZES)]
    outcome = DataScaling().compare(group([*others, *members]))
    assert value(outcome, "runs").value == 5
    assert value(outcome, "variance_explained").value > 99


def test_no_expected_score_lies_outside_0_to_1():
    outcome = judge([0.9, 0.99, 0.8, 0.97, 0.7, 0.95, 0.6, 0.9], (100, 100, 200, 200, 400, 400, 800, 800))
    expected = value(outcome, "expected_at_twice_the_data")
    assert 0 <= expected.low <= expected.value <= expected.high <= 1


def test_a_fitted_score_stays_within_its_bounds():
    measured = group([run(0.9, name=f"r{i}") for i in range(2)]).measured
    assert _expected(measured, -0.2, 1.3) == [0, 1]
    losses = group([run(loss=0.9, name=f"r{i}") for i in range(2)]).measured
    assert _expected(losses, 0.2, 1.3) == [0.2, 1.3]
