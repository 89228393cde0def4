"""Gaps between train and test: intervals that cover, scores of boxes and masks against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.statistics import difference_interval
from copilot.integrations.deepchecks.gaps import dice_by_class, gap_between, objects_found, of_classification


def test_shares_get_newcombes_interval():
    train, test = np.repeat([1.0, 0.0], [90, 10]), np.repeat([1.0, 0.0], [60, 40])
    gap = gap_between(train, test)
    assert (gap.train, gap.test, gap.gap) == pytest.approx((0.9, 0.6, 0.3))
    assert (gap.low, gap.high) == pytest.approx(difference_interval(0.9, 100, 0.6, 100), abs=1e-4)
    perfect = gap_between(np.ones(50), np.ones(50))
    assert perfect.low < 0 < perfect.high  # fifty right answers are no proof


def test_a_loss_is_worse_when_it_rises():
    rng = np.random.default_rng(0)
    gap = gap_between(rng.exponential(0.5, 400), rng.exponential(1.0, 400), sign=-1)
    assert 0.2 < gap.low < gap.gap < gap.high < 0.7
    wider = gap_between(rng.exponential(0.5, 400), rng.exponential(1.0, 400), sign=-1, alpha=0.001)
    assert wider.high - wider.low > gap.high - gap.low


def test_bootstrapped_intervals_cover():
    rng = np.random.default_rng(1)
    hits = [
        (g := gap_between(rng.exponential(1, 60), rng.exponential(2, 60), sign=-1, seed=i)).low < 1 < g.high
        for i in range(200)
    ]
    assert 0.88 < np.mean(hits) < 1.0


def test_images_are_scored_one_by_one():
    scores = of_classification(np.array([[0.75, 0.25], [0.6, 0.4], [1.0, 0.0]]), np.array([0, 1, 1]))
    assert scores["accuracy"].tolist() == [1, 0, 0]
    assert scores["loss"] == pytest.approx([-np.log(0.75), -np.log(0.4), -np.log(1e-12)])
    assert scores["confidence"].tolist() == [0.75, 0.6, 1.0]


def test_a_box_finds_one_object_of_its_class():
    objects = np.array([[0, 0, 0, 10, 10], [0, 20, 0, 10, 10], [1, 40, 0, 10, 10.0]])
    given = np.array(
        [
            [0, 0, 10, 10, 0.9, 0],
            [1, 0, 10, 10, 0.8, 0],  # the same object again
            [40, 0, 10, 10, 0.7, 0],  # of another class
            [27, 0, 10, 10, 0.6, 0],  # overlaps too little
        ]
    )
    assert objects_found(given, objects).tolist() == [1, 0, 0]
    assert objects_found(np.array([[40, 0, 10, 10, 0.7, 1]]), objects).tolist() == [0, 0, 1]
    assert objects_found(np.zeros((0, 6)), objects).tolist() == [0, 0, 0]
    assert objects_found(given, np.zeros((0, 5))).shape == (0,)
    assert objects_found(given * [1, 1, 0, 0, 1, 1], objects * [1, 1, 1, 0, 0]).tolist() == [0, 0, 0]  # no area


def test_dice_of_each_class_in_a_mask():
    mask, given = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 5]])
    classes, dice = dice_by_class(given, mask)
    assert classes.tolist() == [0, 1]
    assert dice == pytest.approx([2 / 3, 2 / 4])
