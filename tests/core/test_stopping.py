"""The stop rule: turned for good, and neither noise, a learning-rate drop nor a late improvement."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from copilot.core.statistics import noise_scale
from copilot.core.stopping import StopThresholds, StopWatch, _noise, replay
from tests.core.curves import learning_curve


def turning(n: int = 100, best: int = 40, slope: float = 0.01, noise: float = 0.01, seed: int = 0, scale: float = 1.0):
    """Validation falls to 0.5 at `best` and rises from there; training falls on."""
    rng, t = np.random.default_rng(seed), np.arange(n)
    val = 0.5 + 0.03 * np.maximum(best - t, 0) + slope * np.maximum(t - best, 0) + rng.normal(0, noise, n)
    return scale * val, scale * (learning_curve(n, floor=0.05) + rng.normal(0, noise / 2, n))


def dropping(n: int = 200, drop: int = 100, noise: float = 0.03, seed: int = 0, after: float = 0.004):
    """A noisy plateau until the learning rate is lowered; then a jump down, and overfitting."""
    rng, t = np.random.default_rng(seed), np.arange(n)
    level = np.where(t < drop, 1.6 + 0.9 * np.exp(-t / 10) + 0.0005 * t, 1.35 + after * (t - drop))
    train = np.where(t < drop, 1.5 + 0.9 * np.exp(-t / 10), 1.1 - 0.006 * (t - drop))
    noise = np.where(t < drop, noise, noise / 5)
    return level + rng.normal(size=n) * noise, train + rng.normal(size=n) * noise / 3


def stop_of(val: np.ndarray, train: np.ndarray | None = None, **thresholds) -> int:
    train = np.full(len(val), np.nan) if train is None else train
    return int(replay(val[None], train[None], StopThresholds(**thresholds))[0])


@pytest.mark.parametrize("seed", range(10))
def test_it_stops_soon_after_the_turn(seed):
    val, train = turning(seed=seed)
    stop = stop_of(val, train)
    assert np.argmin(val) < stop <= np.argmin(val) + 30


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_loss_does_not_matter(scale):
    assert stop_of(*turning(scale=scale)) == stop_of(*turning())


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1, 0.5])
def test_it_never_stops_a_plateau_however_noisy(seed, noise):
    rng = np.random.default_rng(seed)
    val = 0.5 + 2 * np.exp(-np.arange(300) / 20) + rng.normal(0, noise, 300)
    assert stop_of(val, learning_curve(300, floor=0.05)) == -1


@pytest.mark.parametrize("seed", range(10))
def test_it_waits_for_a_learning_rate_drop_and_stops_after_it(seed):
    val, train = dropping(seed=seed)
    assert 100 < stop_of(val, train) <= np.argmin(val) + 40


def test_it_waits_while_training_has_just_fallen_at_once():
    val, train = dropping(after=0.03, noise=0.005)
    eager, patient = (stop_of(val, train, grace=grace, wait=1, wait_share=0.0, evidence=1.0) for grace in (0, 25))
    assert 100 < eager < 120 <= patient


def test_it_does_not_stop_a_run_whose_training_gets_worse():
    val, _ = turning()
    assert stop_of(val, val) == -1
    assert stop_of(val) > 40  # without training the validation speaks alone


def test_it_does_not_stop_a_curve_on_its_way_back():
    t = np.arange(120)
    bump = 0.5 + 0.02 * np.maximum(30 - t, 0) + 0.3 * np.exp(-(((t - 50) / 8) ** 2))
    assert stop_of(bump, wait=25, evidence=1.0) == -1


def test_one_wild_epoch_is_no_evidence():
    val, train = turning(slope=0.0)
    val[60] = 50.0
    assert stop_of(val, train) == -1


def test_missing_and_broken_values_are_passed_over():
    val, train = turning(noise=0.0)
    holes = np.full(3 * len(val), np.nan)
    holes[::3] = val
    holes[1::3] = np.inf
    assert stop_of(holes, np.repeat(train, 3)) == 3 * stop_of(val, train)
    assert stop_of(np.full(50, np.nan)) == -1


def test_the_last_word_holds_while_nothing_new_is_known():
    watch = StopWatch()
    readings = [watch.update(v, t) for v, t in zip(*turning(), strict=True)]
    assert readings[-1].turned[0]
    later = watch.update(np.nan, 0.1)
    assert later.turned[0]
    assert later.seen[0] == readings[-1].seen[0] == 100
    assert not watch.update(0.01, 0.1).turned[0]  # a new best wipes it out


def test_many_rows_are_judged_as_one_by_one():
    runs = [turning(seed=s, best=30 + s, slope=0.002 * s) for s in range(12)]
    together = replay(np.stack([v for v, _ in runs]), np.stack([t for _, t in runs]))
    assert together.tolist() == [stop_of(*run) for run in runs]
    assert (together == -1).any()
    assert (together > 0).any()


def test_scores_are_judged_by_their_absolute_drop():
    rng, t = np.random.default_rng(0), np.arange(100)
    errors = 0.02 + 0.01 * np.maximum(40 - t, 0) / 40 + 0.0002 * np.maximum(t - 40, 0) + rng.normal(0, 1e-5, 100)

    def stops(bounded: bool) -> bool:
        watch = StopWatch(1, bounded=bounded)
        return any(watch.update(e).turned[0] for e in errors[:80])

    assert stops(False)  # 40 % more errors
    assert not stops(True)  # but .8 points of accuracy


def test_a_copy_is_independent():
    val, train = turning()
    watch = StopWatch()
    for v, t in zip(val[:30], train[:30], strict=True):
        watch.update(v, t)
    twin = watch.copy()
    first = [watch.update(9.0, 9.0).evidence[0] for _ in range(5)][-1]
    assert first > 0
    assert twin.update(val[30], train[30]).evidence[0] == 0
    assert twin.update(9.0).seen[0] == 32


def test_the_noise_is_that_of_the_statistics():
    values = np.random.default_rng(0).normal(size=(4, 31))
    assert _noise(values) == pytest.approx(noise_scale(values), rel=1e-3)
    values[:, :10] = np.nan
    assert _noise(values) == pytest.approx(noise_scale(values[:, 10:]), rel=1e-3)
    assert np.isnan(_noise(np.full((1, 31), np.nan)))[0]


def test_thresholds_are_checked():
    with pytest.raises(ValidationError, match="rise"):
        StopThresholds(rise=-1)
    with pytest.raises(ValidationError, match="patience"):
        StopThresholds(patience=3)


def _published(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validation and training losses padded with NaN, and the last epoch of each."""
    text = path.read_bytes()
    rows = [json.loads(line) for line in (gzip.decompress(text) if path.suffix == ".gz" else text).splitlines()]
    rows = [row for row in rows if row["val_loss"] and all(v is not None for v in row["val_loss"])]
    longest = max(len(row["val_loss"]) for row in rows)
    sides = [np.full((len(rows), longest), np.nan) for _ in range(2)]
    for side, name in zip(sides, ("val_loss", "train_loss"), strict=True):
        for i, row in enumerate(rows):
            side[i, : len(row[name])] = row[name]
    return (*sides, np.array([len(row["val_loss"]) - 1 for row in rows]))


def test_published_histories_keep_their_best_epoch(shared_data):
    val, train, last = _published(shared_data / "histories" / "overfitguard_real.jsonl")
    stops = replay(val, train)
    stops, best = np.where(stops < 0, last, stops), np.nanargmin(val, axis=1)
    assert len(val) == 40
    assert (best <= stops).mean() >= 0.975
    assert np.median((stops - best)[best <= stops]) <= 30


def test_simulated_histories_keep_their_best_epoch(shared_data):
    val, train, last = _published(shared_data / "histories" / "overfitguard_simulated.jsonl.gz")
    stops = replay(val, train)
    assert (np.nanargmin(val, axis=1) <= np.where(stops < 0, last, stops)).mean() >= 0.99
