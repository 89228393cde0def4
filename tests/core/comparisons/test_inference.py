"""Intervals and tests keep what they promise, by simulation."""

import numpy as np
import pytest
from scipy import stats

from copilot.core.comparisons.inference import (
    binomial_error,
    corrected_mean,
    expected_maximum,
    fit_power_law,
    modified_z,
    outlier_p,
)

RNG = np.random.default_rng


def test_the_corrected_test_is_the_t_test_with_a_wider_error():
    values = np.array([0.1, 0.2, 0.25, 0.3, 0.15])
    plain, mean = stats.ttest_1samp(values, 0.0), corrected_mean(values, 0.0)
    assert mean.p == pytest.approx(plain.pvalue)
    assert (mean.low, mean.high) == pytest.approx(tuple(plain.confidence_interval()))
    wider = corrected_mean(values, 0.25)
    assert wider.half / mean.half == pytest.approx(np.sqrt((1 / 5 + 1 / 4) / (1 / 5)))
    assert wider.p > mean.p


def test_equal_values_are_certain():
    assert corrected_mean(np.full(5, 0.2), 0.25).p == 0
    assert corrected_mean(np.zeros(5), 0.25).p == 1
    assert modified_z(np.full(5, 0.2)).tolist() == [0] * 5
    assert outlier_p(np.full(5, 0.2)).min() > 0.5


def test_an_outlier_and_where_half_are_equal():
    assert np.abs(modified_z(np.array([1, 1.1, 0.9, 1.05, 5.0]))).argmax() == 4
    assert modified_z(np.array([1, 1, 1, 1, 5.0]))[4] > 3
    assert outlier_p(np.array([1, 1.1, 0.9, 1.05, 5.0]))[4] < 0.01
    assert outlier_p(np.array([1, 1, 1, 1, 5.0]))[4] < 1e-9


@pytest.mark.parametrize("k", [3, 5, 10])
def test_outliers_among_normal_numbers_are_found_as_often_as_promised(k):
    false = np.mean([outlier_p(row).min() < 0.05 for row in RNG(k).normal(size=(2000, k))])
    assert 0.02 < false < 0.065


@pytest.mark.parametrize(
    ("n", "known"), [(1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388), (100, 2.5076), (10000, 3.852)]
)
def test_the_expected_maximum_is_that_of_the_tables(n, known):
    assert expected_maximum(n) == pytest.approx(known, abs=1e-3)


def test_the_binomial_error_is_known_and_never_nothing():
    assert binomial_error(0.5, 100) == pytest.approx(0.05, rel=1e-6)
    assert 0 < binomial_error(1.0, 100) < 0.02
    assert np.isnan(binomial_error(0.5, np.nan))


def test_a_power_law_without_noise_is_recovered():
    sizes = np.array([100, 200, 400, 800, 1600.0])
    law = fit_power_law(sizes, 0.05 + 2 * sizes**-0.5, 3200)
    assert (law.a, law.b, law.c) == pytest.approx((0.05, 2.0, 0.5), rel=0.05)
    assert law.there == pytest.approx(0.05 + 2 * 3200**-0.5, rel=0.01)
    assert law.explained > 0.999
    assert law.p < 1e-4


@pytest.mark.parametrize(("sizes", "noise"), [((100, 200, 400, 800), 0.003), ((100, 300, 900, 2700) * 3, 0.01)])
def test_the_interval_at_twice_the_data_holds_the_truth_as_often_as_promised(sizes, noise):
    sizes, rng, held, gained = np.array(sizes, float), RNG(1), 0, 0
    twice = 2 * sizes.max()
    truth, gain = 0.05 + 2 * twice**-0.5, 2 * sizes.max() ** -0.5 - 2 * twice**-0.5
    for _ in range(200):
        law = fit_power_law(sizes, 0.05 + 2 * sizes**-0.5 + rng.normal(0, noise, len(sizes)), twice)
        held += law.there_low <= truth <= law.there_high
        gained += law.gain_low <= gain <= law.gain_high
    assert held >= 180
    assert gained >= 180


def test_a_flat_line_is_no_power_law():
    rng, sizes = RNG(2), np.array([100, 200, 400, 800] * 3, float)
    found = [fit_power_law(sizes, 0.2 + rng.normal(0, 0.01, 12), 1600).p < 0.05 for _ in range(300)]
    assert np.mean(found) < 0.07
    constant = fit_power_law(sizes, np.full(12, 0.2), 1600)
    assert constant.gain_high < 1e-6
    assert constant.p == 1
