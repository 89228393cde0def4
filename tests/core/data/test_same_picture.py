"""The difference of two thumbnails after one is fitted to the other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from copilot.core.data.same_picture import detail, differences


def _pictures(n: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 40, 40))
    soft = ndimage.gaussian_filter(noise, (0, 2.5, 2.5))
    return np.clip(128 + 40 * soft / soft.std(), 0, 255)


def _thumbs(pictures: np.ndarray, shift: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    axis = (np.arange(32) - 15.5) * zoom + 19.5
    across, down = np.meshgrid(axis + shift, axis - shift / 2)
    return np.stack([ndimage.map_coordinates(p, [down, across], order=1) for p in pictures]).astype(np.uint8)


@pytest.mark.parametrize(
    ("shift", "zoom", "blur", "gain", "limit"),
    [
        (0, 1, 0, 1, 1e-6),
        (1.2, 1, 0, 1, 0.01),
        (0, 0.95, 0, 1, 0.01),
        (0.8, 0.95, 0, 0.85, 0.01),
        (0, 1, 1.0, 1, 0.01),
        (0.5, 1.04, 0.8, 0.9, 0.01),
    ],
)
def test_the_same_picture_changed(shift: float, zoom: float, blur: float, gain: float, limit: float):
    pictures = _pictures(20)
    changed = ndimage.gaussian_filter(pictures, (0, blur, blur)) * gain
    a, b = _thumbs(pictures), _thumbs(changed, shift, zoom)
    assert np.median(differences(a, b)) <= limit
    assert differences(b, a) == pytest.approx(differences(a, b), abs=0.02)


def test_other_pictures_differ():
    found = differences(_thumbs(_pictures(50)), _thumbs(_pictures(50, 1)))
    assert found.min() > 0.3
    assert found.max() <= 1.0001


def test_mirrored_is_another_picture():
    thumbs = _thumbs(_pictures(20))
    assert differences(thumbs, thumbs[:, :, ::-1]).min() > 0.3


def test_plain_images_and_no_images():
    plain = np.full((3, 32, 32), 9, np.uint8)
    assert np.isfinite(differences(plain, plain)).all()
    assert differences(plain[:0], plain[:0]).shape == (0,)
    assert detail(plain).tolist() == [0, 0, 0]
