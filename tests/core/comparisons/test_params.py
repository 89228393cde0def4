"""Names of parameters: identifiers, folds, sizes."""

import pytest

from copilot.core.comparisons.params import (
    as_number,
    configuration,
    fold_count,
    fold_number,
    is_held_out_size,
    is_identifier,
    is_size,
    moves_with_size,
    plain_name,
)

IDENTIFIERS = [
    "seed",
    "random_seed",
    "randomSeed",
    "run_name",
    "name",
    "experiment_name",
    "data_path",
    "trainer/log_dir",
    "run.id",
    "checkpoint",
    "gpu",
    "num_workers",
    "output_dir",
    "git_commit",
    "trial_number",
    "timestamp",
    "best_val_acc",
    "best_epoch",
    "final_train_loss",
    "last_iteration",
    "best_f1",
    "best_model_path",
    "stopped_epoch",
    "checkpoint_path",
    "checkpoint_dir",
    "checkpoint_file",
    "resume_from_checkpoint",
    "fold",
    "n_folds",
    "cv_fold",
    "data/root",
]
KNOBS = [
    "lr",
    "model_name",
    "optimizer_name",
    "weight_decay",
    "dropout",
    "batch_size",
    "width",
    "augmentation",
    "image_size",
    "projection_dim",
    "grad_clip",
    "data_version",
    "n_train",
    "warmup",
    "momentum",
    "label_smoothing",
    "pretrained",
    "scheduler.name/gamma",
    "final_dropout",
    "final_div_factor",
    "last_layer_lr",
    "last_stride",
    "last_activation",
    "final_value",
    "gradient_checkpoint",
]


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifiers_say_nothing_of_the_configuration(name):
    assert is_identifier(name)


@pytest.mark.parametrize("name", KNOBS)
def test_knobs_are_no_identifiers(name):
    assert not is_identifier(name)


def test_names_are_read_alike_however_they_are_written():
    assert [plain_name(n) for n in ("trainer/learningRate", "learning-rate", " Learning_Rate ")] == [
        "learning_rate"
    ] * 3


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({"fold": "3"}, 3),
        ({"Fold": "0"}, 0),
        ({"cv_fold": "fold_2"}, 2),
        ({"fold_idx": "4.0"}, 4),
        ({"data/val_fold": "3/5"}, 3),
        ({"kfold": "2"}, 2),
        ({"currentFold": "1 of 5"}, 1),
        ({"split_id": "7"}, 7),
        ({"n_folds": "5"}, None),
        ({"k": "5"}, None),
        ({"scaffold": "5"}, None),
        ({"fold": "all"}, None),
        ({"fold": "-1"}, None),
        ({"fold": "9" * 500}, None),
        ({}, None),
    ],
)
def test_the_number_of_a_fold(params, number):
    assert fold_number(params) == number


@pytest.mark.parametrize("name", ["n_folds", "num_folds", "k_folds", "folds", "n_splits", "cv_folds", "nFolds"])
def test_how_many_folds_there_are(name):
    assert fold_count({"lr": "5", name: "5"}) == 5
    assert fold_count({name: "all"}) is None
    assert fold_count({name: "1e9"}) is None


def test_sizes_and_what_moves_with_them():
    assert is_size("n_train")
    assert is_size("val_size")
    assert not is_size("image_size")
    assert is_held_out_size("n_val")
    assert not is_held_out_size("n_train")
    assert moves_with_size("train_fraction")
    assert moves_with_size("epochs")
    assert not moves_with_size("lr")
    assert not moves_with_size("width")


def test_a_configuration_is_what_runs_share():
    a = {"lr": "0.1", "seed": "1", "n_train": "100", "fold": "1"}
    b = {"lr": "0.10", "seed": "2", "n_train": "101", "fold": "2"}
    assert configuration(a, is_size) == configuration(b, is_size)
    assert configuration(a) != configuration(b)
    assert configuration({"lr": "0.2"}) != configuration({"lr": "0.1"})


@pytest.mark.parametrize("text", ["True", True, "inf", "nan", "", "x", None, "1" * 500])
def test_what_is_no_number(text):
    assert as_number(text) is None or text == "1" * 500
