"""Properties of images: known values, and the direction in which each moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from copilot.core.data.image_properties import COLOURS, PROPERTIES
from copilot.imaging.properties import Properties


def _textured(seed: int = 0, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(*size, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 40 * soft / soft.std(), 0, 255).astype(np.uint8)


def test_a_plain_image_has_known_properties():
    image = np.zeros((4, 8, 3), np.uint8)
    image[...] = (200, 100, 100)
    found = Properties()(image)
    assert (found["width"], found["height"], found["aspect"], found["stored"], found["grey"]) == (8, 4, 2, 3, 0)
    assert found["brightness"] == pytest.approx(0.299 * 200 + 0.701 * 100, abs=0.6)
    assert found["contrast"] == found["sharpness"] == found["entropy"] == found["clipped"] == 0
    assert (found["red"], found["green"], found["blue"]) == pytest.approx((0.5, 0.25, 0.25))
    assert found["saturation"] == pytest.approx(0.5, abs=0.01)
    assert found["colourfulness"] == pytest.approx(0.3 * np.hypot(100, 50), rel=1e-4)  # nothing varies


def test_colourfulness_is_that_of_its_definition():
    image = _textured()
    red, green, blue = np.moveaxis(image.astype(float), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    wanted = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert Properties()(image)["colourfulness"] == pytest.approx(wanted, rel=1e-4)


def test_light_is_that_of_the_histogram():
    grey = np.repeat(np.array([0, 0, 255, 64], np.uint8), 25).reshape(10, 10, 1)
    found = Properties()(grey)
    assert found["entropy"] == pytest.approx(1.5)
    assert found["clipped"] == pytest.approx(0.75)
    assert (found["darkest"], found["brightest"]) == (0, 255)
    assert (found["stored"], found["grey"], found["colourfulness"]) == (1, 1, 0)
    assert found["red"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("change", "name", "sign"),
    [
        (lambda image: np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8), "brightness", 1),
        (lambda image: (image * 0.5).astype(np.uint8), "contrast", -1),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 1.0), "sharpness", -1),
        (lambda image: np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8), "darkest", 1),
        (lambda image: (image // 64) * 64, "entropy", -1),
        (lambda image: np.clip(image.astype(int) * 4 - 380, 0, 255).astype(np.uint8), "clipped", 1),
        (lambda image: (image * [1, 1, 0.5]).astype(np.uint8), "blue", -1),
    ],
)
def test_a_change_moves_its_property(change, name: str, sign: int):
    image = _textured()
    before, after = Properties()(image)[name], Properties()(change(image))[name]
    assert sign * (after - before) > 0.05 * abs(before)


def test_a_grey_image_stored_as_colour_is_grey():
    image = np.repeat(_textured()[..., :1], 3, axis=2)
    colour, grey = Properties()(image), Properties()(image[..., :1])
    assert (colour["grey"], grey["grey"]) == (1, 1)
    assert all(colour[name] == pytest.approx(grey[name], abs=1e-6) for name in PROPERTIES if name != "brightness")
    assert colour["brightness"] == pytest.approx(grey["brightness"], abs=0.5)


def test_sharpness_of_large_images_does_not_depend_on_their_size():
    small = cv2.GaussianBlur(_textured(size=(256, 256)), (0, 0), 2)
    large = cv2.resize(small, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    assert Properties()(large)["sharpness"] == pytest.approx(Properties()(small)["sharpness"], rel=0.2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 9, 3), (3, 2, 4)])
def test_odd_shapes_have_every_property(shape: tuple[int, ...]):
    found = Properties()(np.full(shape, 255, np.uint8))
    assert set(PROPERTIES) <= set(found)
    assert all(np.isfinite(value) and value.dtype == np.float32 for value in found.values())
    assert set(COLOURS) <= set(PROPERTIES)
