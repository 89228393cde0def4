"""What a fingerprint holds on to and what it lets go."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from copilot.imaging.fingerprints import Fingerprint

SHAPES = {"pixels": (16,), "thumb": (32, 32), "chroma": (4, 4, 2), "coarse": (64,), "centred": (64,)}


def _picture(seed: int = 0, side: int = 40) -> np.ndarray:
    """Soft blobs, as photographs have."""
    noise = np.random.default_rng(seed).normal(size=(side, side, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), side / 10)
    return np.clip(128 + 40 * soft / soft.std(), 0, 255).astype(np.uint8)


def _likeness(a: dict[str, np.ndarray], b: dict[str, np.ndarray], name: str) -> float:
    return float(a[name].astype(float) @ b[name].astype(float))


@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (7, 300, 3), (500, 20, 4)])
def test_the_shape_does_not_depend_on_the_image(shape: tuple[int, ...]):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = Fingerprint()(image)
    assert {name: array.shape for name, array in found.items()} == SHAPES
    assert all(np.isfinite(array.astype(float)).all() for array in found.values())


def test_the_hash_is_that_of_the_pixels():
    grey = np.random.default_rng(2).integers(0, 256, (9, 9, 1), dtype=np.uint8)
    hashed = Fingerprint()(grey)["pixels"]
    assert (Fingerprint()(np.repeat(grey, 3, axis=2))["pixels"] == hashed).all()
    changed = grey.copy()
    changed[0, 0] ^= 1
    assert (Fingerprint()(changed)["pixels"] != hashed).any()
    assert (Fingerprint()(grey.reshape(3, 27, 1))["pixels"] != hashed).any()


@pytest.mark.parametrize("name", ["coarse", "centred"])
def test_descriptors_do_not_see_brightness_and_mirror_with_the_image(name: str):
    image = _picture()
    own = Fingerprint()(image)
    darker = Fingerprint()((image * 0.85).astype(np.uint8))
    mirrored = Fingerprint()(image[:, ::-1])
    assert _likeness(own, darker, name) > 0.99
    turned = own[name].reshape(8, 8)[:, ::-1].ravel().astype(float)
    assert turned @ mirrored[name].astype(float) > 0.99
    assert _likeness(own, Fingerprint()(_picture(1)), name) < 0.7


def test_the_centred_descriptor_follows_what_stands_out():
    image = np.zeros((32, 32, 1), np.uint8)
    cv2.putText(image, "7", (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    moved = np.roll(image, (-3, 4), axis=(0, 1))
    own, other = Fingerprint()(image), Fingerprint()(moved)
    assert _likeness(own, other, "centred") > 0.98
    assert _likeness(own, other, "coarse") < 0.9


def test_plain_images_have_no_direction():
    found = Fingerprint()(np.full((10, 10, 3), 77, np.uint8))
    assert (found["coarse"] == 0).all()
    assert (found["centred"] == 0).all()
