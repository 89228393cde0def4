"""Metric names as they are found in the wild."""

from __future__ import annotations

import pytest

from copilot.core.naming import (
    FROM_OTHERS,
    IGNORED,
    NOT_A_CURVE,
    SUMMED_UP,
    TWO_SPLITS,
    UNKNOWN,
    is_fraction,
    parse_metric_name,
    read_metric_name,
)
from copilot.errors import ConfigError
from copilot.utils.name_rules import NameRule

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
    ("logloss", "train-logloss", "validation_0-logloss"),
    ("mlogloss", "train-mlogloss", "eval-mlogloss"),
    ("logloss", "training-binary_logloss", "valid_1-binary_logloss"),
    ("logloss", "learn/Logloss", "validation/Logloss"),
    ("logloss", "training_log_loss", "val_log_loss"),
    ("l2", "training-l2", "valid_0-l2"),
    ("loss", "train/train_loss", "train/val_loss"),
    ("loss", "epoch_train_loss", "epoch_val_loss"),
    ("loss", "trian_loss", "vail_loss"),
    ("loss", "train loss", "vali_loss"),
    ("loss", "Trainingsverlust", "Validierungsverlust"),
    ("accuracy", "Trainingsgenauigkeit", "Validierungsgenauigkeit"),
    ("loss", "perte_entraînement", "perte_validation"),
    ("loss", "训练损失", "验证损失"),
    ("accuracy", "训练准确率", "验证准确率"),
    ("accuracy", "Train Acc (%)", "val_acc_pct"),
    ("accuracy", "train_MulticlassAccuracy", "val_accuracy"),
    ("f1", "train_BinaryF1Score", "val/MulticlassF1Score"),
    ("mse", "train_MeanSquaredError", "val_mse"),
    ("map50-95", "train/mAP50-95", "metrics/mAP_0.50.95"),
    ("map50", "train/mAP50", "metrics/mAP_0.5"),
    ("loss_fold1", "fold_1/train_loss", "val_loss_fold1"),
    ("macro_f1", "train_f1_macro", "val_macro_f1"),
    ("loss", "train_data_loss", "loss_on_val_data"),
    ("loss", "train_loss", "held-out_loss"),
    ("class_error", "train_class_error", "val_class_error"),
    ("nll", "train_negative_log_likelihood", "val_nll"),
    ("loss", "Train/Loss/Epoch", "Val/Loss/Epoch"),
    ("loss", "trainset_loss", "devset_loss"),
    ("r2", "In-Sample R2", "out_of_sample_r2"),
]
# Names that look alike and are not the same: (training, validation).
NO_PAIRS = [
    ("train_loss", "val_loss_ema"),
    ("train_loss", "teacher_val_loss"),
    ("train_loss", "clean_val_loss"),
    ("train_loss", "val_loss_1"),
    ("train_loss", "val_cls_loss"),
    ("train_f1", "val_f1_class_3"),
    ("train_AP", "val/AP-car"),
    ("train_acc", "val_acc_1"),
    ("train_acc", "val_acc5"),
    ("train_accuracy", "val_balanced_accuracy"),
    ("train_loss", "val_data_term_loss"),
    ("train_loss", "eval_squad_loss"),
    ("train_loss_fold1", "val_loss_fold2"),
    ("train_mse", "val_neg_mean_squared_error"),
    ("train/mAP50", "metrics/mAP50-95"),
    ("train_dice", "val_dice_loss"),
    ("train_rec", "val_rec_loss"),
    ("train_iou", "val_giou_loss"),
    ("decode.acc_seg", "aAcc"),
    ("training_accuracy_score", "accuracy_score_X_test"),
]
LEFT_OUT = [
    ("train_val_loss", TWO_SPLITS),
    ("test_val_loss", TWO_SPLITS),
    ("val_best_loss", SUMMED_UP),
    ("train-logloss-std", SUMMED_UP),
    ("val_loss_gap", FROM_OTHERS),
    ("-val_loss", FROM_OTHERS),
    ("val_neg_loss", FROM_OTHERS),
    ("1 - val_acc", FROM_OTHERS),
    ("one_minus_val_dice", FROM_OTHERS),
    ("inverse_loss", FROM_OTHERS),
    ("train/epoch", NOT_A_CURVE),
    ("loss_ratio", FROM_OTHERS),
    ("loss_weight", NOT_A_CURVE),
    ("kl_coef", NOT_A_CURVE),
    ("val_f1_threshold", NOT_A_CURVE),
    ("num_errors", NOT_A_CURVE),
    ("eval_runtime", NOT_A_CURVE),
    ("trainer/lr", NOT_A_CURVE),
    ("params_total", UNKNOWN),
    ("l2", UNKNOWN),
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


@pytest.mark.parametrize(("train", "val"), NO_PAIRS)
def test_names_that_do_not_belong_together(train, val):
    one, other = parse_metric_name(train), parse_metric_name(val)
    assert other is None or one.quantity != other.quantity


@pytest.mark.parametrize(("name", "why"), LEFT_OUT)
def test_why_a_name_is_left_out(name, why):
    assert read_metric_name(name).why == why


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
        ("val_neg_mean_squared_error", "score", True),
        ("val_explained_variance", "score", True),
        ("val_log_likelihood", "score", True),
        ("recall_negative", "score", True),
        ("val_TPR_at_FPR_0.01", "score", True),
        ("val_fpr_at_tpr95", "loss", False),
    ],
)
def test_directions(name, kind, higher_is_better):
    parsed = parse_metric_name(name)
    assert (parsed.kind, parsed.higher_is_better) == (kind, higher_is_better)


