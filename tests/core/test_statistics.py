"""The arithmetic of the checks against plain definitions."""

import numpy as np
import pytest

from copilot.core.statistics import (
    difference_interval,
    last_index_where,
    late_noise_scale,
    mean_half_width,
    moving_mean,
    noise_scale,
    smoothing_window,
    tail_length,
    tail_mean,
    take,
    wilson_interval,
    without_spikes,
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


def test_late_noise_is_not_widened_by_a_steep_start():
    steep = 4 * np.exp(-np.arange(9.0)) + np.array([0, 0, 0, 0, 0, 0.01, 0.02, 0.03, 0.04])
    assert late_noise_scale(steep[None])[0] < 0.3 * noise_scale(steep[None])[0]
    noise = np.random.default_rng(0).normal(0, 0.1, (200, 12))
    assert np.all(late_noise_scale(noise) <= noise_scale(noise))
    assert np.all(late_noise_scale(noise) >= 0.15 * noise_scale(noise) - 1e-15)
    assert late_noise_scale(noise[:, :5]).tolist() == noise_scale(noise[:, :5]).tolist()


def test_single_spikes_go_and_steps_stay():
    rng = np.random.default_rng(1)
    step = np.repeat([1.0, 0.4], 20)[None] + rng.normal(0, 0.01, (1, 40))
    spiked = step.copy()
    spiked[0, [7, 30]] += 1.0
    cleaned = without_spikes(spiked)
    assert np.abs(cleaned - step).max() < 0.06
    assert np.array_equal(without_spikes(step), step)
    assert spiked[0, 7] > 1.9, "the curve that was given is not changed"
    spiked[0, -1] += 2.0
    assert without_spikes(spiked)[0, -1] == spiked[0, -5:-1].max()


def test_wilson_and_newcombe_against_published_examples():
    """E. B. Wilson's interval and example (a) of R. G. Newcombe, Statistics in Medicine 17, 1998, table II."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=2e-4)
    assert difference_interval(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=2e-4)


def test_mean_interval_covers_as_often_as_it_says():
    values = np.random.default_rng(2).normal(size=(4000, 6))
    inside = np.abs(values.mean(axis=1)) <= mean_half_width(values)
    assert abs(inside.mean() - 0.95) < 0.012
    assert mean_half_width(values[:, :1]).tolist() == [0.0] * 4000
