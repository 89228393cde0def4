from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from copilot.probes.corruptions import CORRUPTIONS, STRENGTHS, corrupted
from tests.probes.changed_images import images

SHAPES = [(3, 28, 28, 1), (3, 32, 32, 3), (3, 17, 33, 4), (2, 120, 100, 3)]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_and_channels_and_the_same_by_seed(name, shape):
    given = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    kept = given.copy()
    for strength in (1, 5):
        made = corrupted(given, name, strength, seed=3)
        assert (made.shape, made.dtype) == (shape, np.uint8)
        assert (made == corrupted(given, name, strength, seed=3)).all()
        assert (made != given).any()
    assert (given == kept).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_stronger_is_further_from_the_image(name):
    given, _ = images(24, 0, noise=1.0)
    far = [np.abs(corrupted(given, name, strength).astype(int) - given).mean() for strength in STRENGTHS]
    assert all(a < b for a, b in pairwise(far))


def test_noise_has_the_deviation_that_is_said():
    grey = np.full((20, 32, 32, 3), 128, np.uint8)
    noise = corrupted(grey, "Gaussian noise", 2).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.05)
    assert abs(noise.mean()) < 0.3
    assert (noise[0] != noise[1]).any()


def test_small_images_below_one_another_are_compressed_as_they_would_be_alone():
    given, _ = images(5, 0, side=28)
    together = corrupted(given, "JPEG compression", 3)
    alone = np.concatenate([corrupted(given[i : i + 1], "JPEG compression", 3) for i in range(5)])
    assert (together == alone).all()


def test_shift_moves_by_whole_pixels_and_loses_no_image():
    given = np.arange(64 * 64, dtype=np.int64).reshape(1, 64, 64, 1) % 251
    given = given.astype(np.uint8)
    made = corrupted(given, "shift", 1, seed=1)
    moves = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if y or x]
    inner = made[0, 4:-4, 4:-4, 0]
    assert any((inner == given[0, 4 + y : 60 + y, 4 + x : 60 + x, 0]).all() for y, x in moves)


def test_blur_grows_with_the_image():
    edge = np.zeros((1, 256, 256, 1), np.uint8)
    edge[:, :, 128:] = 255
    wide = ((corrupted(edge, "blur", 3)[0, 128, :, 0] > 5) & (corrupted(edge, "blur", 3)[0, 128, :, 0] < 250)).sum()
    small = corrupted(edge[:, :32, 112:144], "blur", 3)[0, 16, :, 0]
    assert wide > ((small > 5) & (small < 250)).sum()


def test_no_images_and_no_such_strength():
    assert corrupted(np.zeros((0, 8, 8, 3), np.uint8), "blur", 1).shape == (0, 8, 8, 3)
    with pytest.raises(ValueError, match="1 to 5"):
        corrupted(np.zeros((1, 8, 8, 3), np.uint8), "blur", 6)