def test_splits_that_a_name_does_not_tell():
    assert parse_metric_name("loss").split == "unknown"
    assert parse_metric_name("test_loss").split == "test"
    assert parse_metric_name("te_loss").split == "test"
    assert parse_metric_name("metrics/mAP50(B)").split == "val"
    assert parse_metric_name("trainval_loss").split == "unknown"


@pytest.mark.parametrize(
    "name", ["bbox/AP", "segm/AP50", "coco/bbox_mAP", "AP-car", "mIoU", "aAcc", "metrics/recall(B)"]
)
def test_what_trainers_log_only_when_they_evaluate_is_validation(name):
    parsed = parse_metric_name(name)
    assert (parsed.split, parsed.implied) == ("val", True)


def test_evaluation_sets_are_told_apart():
    numbers = {n: parse_metric_name(f"val_loss/dataloader_idx_{n}").dataset for n in (0, 1, 12)}
    assert numbers == {0: 0, 1: 1, 12: 12}
    assert [parse_metric_name(f"validation_{n}-rmse").dataset for n in (0, 1)] == [0, 1]
    assert parse_metric_name("val_loss").dataset is None


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


def test_several_patterns_the_longest_that_fits_first():
    patterns = ("{}_a", "first/{}_a")
    assert parse_metric_name("first/loss_a", patterns, None).quantity == "loss"
    assert parse_metric_name("acc_a", list(patterns), None).split == "train"
    assert parse_metric_name("first/loss_b", patterns, "{}_b").split == "val"


def test_exact_names_ignored_names_and_stars():
    train = (NameRule("curve {1}", "loss", exact=True), NameRule("curve 3", "gain", True, exact=True), "run*/{}_tr")
    val = (NameRule("old/*", ignore=True), NameRule("curve 2", "loss", exact=True))
    read = {
        n: read_metric_name(n, train, val) for n in ("curve {1}", "curve 2", "curve 3", "old/val_loss", "run7/acc_tr")
    }
    assert [(read[n].quantity, read[n].split) for n in ("curve {1}", "curve 2")] == [("loss", "train"), ("loss", "val")]
    assert (read["curve 3"].quantity, read["curve 3"].higher_is_better) == ("gain", True)
    assert read["old/val_loss"].why == IGNORED
    assert (read["run7/acc_tr"].quantity, read["run7/acc_tr"].split) == ("accuracy", "train")


def test_a_quantity_of_the_settings_needs_a_direction():
    with pytest.raises(ConfigError, match="whether 'gain' gets better by rising"):
        read_metric_name("a", (NameRule("a", "gain", exact=True),), None)


def test_which_quantities_run_from_zero_to_one():
    assert all(map(is_fraction, ("accuracy", "top5", "macro_f1", "error", "map50-95")))
    assert not any(map(is_fraction, ("loss", "dice_loss", "psnr", "rmse", "perplexity")))
