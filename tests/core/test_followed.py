"""A followed quantity: which names stand for it, and that another name or unit starts it afresh."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.followed import TRAIN, VAL, FollowedQuantity, Sources
from copilot.core.naming import parse_metric_name
from copilot.core.stopping import StopThresholds


def following(logged: dict[str, dict[float, float]], epochs: int) -> FollowedQuantity:
    followed = FollowedQuantity(parse_metric_name(next(iter(logged))), StopThresholds())
    for epoch in range(epochs):
        for name, values in logged.items():
            if epoch in values:
                followed.add_name(parse_metric_name(name))
        shown = {n: {e: v for e, v in at.items() if e <= epoch} for n, at in logged.items()}
        followed.advance(epoch, shown)
    return followed


def series(values, start: int = 0) -> dict[float, float]:
    return {start + i: float(v) for i, v in enumerate(values)}


def test_the_best_name_stands_for_each_side():
    names = ("loss", "train_loss_step", "train_loss", "test_loss", "val_loss")
    followed = following({name: series([1.0, 0.9]) for name in names}, 2)
    assert followed.sources == Sources("train_loss", "val_loss")
    followed = following({name: series([1.0, 0.9]) for name in ("loss", "test_loss")}, 2)
    assert followed.sources == Sources("loss", "test_loss")


def test_a_better_name_that_comes_late_starts_it_afresh():
    followed = following({"test_loss": series([0.1] * 5), "val_loss": series([0.7, 0.6, 0.8], 3)}, 6)
    assert followed.sources.val == "val_loss"
    assert (followed.best_epoch, followed.watched) == (4, 3)
    assert followed.reading.best[VAL] == 0.6


def test_percent_is_noticed_late_and_applied_from_the_start():
    followed = following({"val_accuracy": series([0.9, 30.0, 60.0, 50.0]), "train_accuracy": series([1.0, 31.0])}, 4)
    assert followed.sources.factor == 0.01
    assert followed.best_epoch == 2
    assert followed.value(followed.reading.best[VAL]) == pytest.approx(0.6)
    assert followed.first[VAL] == pytest.approx(0.991)


def test_costs_fall_when_the_model_improves():
    for name, value, cost in [("val_loss", 0.4, 0.4), ("val_accuracy", 0.4, 0.6), ("val_psnr", 30.0, -30.0)]:
        followed = following({name: series([value])}, 1)
        assert followed.costs(0, {name: {0: value}})[VAL] == pytest.approx(cost)
        assert followed.value(cost) == pytest.approx(value)
        assert np.isnan(followed.costs(0, {name: {0: value}})[TRAIN])


def test_train_alone_is_not_followed():
    followed = following({"train_loss": series([1.0, 0.5])}, 2)
    assert (followed.followed, followed.watched, followed.best_epoch) == (False, 0, None)
    assert followed.first == {TRAIN: 1.0}
