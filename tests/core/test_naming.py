"""Metric names as they are found in the wild."""

from __future__ import annotations

import pytest

from copilot.core.naming import is_fraction, parse_metric_name

PAIRS = [
    ("loss", "train_loss", "val_loss"),
    ("loss", "train/loss", "val/loss"),
    ("loss", "train loss", "valid loss"),
    ("loss", "Loss/train", "Loss/valid"),
    ("loss", "training_loss", "validation_loss"),
    ("loss", "trainLoss", "valLoss"),
    ("loss", "trainloss", "valloss"),
    ("loss", "train-loss", "val-loss"),
    ("loss", "avg_train_losses", "avg_val_loss"),
    ("loss", "train_loss_epoch", "val_loss/dataloader_idx_0"),
    ("loss", "train/epoch_loss", "validation/epoch_loss"),
    ("loss", "train_total_loss", "holdout_loss"),
    ("loss", "eval_train_loss", "eval_loss"),
    ("loss_1", "train_loss1", "val_loss_1"),
    ("box_loss", "train/box_loss", "val/box_loss"),
    ("accuracy", "train_acc", "eval_accuracy"),
    ("accuracy", "train/top1", "val_acc@1"),
    ("accuracy", "accuracy_train", "metrics/accuracy_top1"),
    ("accuracy", "train_sparse_categorical_accuracy", "val_binary_accuracy"),
    ("top5", "train_acc5", "metrics/accuracy_top5"),
    ("map50", "train/mAP@0.5", "metrics/mAP50(B)"),
    ("map50-95", "train/mAP_0.5:0.95", "metrics/mAP50-95B"),
    ("map50_mask", "train/mAP50_mask", "metrics/mAP50(M)"),
    ("precision", "train_precision", "metrics/precision(B)"),
    ("ap", "train_average_precision", "val/AP"),
    ("map", "train_mean_average_precision", "val_mAP"),
    ("iou", "train_mIoU", "val_mean_iou"),
    ("dice", "train_dice_coef", "val_dice_score"),
    ("f1", "train_f1-score", "val/F1Score"),
    ("error", "train_err", "val_top1_error"),
    ("mae", "train_mean_absolute_error", "val_mae"),
    ("rmse", "train_root_mean_squared_error", "val_RMSE"),
    ("crossentropy", "train_categorical_crossentropy", "val_cross_entropy"),
    ("roc_auc", "train_roc_auc", "val_roc_auc_score"),
    ("score", "train_score", "val_score"),
]
NOISE = (
    "epoch epochs step global_step lr lr/pg0 lr-Adam x/lr0 learning_rate train/learning_rate system/cpu dur time "
    "elapsed_time epoch_time train_runtime eval_samples_per_second total_flos batch_size grad_norm memory patience "
    "loss_scale best_val_acc best_acc final_loss min_val_loss val_loss_min val_acc_std train_loss_std "
    "generalization_gap n_params threshold confusion_matrix_00 weight_decay IS test_avg anomaly_score"
)


@pytest.mark.parametrize(("quantity", "train", "val"), PAIRS)
def test_names_that_belong_together(quantity, train, val):
    parsed = [parse_metric_name(name) for name in (train, val)]
    assert [p.quantity for p in parsed] == [quantity, quantity]
    assert [p.split for p in parsed] == ["train", "val"]


@pytest.mark.parametrize("name", NOISE.split())
def test_names_that_are_no_curve(name):
    assert parse_metric_name(name) is None


@pytest.mark.parametrize(
    ("name", "kind", "higher_is_better"),
    [
        ("val_loss", "loss", False),
        ("dice_loss", "loss", False),
        ("val_error", "error", False),
        ("perplexity", "loss", False),
        ("fpr", "loss", False),
        ("accuracy", "score", True),
        ("val/psnr", "score", True),
        ("r2", "score", True),
    ],
)
def test_directions(name, kind, higher_is_better):
    parsed = parse_metric_name(name)
    assert (parsed.kind, parsed.higher_is_better) == (kind, higher_is_better)


def test_splits_that_a_name_does_not_tell():
    assert parse_metric_name("loss").split == "unknown"
    assert parse_metric_name("test_loss").split == "test"
    assert parse_metric_name("metrics/mAP50(B)").split == "val"


def test_a_row_per_step_ranks_below_a_row_per_epoch():
    assert parse_metric_name("train_loss_step").rank > parse_metric_name("train_loss_epoch").rank


def test_words_inside_other_words_do_not_count():
    assert parse_metric_name("previous_loss").quantity == "previous_loss"
    assert parse_metric_name("trailing_loss").split == "unknown"


@pytest.mark.parametrize(
    ("name", "train", "val", "split"),
    [
        ("loss_a", "{}_a", "{}_b", "train"),
        ("loss_b", "{}_a", "{}_b", "val"),
        ("acc", "{}", "val_{}", "train"),
        ("val_acc", "{}", "val_{}", "val"),
        ("my.loss", "my.loss", None, "train"),
        ("train_loss", "{}_a", "{}_b", "train"),
    ],
)
def test_patterns_of_the_project_win(name, train, val, split):
    assert parse_metric_name(name, train, val).split == split


def test_a_pattern_is_no_regular_expression():
    assert parse_metric_name("some loss", ".*{}", None).split == "unknown"


def test_which_quantities_run_from_zero_to_one():
    assert all(map(is_fraction, ("accuracy", "top5", "macro_f1", "error", "map50-95")))
    assert not any(map(is_fraction, ("loss", "dice_loss", "psnr", "rmse", "perplexity")))
