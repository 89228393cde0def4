"""One axis for a run whose series count different things: batches and epochs, restarts, moments in time."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.axis import EpochAxis
from copilot.core.explanation import explain
from copilot.core.history import NoCurvesError, RunHistory
from copilot.core.pairs import LoggedSeries

START = 1.7e9
TEN = np.arange(10.0)
FALLING = 10 - TEN


def series(name, values, steps, seconds=None) -> LoggedSeries:
    times = None if seconds is None else START + np.asarray(seconds, float)
    return LoggedSeries(name, np.asarray(values, float), np.asarray(steps, float), times)


def history(*logged) -> RunHistory:
    return RunHistory.from_series(logged)


def loss(found: RunHistory):
    (pair,) = found.pairs
    return pair


def said(found: RunHistory, text: str) -> bool:
    return any(text in warning for warning in found.warnings)


PER_BATCH = np.repeat(FALLING, 500)
BATCHES = np.arange(5000.0)
VALIDATED = 500 * TEN + 499.5


def test_training_per_batch_and_validation_per_epoch_meet_by_time():
    found = history(series("train_loss", PER_BATCH, BATCHES, BATCHES), series("val_loss", FALLING + 1, TEN, VALIDATED))
    assert found.epochs.tolist() == TEN.tolist()
    assert loss(found).train.tolist() == FALLING.tolist()
    assert found.steps.tolist() == (500 * TEN + 499).tolist()
    assert said(found, "placed by time: 'train_loss'")


@pytest.mark.parametrize(
    "seconds",
    [(None, None), (np.zeros(5000), np.zeros(10)), (BATCHES, 9000 + TEN)],
    ids=["none", "all equal", "validated afterwards"],
)
def test_without_times_that_tell_training_is_left_out_and_it_is_said(seconds):
    found = history(series("train_loss", PER_BATCH, BATCHES, seconds[0]), series("val_loss", FALLING, TEN, seconds[1]))
    assert loss(found).train_name is None
    assert loss(found).val.tolist() == FALLING.tolist()
    assert said(found, "Left out, for their steps count something else")


@pytest.mark.parametrize("per_epoch", [1, 2])
def test_training_per_epoch_is_the_axis_of_validation_at_global_steps(per_epoch):
    n = 10 * per_epoch
    done = (np.arange(n) + 1) * 500 / per_epoch
    found = history(
        series("train_loss", FALLING, TEN, 500 * TEN + 502), series("val_loss", n - np.arange(n), done, done)
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert loss(found).val.tolist() == (n - np.arange(n))[per_epoch - 1 :: per_epoch].tolist()
    assert found.steps.tolist() == (500 * (TEN + 1)).tolist()


def test_every_series_of_a_run_comes_onto_one_axis():
    found = history(
        series("train_loss", PER_BATCH, BATCHES, BATCHES),
        series("train_f1", PER_BATCH / 10, BATCHES, BATCHES),
        series("train_acc", TEN / 10, TEN, VALIDATED),
        series("val_loss", FALLING, TEN, VALIDATED),
        series("val_acc", TEN / 10, TEN, VALIDATED),
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert [p.train_points for p in found.pairs] == [10, 10, 10]


def test_validation_that_ends_early_counts_the_same_steps():
    hundred = np.arange(100.0)
    found = history(
        series("train_loss", 100 - hundred, hundred, 60 * hundred),
        series("val_loss", 30 - hundred[:30], hundred[:30], 60 * hundred[:30] + 30),
    )
    assert (found.n_epochs, loss(found).val_points, found.warnings) == (100, 30, ())


def test_a_single_value_without_a_step_stands_at_its_time():
    found = history(series("loss", FALLING, TEN, 60 * TEN), series("val_loss", [3], [0], [1000]))
    assert np.flatnonzero(np.isfinite(loss(found).val)).tolist() == [9]
    assert said(found, "Logged once")


def test_epochs_from_zero_and_from_one_are_the_same_epochs():
    found = history(series("train_loss", FALLING, TEN + 1, 60 * TEN), series("val_loss", FALLING, TEN, 60 * TEN + 5))
    assert found.epochs.tolist() == TEN.tolist()
    before = history(series("train_loss", FALLING, TEN + 1, 60 * TEN), series("val_loss", FALLING, TEN, 60 * TEN - 58))
    assert before.epochs.tolist() == np.arange(11).tolist()  # validated before each epoch


# Restarts.


def twice(first, second, gap=50.0):
    """Both sides, logged on steps 0, 1, ... and then again."""
    steps = np.concatenate([np.arange(len(first)), np.arange(len(second))])
    at = 60 * np.concatenate([np.arange(len(first)), np.arange(len(second)) + gap])
    values = np.concatenate([first, second])
    return series("train_loss", values, steps, at), series("val_loss", values + 0.1, steps, at + 30)


def test_a_run_that_went_on_is_numbered_on():
    found = history(*twice(10 - 0.5 * TEN, 5 - 0.4 * TEN))
    assert found.epochs.tolist() == np.arange(20).tolist()
    assert loss(found).val[10] == pytest.approx(5.1)
    assert said(found, "numbered on")


def test_rows_sorted_by_step_tell_the_same():
    found = history(
        *(
            LoggedSeries(s.name, s.values[o], s.steps[o], s.times[o])
            for s in twice(10 - 0.5 * TEN, 5 - 0.4 * TEN)
            for o in [np.argsort(s.steps, kind="stable")]
        )
    )
    assert found.epochs.tolist() == np.arange(20).tolist()


def test_of_a_run_begun_from_scratch_the_last_attempt_counts():
    found = history(*twice(10 - 0.9 * TEN, 9.8 - 0.8 * TEN[:5]))
    assert loss(found).train == pytest.approx(9.8 - 0.8 * TEN[:5])
    assert said(found, "from scratch")


def test_the_rows_that_a_resumed_run_gave_up_are_dropped():
    steps, at = [*TEN, 5, 6, 7], 60 * np.array([*TEN, 50, 51, 52])
    values = [*(10 - 0.5 * TEN), 7.4, 7.3, 7.2]
    found = history(series("train_loss", values, steps, at), series("val_loss", values, steps, at + 30))
    assert found.epochs.tolist() == list(range(8))
    assert loss(found).train[-3:].tolist() == [7.4, 7.3, 7.2]
    assert said(found, "given up")


@pytest.mark.parametrize("epochs", [3, 10])
def test_the_batch_in_the_epoch_as_step(epochs):
    rows = np.arange(100 * epochs)
    found = history(
        series("train_loss", rows[::-1], rows % 100, rows),
        series("val_loss", FALLING[:epochs], TEN[:epochs], 100 * TEN[:epochs] + 99.5),
    )
    assert found.epochs.tolist() == TEN[:epochs].tolist()
    assert loss(found).train.tolist() == [rows[::-1][100 * e : 100 * e + 100].mean() for e in range(epochs)]


def test_many_trainings_in_one_run_are_not_strung_together():
    values = np.concatenate([10 - 0.9 * TEN + i for i in range(8)])
    rows = np.arange(80)
    found = history(
        series("train_loss", values, rows % 10, 60 * rows), series("val_loss", values, rows % 10, 60 * rows + 30)
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert loss(found).train.tolist() == values[-10:].tolist()


def test_series_that_count_different_things_are_numbered_on_each_by_itself():
    rows = np.arange(1000.0)
    found = history(
        series("train_loss", np.linspace(10, 1, 2000), [*rows, *rows], [*rows, *(rows + 5000)]),
        series("val_loss", np.linspace(10, 2, 20), [*TEN, *TEN], [*(100 * TEN + 99.5), *(100 * TEN + 5099.5)]),
    )
    assert found.epochs.tolist() == np.arange(20).tolist()
    assert loss(found).train_points == 20


def test_batches_under_the_step_of_their_epoch_are_averaged():
    rows = np.arange(100)
    found = history(
        series("train_loss", rows[::-1], rows // 10, rows), series("val_loss", FALLING, TEN, 10 * TEN + 9.5)
    )
    assert loss(found).train.tolist() == (rows[::-1].reshape(10, 10).mean(axis=1)).tolist()
    assert said(found, "averaged in 'train_loss'")


def test_tokens_are_no_moments():
    tokens = 1e12 + 1e9 * TEN
    found = history(series("train_loss", FALLING, tokens, 60 * TEN), series("val_loss", FALLING, tokens, 60 * TEN))
    assert found.epochs.tolist() == tokens.tolist()


def test_one_late_row_is_no_restart():
    found = history(
        series("train_loss", [*FALLING, 9.5], [*TEN, 1], 60 * np.arange(11)), series("val_loss", FALLING, TEN)
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert not said(found, "restart")


# Steps and times that are something else.


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_steps_that_are_moments(unit):
    found = history(
        series("loss", np.arange(100.0)[::-1], (START + 6 * np.arange(100)) * unit, 6 * np.arange(100)),
        series("val_loss", FALLING, (START + 60 * TEN + 57) * unit, 60 * TEN + 57),
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert loss(found).train[0] == 94.5
    assert said(found, "moments in time")


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1e6])
def test_times_in_other_units(factor):
    logged = [LoggedSeries(n, FALLING, 0 * TEN, (START + 60 * TEN) * factor) for n in ("loss", "val_loss")]
    found = history(*logged)
    assert found.epochs.tolist() == TEN.tolist()
    assert found.times == pytest.approx(START + 60 * TEN)


@pytest.mark.parametrize("step", [0, -1])
def test_all_rows_at_one_step(step):
    logged = [series(n, FALLING, 0 * TEN + step, 60 * TEN) for n in ("loss", "val_loss")]
    assert history(*logged).epochs.tolist() == TEN.tolist()
    short = [series(n, [2, 1], [step, step], [0, 60]) for n in ("loss", "val_loss")]
    assert loss(history(*short)).train.tolist() == [2, 1]


def test_a_row_logged_again_with_a_model_is_no_epoch():
    again = series("loss", [*FALLING, FALLING[-1]], [0] * 11, [*(60 * TEN), 540])
    assert history(again, series("val_loss", FALLING, 0 * TEN, 60 * TEN)).n_epochs == 10


# The epoch metric.


def test_epochs_logged_on_the_training_side_alone():
    steps = 10 * np.arange(1, 51.0)
    found = history(
        series("loss", 5 - 0.1 * np.arange(50), steps, steps),
        series("epoch", steps / 50, steps, steps),
        series("eval_loss", FALLING, 50 * (TEN + 1), 50 * (TEN + 1)),
    )
    assert found.epochs[np.isfinite(loss(found).val)].tolist() == (TEN + 1).tolist()
    assert found.steps.tolist() == steps.tolist()


@pytest.mark.parametrize("timed", [True, False])
def test_validation_that_counts_epochs_beside_an_epoch_metric(timed):
    steps = 10 * np.arange(1, 51.0)
    found = history(
        series("train_loss", 5 - 0.1 * np.arange(50), steps, steps if timed else None),
        series("epoch", np.arange(50) // 5, steps, steps if timed else None),
        series("val_loss", FALLING, TEN, 50 * TEN + 45 if timed else None),
    )
    assert found.epochs.tolist() == TEN.tolist()
    assert loss(found).val.tolist() == FALLING.tolist()


def test_whole_epochs_stay_whole_between_their_rows():
    stairs = EpochAxis("epoch", np.array([50, 100, 150, 200.0]), np.array([0, 0, 1, 1.0]))
    at_the_end = EpochAxis("epoch", np.array([100, 200.0]), np.array([0, 1.0]))
    at_the_start = EpochAxis("epoch", np.array([0, 100.0]), np.array([0, 1.0]))
    assert stairs.map_steps(np.array([125.0])).tolist() == [0]
    assert at_the_end.map_steps(np.array([150.0])).tolist() == [1]
    assert at_the_start.map_steps(np.array([50.0])).tolist() == [0]


# Whatever is logged.


ODD_NAMES = (
    *("train_loss", "val_loss", "loss", "val_acc", "acc", "epoch", "lr", "mIoU", "test_loss"),
    *("val_loss/dataloader_idx_1", "train_loss_step"),
)


def odd_steps(rng, n: int) -> np.ndarray | None:
    rows = np.arange(n, dtype=float)
    return (
        rows,
        None,
        0 * rows,
        rows % max(1, n // 3),
        rows[::-1].copy(),
        500 * rows + 499,
        np.where(rng.random(n) < 0.2, np.nan, rows),
        rows + START,
        rng.choice([np.inf, -np.inf, 1e300, 0], n),
        np.concatenate([rows[: n // 2], rows[: n - n // 2]]),
    )[rng.integers(10)]


def odd_times(rng, n: int) -> np.ndarray | None:
    rows = np.arange(n, dtype=float)
    broken = np.where(rng.random(n) < 0.2, np.nan, START + rows)
    return (START + 60 * rows, None, 0 * rows, 1000 * START + rows, START - rows, broken)[rng.integers(6)]


def odd_values(rng, n: int) -> np.ndarray:
    values = rng.random(n)
    return (values, 100 * values, np.where(values < 0.3, np.nan, values), np.full(n, 1.797e308))[rng.integers(4)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_logged_gives_a_sound_history_or_one_line(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        sizes = {str(n): int(rng.choice([0, 1, 2, 3, 10, 60])) for n in rng.choice(ODD_NAMES, 4, replace=False)}
        logged = [LoggedSeries(k, odd_values(rng, n), odd_steps(rng, n), odd_times(rng, n)) for k, n in sizes.items()]
        try:
            found = RunHistory.from_series(logged)
        except NoCurvesError:
            continue
        assert np.all(np.diff(found.epochs) > 0)
        arrays = [a for p in found.pairs for a in (p.train, p.val, p.bad_train, p.bad_val)] + [found.times, found.steps]
        assert {len(a) for a in arrays if a is not None} == {found.n_epochs}
        assert all(reading.used_as or reading.why for reading in explain(found).names)
