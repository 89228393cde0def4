"""NumPy archives: which arrays, what shapes and ranges, and what is refused; MNIST and CIFAR-10 where they are."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.arrays import open_npz
from copilot.integrations.images.npz import Npz

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def npz(tmp_path, compressed=True, **arrays):
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


@pytest.mark.parametrize(
    "keys", [("x_train", "y_train"), ("train_images", "train_labels"), ("X", "y"), ("images", "targets")]
)
@pytest.mark.parametrize("compressed", [True, False])
def test_usual_names_are_found(tmp_path, keys, compressed):
    images = open_npz(npz(tmp_path, compressed, **{keys[0]: GREY, keys[1]: LABELS, "idx_train": LABELS}))
    assert images.class_counts() == {"0": 2, "1": 2, "2": 2}
    assert np.array_equal(images.read(range(6))[..., 0], GREY)
    assert images.names[5] == f"{keys[0]}[5]"


def test_a_split_or_two_arrays_are_named(tmp_path):
    path = npz(tmp_path, x_train=GREY, y_train=LABELS, x_valid=GREY[:2], y_valid=LABELS[:2], y_train_worse=LABELS[::-1])
    assert len(open_npz(path, "val")) == 2
    assert len(open_npz(path, "training")) == 6
    assert open_npz(path, "x_train:y_train_worse").labels.tolist() == LABELS[::-1].tolist()
    with pytest.raises(InputError, match="several splits: train, val"):
        open_npz(path)
    with pytest.raises(InputError, match="split test") as caught:
        open_npz(path, "test")
    assert "x_train (6, 5, 4)" in caught.value.hint
    with pytest.raises(InputError, match="no array y_best"):
        open_npz(path, "x_train:y_best")


def test_layouts_and_ranges(tmp_path):
    colour = RNG.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
    expected = colour.astype(int)
    for given in (
        colour,
        colour.transpose(0, 3, 1, 2),
        colour / 255,
        (colour / 255).astype(np.float32).transpose(0, 3, 1, 2),
        colour.astype(np.float64),
        colour.astype(np.int64),
        np.asfortranarray(colour / 255),
    ):
        for compressed in (True, False):
            images = open_npz(npz(tmp_path, compressed, x=given, y=LABELS))
            assert np.array_equal(images.read(range(6)).astype(int), expected)


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": np.full((6, 5, 4), -0.5), "y": LABELS}, "values from -0.5 to -0.5"),
        ({"x": np.full((6, 5, 4), np.nan), "y": LABELS}, "values from nan"),
        ({"x": np.full((6, 5, 4), 400), "y": LABELS}, "to 400"),
        ({"x": np.zeros((6, 20), np.uint8), "y": LABELS}, "not one of images"),
        ({"x": np.zeros((6, 5, 4, 7), np.uint8), "y": LABELS}, "not one of images"),
        ({"x": GREY, "y": LABELS[:4]}, r"the shape \(4,\), but there are 6"),
        ({"x": GREY, "y": LABELS - 1}, "labels from -1 to 1, expected 0 or more"),
        ({"x": GREY, "y": LABELS, "class_names": np.array(["a", "b"])}, "expected 0 to 1, one of 2"),
        ({"x": GREY, "y": LABELS + 0.5}, "no classes"),
        ({"x": GREY, "y": np.ones((6, 3))}, "several classes or none"),
        ({"x": GREY.astype(object), "y": LABELS}, "Python objects"),
        ({"x": GREY, "y": LABELS.astype(object)}, "Python objects"),
        ({"a": GREY}, "no images and labels"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, arrays, line):
    with pytest.raises(InputError, match=line):
        open_npz(npz(tmp_path, **arrays))


def test_labels_come_in_many_forms(tmp_path):
    names = np.array(["cat", "dog", "eel"])
    for given in (names[LABELS], names[LABELS].astype("S3"), LABELS[:, None], np.eye(3)[LABELS], LABELS.astype(float)):
        images = open_npz(npz(tmp_path, x=GREY, y=given, class_names=names))
        assert images.class_names == ("cat", "dog", "eel")
        assert images.labels.tolist() == LABELS.tolist()


def test_dark_parts_of_large_arrays_are_not_stretched(tmp_path, monkeypatch):
    monkeypatch.setattr("copilot.integrations.images.npz.CHUNK_BYTES", 1)
    values = GREY.astype(float)
    values[0] = 0
    images = open_npz(npz(tmp_path, x=values, y=LABELS))
    assert np.array_equal(images.read([1, 5])[..., 0], GREY[[1, 5]])
    values[0] = 1
    with pytest.raises(InputError, match="in all images"):
        open_npz(npz(tmp_path, x=values, y=LABELS))


def test_files_that_are_damaged_or_no_archives(tmp_path):
    path = npz(tmp_path, x=GREY, y=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(InputError, match="cannot be read"):
        open_npz(path)
    path.write_bytes(whole[:60] + b"\0" * 40 + whole[100:])
    with pytest.raises(InputError, match="cannot be read"):
        open_npz(path)
    with pytest.raises(NotFoundError):
        open_npz(tmp_path / "no.npz")


def test_an_array_that_claims_more_than_it_holds_is_not_allocated(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 9, 9)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + b"\0" * 100)
    with pytest.raises(InputError, match="too large, or cut off"):
        Npz(tmp_path / "x.npz").whole("x")


def test_the_fingerprint_follows_the_file(tmp_path):
    first = open_npz(npz(tmp_path, x=GREY, y=LABELS)).fingerprint()
    assert open_npz(tmp_path / "x.npz").fingerprint() == first
    assert open_npz(npz(tmp_path, x=GREY, y=LABELS[::-1])).fingerprint() != first


def test_mnist_and_cifar_10(shared_data):
    mnist = open_npz(shared_data / "images" / "mnist.npz", "test")
    assert len(mnist) == 10_000
    assert mnist.class_counts()["7"] == 1028
    assert mnist.read(mnist.sample(4)).shape == (4, 28, 28, 1)
    cifar = open_npz(shared_data / "images" / "cifar10_small.npz", "x_train:y_train_worse")
    clean = open_npz(shared_data / "images" / "cifar10_small.npz", "train")
    assert 0.3 < (cifar.labels != clean.labels).mean() < 0.5
    assert cifar.read(cifar.sample(4)).shape == (4, 32, 32, 3)
