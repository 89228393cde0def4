"""Runs as they are found: each was misjudged once, and is here with the verdict that a person would give."""

import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.history import RunHistory
from tests.core.curves import learning_curve

N = 60
X = np.arange(N)
NAN = float("nan")


def judged(seed=0, noise=0.01, **series):
    rng = np.random.default_rng(seed)
    noisy = {k: np.asarray(v, float) * (1 + noise * rng.normal(size=len(v))) for k, v in series.items()}
    (analysis,) = analyse([RunHistory.from_arrays(**noisy)], [{"kind": "history"}], load_checks())
    return analysis


def verdict(**series):
    return judged(**series).diagnosis.verdict


def test_a_fine_tuned_model_whose_noise_is_wider_than_its_gain_is_not_unstable():
    train, val = learning_curve(N, 1.15, 1.03), learning_curve(N, 1.2, 1.1)
    train = train + np.random.default_rng(1).normal(0, 0.05, N)
    assert verdict(train_loss=train, eval_loss=val, noise=0.001) == "healthy"


def test_a_loss_that_swings_by_its_own_size_is_unstable():
    swing = learning_curve(N) * np.where(X % 2, 1.6, 0.5)
    assert verdict(train_loss=swing, val_loss=swing * 1.1) == "unstable"


def test_a_small_sure_gain_of_a_loss_alone_is_not_underfitting():
    assert (
        verdict(train_loss=learning_curve(N, 2.05, 1.8), eval_loss=learning_curve(N, 2.1, 1.9), noise=0.002)
        == "healthy"
    )


def test_training_and_validation_that_drift_upwards_are_neither_healthy_nor_overfitting():
    drift = learning_curve(N, floor=0.2, rate=20) + 0.01 * np.maximum(X - 20, 0)
    analysis = judged(train_loss=drift, val_loss=drift * 1.2)
    assert analysis.diagnosis.verdict in ("unstable", "inconclusive")
    assert "close to its best" not in analysis.finding("OVF102").summary


def test_a_curve_that_ends_above_its_best_is_not_called_close_to_it():
    both = learning_curve(N, floor=1.0, rate=20) + 0.05 * np.maximum(X - 40, 0)
    assert "training got worse with it" in judged(train_loss=both, val_loss=both).finding("OVF102").summary


@pytest.mark.parametrize("every", [2, 5])
def test_epochs_without_validation_are_no_breakdown(every):
    val = np.where(X % every == every - 1, learning_curve(N, floor=0.3), NAN)
    assert verdict(train_loss=learning_curve(N, floor=0.25), val_loss=val) == "healthy"


def test_nan_to_the_end_is_a_breakdown_after_holes_too():
    val = np.where((X % 5 == 4) & (X < 30), learning_curve(N, floor=0.3), NAN)
    train = np.where(X < 30, learning_curve(N, floor=0.25), NAN)
    assert verdict(train_loss=train, val_loss=val) == "unstable"


def test_a_huge_first_value_does_not_hide_a_rise():
    val = np.maximum(learning_curve(N, 60.0, 0.5, rate=40), 0.5) + 0.01 * np.maximum(X - 20, 0)
    val[0] = 500.0
    assert verdict(train_loss=learning_curve(N, 60.0, 0.05, rate=40), val_loss=val) == "overfitting"


def test_losses_of_any_scale_are_judged_alike():
    rise = np.maximum(learning_curve(N, floor=0.3), 0.4) + 0.02 * np.maximum(X - 20, 0)
    for scale in (1e-13, 1.0, 1e9):
        assert verdict(train_loss=scale * learning_curve(N, floor=0.02), val_loss=scale * rise) == "overfitting"


def test_an_error_rate_does_not_outvote_a_loss():
    rise = np.maximum(learning_curve(N, floor=0.3), 0.5) + 0.004 * np.maximum(X - 20, 0)
    losses = {"train_loss": learning_curve(N, floor=0.01), "eval_loss": rise}
    assert verdict(**losses, eval_wer=learning_curve(N, 90.0, 33.0), noise=0.003) == "overfitting"


def test_a_clean_accuracy_says_nothing_of_a_robust_loss():
    rise = np.maximum(learning_curve(N, floor=1.0), 1.2) * (1 + 0.006 * np.maximum(X - 20, 0))
    train = learning_curve(N, floor=0.5)
    clean = 0.6 + 0.004 * X
    analysis = judged(
        train_robust_loss=train, test_robust_loss=rise, train_acc=clean, test_acc=clean - 0.02, noise=0.003
    )
    assert analysis.diagnosis.verdict == "overfitting"


def test_a_training_loss_beside_map_on_validation_can_be_judged():
    rising = 0.5 * (1 - np.exp(-6 * X / N))
    falling = rising - 0.004 * np.maximum(X - 25, 0)
    assert verdict(train_loss=learning_curve(N), val_mAP=rising, noise=0.003) == "healthy"
    assert verdict(train_loss=learning_curve(N), val_mAP=falling, noise=0.003) == "overfitting"


def test_a_detector_keeps_the_checkpoint_of_its_best_map():
    parts = {f"{side}_{part}_loss": learning_curve(N) for side in ("train", "val") for part in ("box", "cls", "dfl")}
    parts["val_box_loss"] = np.where(X > 20, parts["val_box_loss"][20], parts["val_box_loss"])
    found = judged(**parts, **{"metrics/mAP50-95(B)": 0.6 - 0.0002 * (X - 50.0) ** 2}, noise=0.0).diagnosis
    assert found.best_epoch == 50


@pytest.mark.parametrize("dice", [0.0, 0.01])
def test_an_empty_mask_is_no_success_however_good_its_pixels(dice):
    series = {"train_loss": learning_curve(N, 0.4, 0.3), "val_loss": learning_curve(N, 0.42, 0.32)}
    flat = {"train_dice": np.full(N, dice), "val_dice": np.full(N, dice), "train_acc": np.full(N, 0.97)}
    assert verdict(**series, **flat, val_acc=np.full(N, 0.97)) == "underfitting"


def test_a_harder_training_task_is_not_a_model_too_small():
    up = 1 - np.exp(-8 * X / N)
    losses = {"train_loss": learning_curve(N, 2.3, 1.5), "val_loss": learning_curve(N, 2.2, 1.0)}
    assert verdict(**losses, train_acc=0.1 + 0.35 * up, val_acc=0.1 + 0.5 * up, noise=0.003) == "healthy"


def test_a_sharp_valley_in_a_short_run_is_a_minimum():
    val = [2.17, 0.79, 1.11, 1.11, 1.21, 1.31, 1.25, 1.29, 1.23, 1.31, 1.23, 1.26]
    train = [2.26, 0.44, 0.23, 0.11, 0.09, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01]
    assert verdict(train_loss=train, val_loss=val, noise=0.0) == "overfitting"
