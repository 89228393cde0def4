"""Classical features: of a fixed size, finite, and each group answers to what it is for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from copilot.imaging.features import ClassicalFeatures


def _of(image: np.ndarray) -> dict[str, np.ndarray]:
    found = ClassicalFeatures()(image)["features"]
    ends = np.cumsum(list(ClassicalFeatures.GROUPS.values()))
    return dict(zip(ClassicalFeatures.GROUPS, np.split(found, ends[:-1]), strict=True))


def _stripes(degrees: float) -> np.ndarray:
    y, x = np.mgrid[:32, :32]
    angle = np.deg2rad(degrees)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.7)
    return np.repeat((128 + 90 * wave).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (1, 1, 3), (200, 50, 3), (40, 30, 4)])
def test_every_image_gets_the_same_number_of_features(shape: tuple[int, ...]):
    found = ClassicalFeatures()(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))["features"]
    assert found.shape == (ClassicalFeatures.SIZE,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_edges_tell_their_direction_whatever_the_contrast():
    bins = [_of(_stripes(degrees))["edges"][:128].reshape(16, 8).sum(0).argmax() for degrees in (0, 45, 90, 135)]
    assert bins == [0, 2, 4, 6]
    faint = 128 + (_stripes(45).astype(int) - 128) // 2
    assert _of(faint.astype(np.uint8))["edges"][:128].reshape(16, 8).sum(0).argmax() == 2


def test_layout_tells_where_the_light_is():
    image = np.zeros((32, 32, 1), np.uint8)
    image[:, 16:] = 200
    layout = _of(image)["layout of light and dark"].reshape(6, 6)
    assert layout[0, 0] == pytest.approx(100, abs=1)  # the mean
    assert layout[0, 1] == pytest.approx(-_of(image[:, ::-1])["layout of light and dark"].reshape(6, 6)[0, 1], abs=1e-3)
    assert abs(layout[1:]).max() < 1e-3


def test_colours_are_mean_deviation_and_skewness():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:8, :, 0] = 100
    moments = _of(image)["levels and colours"].reshape(3, 3)
    assert moments[:, 0] == pytest.approx([25, np.sqrt(25 * 75), np.cbrt(25 * 75 * 50)], rel=1e-3)
    assert not moments[:, 1:].any()


def test_texture_tells_noise_from_plain_and_not_by_rotation():
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    texture = _of(noise)["texture"]
    assert texture.sum() == pytest.approx(1)
    assert texture.argmax() == 9  # patterns that are not uniform
    assert _of(np.full((32, 32, 1), 9, np.uint8))["texture"][8] == 1
    assert _of(np.rot90(noise).copy())["texture"] == pytest.approx(texture, abs=1e-6)


def test_opacity_is_passed_over():
    image = cv2.merge([*cv2.split(_stripes(30)), np.full((32, 32), 7, np.uint8)])
    assert (ClassicalFeatures()(image)["features"] == ClassicalFeatures()(_stripes(30))["features"]).all()
