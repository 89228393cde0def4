from __future__ import annotations

import math

import pytest

from copilot.reporting.scales import MAX_POINTS, Scale, kept_points, stretches


def test_ticks_are_round_and_in_range():
    ticks = Scale.of_values([0.11, 2.34], "loss", 300, 0).ticks(5)
    assert [text for _, text in ticks] == ["0.0", "0.5", "1.0", "1.5", "2.0"]


def test_scores_are_ticked_in_percent_and_stay_in_their_range():
    scale = Scale.of_values([0.52, 0.999], "accuracy", 300, 0)
    assert scale.high == 1.0
    assert [text for _, text in scale.ticks(5)] == ["60", "70", "80", "90", "100"] or scale.ticks(5)[-1][1] == "100"


def test_an_exploding_loss_gets_a_log_scale():
    scale = Scale.of_values([0.5, 0.6, 0.7, 1e9], "loss", 300, 0)
    assert scale.log
    assert scale(1e9) == pytest.approx(0)
    assert all(math.log10(value).is_integer() for value, _ in scale.ticks(5))
    assert not Scale.of_values([0.001, 0.1, 0.5, 2.3], "loss", 300, 0).log


@pytest.mark.parametrize("values", [[0.0], [0.5, 0.5], [-3.0, -3.0], [1e-12, 2e-12], [-1e9, 1e9], [0, 1e-300]])
def test_any_range_gets_ticks(values: list[float]):
    scale = Scale.of_values(values, "loss", 300, 0)
    assert 1 <= len(scale.ticks(5)) <= 8
    assert all(math.isfinite(scale(v)) for v in values)


def test_one_epoch_stands_in_the_middle():
    scale = Scale.of_epochs([7], 0, 100)
    assert scale(7) == 50
    assert scale.ticks(5) == [(7, "7")]


def test_epochs_have_whole_ticks():
    assert [text for _, text in Scale.of_epochs([1, 2, 3], 0, 100).ticks(8)] == ["1", "2", "3"]


def test_a_line_breaks_at_holes_but_not_at_sparse_steps():
    assert stretches([1, 2, None, 4, 5]) == [[0, 1], [3, 4]]
    assert stretches([None, 1, None, 3, None, 5]) == [[1, 3, 5]]
    assert stretches([1, 2, 3, None, 5, None, 7, 8]) == [[0, 1, 2], [4], [6, 7]]
    assert stretches([None, math.nan, None]) == []
    assert stretches([1, 2, 3, 4], kept=[0, 3]) == [[0, 3]]


def test_a_long_curve_is_thinned_to_its_extremes():
    n = 50_000
    train = [math.sin(i / 900) for i in range(n)]
    val = [None if i % 7 else math.cos(i / 900) for i in range(n)]
    train[31_234] = 9.0
    kept = kept_points(range(n), (train, val), (12_345, None))
    assert len(kept) <= MAX_POINTS + 10
    assert {0, n - 1, 12_345, 31_234} <= set(kept)
    assert kept == sorted(set(kept))
    assert kept_points(range(100), (train[:100],), ()) == list(range(100))
