"""The generator: planted onsets, lengths, labels, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import _curves, _healthy, _overfit
from benchmarks._shapes import SCHEDULES, remaining
from copilot.core.findings import VERDICTS
from copilot.core.history import RunHistory

MAKERS = (_curves.healthy, _curves.overfitting, _curves.broken, _curves.ambiguous)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_same_seed_same_curves(make):
    first, again, other = make(20, 3), make(20, 3), make(20, 4)
    assert [i["name"] for i in first] == [i["name"] for i in again]
    for one, two in zip(first, again, strict=True):
        for name, values in one["series"].items():
            np.testing.assert_array_equal(values, two["series"][name])
    assert [i["name"] for i in first] != [i["name"] for i in other]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_items_are_histories(make):
    for item in make(150, 0):
        lengths = {len(values) for values in item["series"].values()}
        assert len(lengths) == 1
        assert item["label"] == item["accepted"][0]
        assert set(item["accepted"]) <= set(VERDICTS)
        assert item["short"] == (lengths.pop() <= _curves.SHORT)
        assert RunHistory.from_arrays(**item["series"]).pairs


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n", [5, 30, 400])
def test_what_is_left_never_rises(schedule, n):
    for seed in range(20):
        left = remaining(schedule, n, np.random.default_rng(seed))
        assert left.shape == (n,)
        assert left[0] == pytest.approx(1.0)
        assert (np.diff(left) <= 1e-12).all()
        assert (left >= 0).all()


def test_clean_healthy_validation_stays_down():
    for seed in range(300):
        n = 5 + seed
        name, _, val, _ = _healthy._clean(n, np.random.default_rng(seed))
        if "recovered spike" not in name:
            assert val[-1] <= (1 + _healthy.MAX_DRIFT) * val.min(), name


def test_planted_onset_is_the_clean_minimum():
    """Without noise, what is observed is the clean curve; so the minimum of a nearly noiseless curve is the onset."""
    for seed in range(200):
        kind, train, val, sigma = _overfit._planted(8 + seed, np.random.default_rng(seed))
        onset = int(np.argmin(val))
        assert 1 <= onset <= len(val) - 1 - _overfit.MIN_EPOCHS_AFTER, kind
        assert val[-1] >= (1 + max(_overfit.MIN_RISE, 4 * sigma)) * val[onset] * (1 - 1e-9)
        assert train[-1] < 0.95 * train[onset]


def test_onset_comes_from_the_clean_curve(monkeypatch):
    monkeypatch.setattr(_overfit, "noise", lambda n, *_, **__: np.ones(n))
    monkeypatch.setattr(_overfit, "spikes", lambda n, *_, **__: np.ones(n))
    for seed in range(50):
        for family in (_overfit.losses, _overfit.losses_and_accuracies, _overfit.segmentation):
            name, series, onset = family(40, np.random.default_rng(seed))
            assert int(np.argmin(series["val_loss"])) == onset, name
        _, series, onset = _overfit.language_model(40, np.random.default_rng(seed))
        assert int(np.argmin(series["eval_loss"])) == onset
        _, series, onset = _overfit.detection(40, np.random.default_rng(seed))
        assert int(np.argmin(series["val/cls_loss"])) == onset


def test_only_overfitting_curves_have_an_onset():
    assert all(item["onset"] is not None for item in _curves.overfitting(50, 0))
    assert all(item["onset"] is None for make in MAKERS if make is not _curves.overfitting for item in make(50, 0))
