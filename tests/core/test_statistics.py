"""The arithmetic of the checks against plain definitions."""

import numpy as np
import pytest

from copilot.core.statistics import (
    hinge_index,
    last_index_where,
    logistic,
    moving_mean,
    noise_scale,
    smoothing_window,
    tail_length,
    tail_mean,
    take,
)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 19, 20, 21, 100, 1000, 100_000])
def test_windows_fit_the_curve(n):
    assert smoothing_window(n) % 2 == 1
    assert 1 <= smoothing_window(n) <= max(3, n / 10 + 1)
    assert 1 <= tail_length(n) <= n


@pytest.mark.parametrize("width", [1, 3, 5, 11])
def test_moving_mean_is_the_mean_of_each_window(width):
    values = np.random.default_rng(0).normal(size=(4, 30))
    half = width // 2
    expected = [[row[max(0, i - half) : i + half + 1].mean() for i in range(30)] for row in values]
    np.testing.assert_allclose(moving_mean(values, width), expected)


def test_moving_mean_of_a_constant_stays_exact_at_any_length():
    np.testing.assert_allclose(moving_mean(np.full(100_000, 0.1), 1001), 0.1, rtol=1e-9)


def test_noise_scale_finds_the_noise_under_a_trend():
    n = 2000
    noise = np.random.default_rng(1).normal(0, 0.05, (5, n))
    trends = np.stack([np.zeros(n), np.linspace(0, 9, n), -np.linspace(0, 3, n), np.sqrt(np.arange(n)), np.ones(n)])
    np.testing.assert_allclose(noise_scale(trends + noise), 0.05, rtol=0.1)


def test_noise_scale_of_short_or_straight_curves_is_zero():
    assert noise_scale(np.array([1.0, 5.0])) == 0
    assert noise_scale(np.zeros((3, 0))).tolist() == [0, 0, 0]
    np.testing.assert_allclose(noise_scale(np.linspace(0, 1, 50)), 0, atol=1e-12)


def test_tail_mean_and_take():
    values = np.arange(12.0).reshape(2, 6)
    assert tail_mean(values, 2).tolist() == [4.5, 10.5]
    assert take(values, np.array([0, 5])).tolist() == [0, 11]


def test_last_index_where():
    mask = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert last_index_where(mask).tolist() == [2, -1, 3]


def test_logistic_stays_in_bounds():
    assert logistic(0.0) == 0.5
    with np.errstate(all="raise"):
        assert logistic(np.array([-1e9, 1e9])).tolist() == pytest.approx([0, 1], abs=1e-20)


@pytest.mark.parametrize("knot", [10, 25, 40])
def test_hinge_finds_a_planted_bend(knot):
    x = np.arange(50)
    curves = np.stack([2 - 0.01 * x + slope * np.maximum(x - knot, 0) for slope in (0.05, 0.5, 5.0)])
    assert hinge_index(curves, np.ones_like(curves)).tolist() == [knot] * 3


def test_hinge_agrees_with_trying_every_knot_by_least_squares():
    rng = np.random.default_rng(4)
    x = np.arange(30)
    for _ in range(10):
        y = np.abs(x - rng.integers(8, 22)) * 0.1 + rng.normal(0, 0.2, 30)

        def residual(knot, y=y):
            design = np.stack([np.ones(30), x, np.maximum(x - knot, 0)], axis=1)
            fit, *_ = np.linalg.lstsq(design, y, rcond=None)
            return np.sum((y - design @ fit) ** 2) if fit[2] > 0 else np.inf

        best = min(range(1, 29), key=residual)
        assert hinge_index(y[None], np.ones((1, 30))).tolist() == [best]


def test_hinge_is_the_same_at_every_scale_and_place():
    y = np.abs(np.arange(40) - 13) * 0.1 + np.random.default_rng(2).normal(0, 0.05, 40)
    found = hinge_index(y[None], np.ones((1, 40)))
    for scaled in (y * 1e-6, y * 1e6, y + 100, 1e90 * y):
        assert hinge_index(scaled[None], np.ones((1, 40))) == found


def test_hinge_without_a_bend_or_without_points_is_the_start():
    flat, falling, bent_down = np.zeros(20), -np.arange(20.0), -np.maximum(np.arange(20.0) - 9, 0)
    curves = np.stack([flat, falling, bent_down])
    assert hinge_index(curves, np.ones_like(curves)).tolist() == [0, 0, 0]
    assert hinge_index(curves, np.zeros_like(curves)).tolist() == [0, 0, 0]


def test_hinge_ignores_points_without_weight():
    x = np.arange(60.0)
    y = np.where(x < 20, 50 - 2 * x, 0.1 * np.maximum(x - 40, 0))
    weights = (x >= 20).astype(float)
    assert hinge_index(y[None], weights[None]).tolist() == [40]
