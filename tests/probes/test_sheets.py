import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from copilot.probes.sheets import _CELL, MOST_BYTES, MOST_IMAGES, _wrapped, contact_sheet, overlay_sheet


def opened(picture):
    made = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert made.size == (picture.width, picture.height)
    assert picture.media_type == f"image/{made.format.lower()}"
    return np.asarray(made.convert("RGB")).astype(int)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1), (8, 8), (8, 8, 4), (8, 8, 2), (1, 1, 3), (20, 5, 3)])
def test_images_of_any_shape(shape):
    rng = np.random.default_rng(0)
    page = opened(contact_sheet(rng.integers(0, 256, (3, *shape), dtype=np.uint8), ["a", "b", "c"], title="t"))
    assert tuple(page[0, 0]) == (255, 255, 255)  # its own background
    assert len(np.unique(page.reshape(-1, 3), axis=0)) > 3


def test_small_images_are_enlarged_without_smoothing():
    image = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    image[0, 0, 0] = (200, 10, 30)
    page = opened(contact_sheet(image, [""], title="t"))
    assert (page == (200, 10, 30)).all(axis=-1).sum() == (_CELL // 2) ** 2


def test_sheets_are_small_whatever_is_on_them():
    noise = np.random.default_rng(0).integers(0, 256, (40, 224, 224, 3), dtype=np.uint8)
    picture = contact_sheet(noise, ["x"] * 40, title="t")
    assert len(base64.b64decode(picture.data)) <= MOST_BYTES
    assert picture.height < 700  # four rows of six: no more than MOST_IMAGES
    assert MOST_IMAGES == 24


def test_hostile_captions_are_cleaned_and_fit():
    font = ImageFont.load_default(size=12)
    for text in (
        "a\x00b\n\u202ec" * 50,
        "x" * 5000,
        "one two three four five six seven eight nine ten",
        "",
        "日本 café",
    ):
        lines = _wrapped(text, font)
        assert len(lines) <= 2
        assert all(font.getlength(line) <= _CELL and line.isprintable() and line.isascii() for line in lines)
    assert _wrapped("café", font) == ["cafe"]
    picture = contact_sheet(np.zeros((1, 4, 4, 3), np.uint8), ["a"], title="t\x1b\n" * 200, caption="c" * 5000)
    assert len(picture.title) <= 120
    assert len(picture.caption) <= 400
    assert "\x1b" not in picture.title


def test_fewer_captions_than_images_and_no_images():
    assert opened(contact_sheet(np.zeros((2, 4, 4, 3), np.uint8), ["a"], title="t")).size
    assert opened(contact_sheet([], [], title="t")).size


def test_overlay_is_red_where_it_speaks_for_and_blue_where_against():
    heat = np.zeros((1, 4, 4))
    heat[0, :2], heat[0, 2:] = 1.0, -1.0
    page = opened(overlay_sheet(np.full((1, 4, 4, 3), 128, np.uint8), heat, [""], title="t"))
    red, blue = page[..., 0] - page[..., 2] > 80, page[..., 2] - page[..., 0] > 80
    assert red.sum() == blue.sum() == _CELL**2 // 2
    assert np.flatnonzero(red.any(axis=1)).max() < np.flatnonzero(blue.any(axis=1)).min()


@pytest.mark.parametrize("heat", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(9)])
def test_overlay_of_empty_broken_and_smaller_maps(heat):
    page = opened(overlay_sheet(np.full((1, 6, 6, 1), 90, np.uint8), [heat], ["a"], title="t"))
    assert page.min() >= 0
