from __future__ import annotations

import numpy as np
import pytest

from copilot.demo.data import NOISE_SIGMA, data_states, fold, subset


@pytest.fixture(scope="module")
def states():
    return data_states(0)


def test_same_seed_same_images(states):
    again = data_states(0)["v2"].train
    assert np.array_equal(again.images, states["v2"].train.images)
    assert not np.array_equal(data_states(1)["v2"].train.images[:50], states["v2"].train.images[:50])


def test_pixels_carry_the_noise(states):
    corners = states["v1"].train.images[:, 0, 0] / 255  # empty paper: half of the noise is cut off
    assert np.sqrt((corners**2).mean()) == pytest.approx(NOISE_SIGMA / np.sqrt(2), rel=0.1)


def test_second_version_adds_removes_and_changes(states):
    (v1, v2) = (dict(zip(states[v].train.numbers.tolist(), states[v].train.images, strict=True)) for v in ("v1", "v2"))
    assert len(v2.keys() - v1.keys()) == 126
    assert len(v1.keys() - v2.keys()) == 36
    assert sum(not np.array_equal(v1[n], v2[n]) for n in v1.keys() & v2.keys()) == 30
    counts = [np.bincount(states[v].train.labels) for v in ("v1", "v2")]
    assert (counts[1] - counts[0])[[3, 8]].min() > (counts[1] - counts[0]).mean()


def test_train_and_validation_share_no_image_in_the_versions(states):
    for name in ("v1", "v2", "batch-3"):
        assert not set(states[name].train.numbers) & set(states[name].val.numbers)


def test_each_batch_differs_from_the_second_version_in_one_way(states):
    v2, labels, val, copies = (states[name] for name in ("v2", "batch-3", "batch-4", "batch-5"))
    assert (labels.train.labels != v2.train.labels).mean() == pytest.approx(0.3, abs=0.001)
    assert np.array_equal(labels.train.images, v2.train.images)
    assert np.array_equal(val.val.labels, v2.val.labels)
    assert val.val.images.mean() != pytest.approx(v2.val.images.mean(), rel=0.02)
    known = {image.tobytes() for image in v2.train.images}
    assert np.mean([image.tobytes() in known for image in copies.val.images]) == pytest.approx(0.65, abs=0.01)
    assert len(set(copies.val.numbers)) == len(copies.val)


def test_subset_is_even_over_the_classes(states):
    few = subset(states["v2"].train, 80, np.random.default_rng(0))
    assert np.bincount(few.labels).tolist() == [8] * 10
    assert len(set(few.numbers)) == 80


def test_folds_cover_every_image_once(states):
    pairs = [fold(states["v2"].train, k, 5, np.random.default_rng(0)) for k in range(1, 6)]
    held_out = np.concatenate([val.numbers for _, val in pairs])
    assert sorted(held_out) == sorted(states["v2"].train.numbers)
    assert all(not set(train.numbers) & set(val.numbers) for train, val in pairs)


def test_files_are_named_by_class_and_number(states):
    files = states["batch-3"].train.files()
    assert len(set(files)) == len(files)
    assert files[0] == f"{states['batch-3'].train.labels[0]}/{states['batch-3'].train.numbers[0]:05d}.png"
