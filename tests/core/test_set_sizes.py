"""How many images a run says it used."""

import pytest

from copilot.core.set_sizes import set_size


@pytest.mark.parametrize(
    ("name", "value", "split", "size"),
    [
        ("n_train", "500", "train", 500),
        ("train_size", 500, "train", 500),
        ("num_train_samples", "1e3", "train", 1000),
        ("Training_Set_Size", "60000.0", "train", 60000),
        ("n_val", "80", "val", 80),
        ("validation_images", "80", "val", 80),
        ("val_split", "0.2", "val", None),
        ("train_size", "0.8", "train", None),
        ("train", "True", "train", None),
        ("train", "1", "train", None),
        ("train", "/data/train", "train", None),
        ("n_train", "inf", "train", None),
        ("n_train", "nan", "train", None),
        ("n_train", "-5", "train", None),
        ("n_train", None, "train", None),
        ("n_train_epochs", "50", "train", None),
        ("train_lr", "3", "train", None),
        ("n_test", "80", "val", None),
    ],
)
def test_sizes_of_the_sets_are_read_from_parameters(name, value, split, size):
    assert set_size({"lr": "0.1", name: value}, split) == size
