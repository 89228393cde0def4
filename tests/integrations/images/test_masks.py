"""Folders of images and masks: pairs, classes, sizes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.masks import MaskFolder


def put(folder, name, values, image_size=None, where=("images", "masks")):
    values = np.asarray(values, dtype=np.uint8)
    for inner in where:
        (folder / inner / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", image_size or values.shape[1::-1]).save(folder / where[0] / f"{name}.jpg")
    Image.fromarray(values).save(folder / where[1] / f"{name}.png")


def test_classes_are_the_values_of_the_masks_or_named_in_a_file(tmp_path):
    put(tmp_path, "a", [[0, 1, 255], [3, 3, 0]])
    put(tmp_path, "sub/b", [[0, 0]])
    images = MaskFolder(tmp_path)
    assert images.task == "segmentation"
    assert images.class_names == ("0", "1", "2", "3")
    assert images.names == ("a.jpg", "sub/b.jpg")
    assert images.mask(0).tolist() == [[0, 1, 255], [3, 3, 0]]
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    named = MaskFolder(tmp_path)
    assert named.class_names == ("sky", "road")
    assert named.mask(0).tolist() == [[0, 1, 255], [255, 255, 0]]
    assert named.notes == ("Pixels of the values 2 to 3 have no name, so that they count as none.",)


def test_masks_of_black_and_white_have_two_classes(tmp_path):
    put(tmp_path, "a", [[0, 255], [255, 0]])
    images = MaskFolder(tmp_path)
    assert images.class_names == ("0", "1")
    assert images.mask(0).tolist() == [[0, 1], [1, 0]]


def test_palettes_hold_classes(tmp_path):
    put(tmp_path, "a", [[0, 1], [2, 0]])
    mask = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8), "P")
    mask.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    mask.save(tmp_path / "masks" / "a.png")
    assert MaskFolder(tmp_path).mask(0).tolist() == [[0, 1], [2, 0]]


def test_splits_are_named(tmp_path):
    put(tmp_path, "train/a", [[0, 1]])
    put(tmp_path, "val/b", [[0, 1]])
    assert MaskFolder(tmp_path, "validation").names == ("b.jpg",)
    with pytest.raises(InputError, match="holds splits: train, val"):
        MaskFolder(tmp_path)
    with pytest.raises(InputError, match="no split test"):
        MaskFolder(tmp_path, "test")
    other = tmp_path / "other"
    put(other, "c", [[0, 1]], where=("test/images", "test/masks"))
    assert MaskFolder(other, "test").names == ("c.jpg",)


def test_what_has_no_partner_is_counted_and_sizes_must_agree(tmp_path):
    put(tmp_path, "a", [[0, 1]], image_size=(5, 5))
    Image.new("L", (2, 2)).save(tmp_path / "images" / "lone.png")
    Image.new("L", (2, 2)).save(tmp_path / "masks" / "spare.png")
    images = MaskFolder(tmp_path)
    assert images.notes == ("1 images without a mask were left out.", "1 masks without an image were left out.")
    with pytest.raises(InputError, match="2 x 1 pixels, its image 5 x 5"):
        images.mask(0)


def test_coloured_and_broken_masks(tmp_path):
    put(tmp_path, "a", np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match="No mask can be read"):
        MaskFolder(tmp_path)
    put(tmp_path, "b", [[0, 1]])
    images = MaskFolder(tmp_path)
    assert images.notes == ("1 masks cannot be read: a.png.",)
    with pytest.raises(InputError, match="coloured"):
        images.mask(0)
    assert images.sample().tolist() == [1]
    assert "coloured" in images.skipped["a.jpg"]


def test_folders_that_are_missing_or_do_not_match(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(NotFoundError, match="masks"):
        MaskFolder(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="has a mask of its name"):
        MaskFolder(tmp_path)


def test_the_fingerprint_follows_the_masks(tmp_path):
    put(tmp_path, "a", [[0, 1]])
    first = MaskFolder(tmp_path).fingerprint()
    Image.fromarray(np.ones((1, 2), np.uint8)).resize((2, 1)).save(tmp_path / "masks" / "a.png", compress_level=0)
    assert MaskFolder(tmp_path).fingerprint() != first
