"""Distances between two sets within their classes, and their p-values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from copilot.core.data.two_samples import (
    holm,
    kolmogorov_smirnov,
    smallest_told,
    spread_of,
    strata,
)

RNG = np.random.default_rng


def test_without_classes_it_is_the_plain_test():
    rng = RNG(0)
    a, b = rng.normal(size=300).round(1), rng.normal(0.3, 1, 200).round(1)
    found, wanted = kolmogorov_smirnov(a, b), ks_2samp(a, b, method="asymp")
    assert found.distance == pytest.approx(wanted.statistic)
    assert found.p_value == pytest.approx(wanted.pvalue, rel=0.2)
    assert found.moved == pytest.approx(wasserstein_distance(a, b))
    assert found.shift == pytest.approx(b.mean() - a.mean())


def test_constants_are_alike_or_wholly_apart():
    assert kolmogorov_smirnov(np.ones(50), np.ones(30)).p_value == 1.0
    assert kolmogorov_smirnov(np.ones(50), np.zeros(30)).distance == pytest.approx(1.0)


def test_other_shares_of_the_classes_are_no_distance():
    rng = RNG(1)
    labels_a, labels_b = np.repeat([0, 1], [800, 200]), np.repeat([0, 1], [200, 800])
    a, b = (labels * 3 + rng.normal(size=1000) for labels in (labels_a, labels_b))
    assert kolmogorov_smirnov(a, b).distance > 0.4
    matched = kolmogorov_smirnov(a, b, strata(labels_a, labels_b))
    assert matched.distance < 0.08
    assert matched.p_value > 0.05
    assert kolmogorov_smirnov(a, b + 0.5, strata(labels_a, labels_b)).shift == pytest.approx(0.5, abs=0.15)


def test_the_matched_p_value_is_no_smaller_than_it_should_be():
    small = 0
    for seed in range(300):
        rng = RNG(seed)
        labels_a, labels_b = rng.integers(0, 3, 90), rng.integers(0, 3, 60)
        groups = strata(labels_a, labels_b)
        small += (
            kolmogorov_smirnov(labels_a + rng.normal(size=90), labels_b + rng.normal(size=60), groups).p_value < 0.05
        )
    assert small <= 22  # 15 are expected at most


def test_classes_without_a_counterpart_are_left_out_and_too_few_are_not_matched():
    groups = strata(np.array([0, 0, 1, 1, 2, -1]), np.array([0, 0, 1, 1, 3, 1]))
    assert groups.a.tolist() == [0, 0, 1, 1, -1, -1]
    assert groups.b.tolist() == [0, 0, 1, 1, -1, 1]
    assert groups.classes.tolist() == [0, 1]
    assert groups.effective.tolist() == [1.0, pytest.approx(6 / 5)]
    weight_a, weight_b = groups.weights()
    assert weight_a.sum() == pytest.approx(1)
    assert weight_a[4:].sum() == 0
    assert weight_a[:2].sum() == pytest.approx(weight_b[:2].sum())
    assert not strata(np.array([0, 1, 2, 3]), np.array([0, 0, 4, 4])).matched
    assert not strata(np.full(3, -1), np.full(4, -1)).matched


def test_holm_is_that_of_its_definition():
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.zeros(0)).size == 0


def test_the_smallest_distance_told_is_where_the_p_value_crosses():
    least = smallest_told(100 * 100 / 200, 0.01)
    assert least == pytest.approx(1.628 / np.sqrt(50), rel=0.01)
    assert smallest_told(0.5, 0.01) == 1.0


def test_the_spread_falls_back_where_quartiles_agree():
    assert spread_of(RNG(0).normal(0, 2, 5000)) == pytest.approx(2, rel=0.05)
    assert spread_of(np.array([0.0] * 9 + [10.0])) == pytest.approx(3)
    assert spread_of(np.full(9, 32.0)) == pytest.approx(0.032)
