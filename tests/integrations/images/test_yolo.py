"""YOLO data sets: splits, where labels lie, lines of boxes and outlines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.yolo import YoloImages


def put(folder, name, label=None, size=(20, 10)):
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(target)
    if label is not None:
        text = (folder / name.replace("images", "labels", 1)).with_suffix(".txt")
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(label)


@pytest.fixture
def data(tmp_path):
    put(tmp_path, "images/train/a.jpg", "0 0.5 0.5 0.2 0.4\n1 0.25 0.5 0.5 1\n")
    put(tmp_path, "images/val/b c.png", "1 0.1 0.2 0.5 0.2 0.5 0.8\n")
    put(tmp_path, "images/val/background.png")
    (tmp_path / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    return tmp_path


def test_boxes_are_in_pixels_and_outlines_count_by_their_bounds(data):
    train = YoloImages(data / "data.yaml", "train")
    assert train.class_names == ("cat", "dog")
    assert train.boxes(0) == pytest.approx(np.array([[0, 8, 3, 4, 4], [1, 0, 0, 10, 10]]))
    val = YoloImages(data / "data.yaml", "validation")
    assert val.names == ("images/val/b c.png", "images/val/background.png")
    assert val.boxes(0) == pytest.approx(np.array([[1, 2, 2, 8, 6]]))
    assert val.boxes(1).shape == (0, 5)
    assert val.notes == ("1 of 2 images have no objects.",)
    assert val.read(val.sample()).shape == (2, 10, 20, 3)


def test_a_split_has_to_be_named(data):
    with pytest.raises(InputError, match="several splits or none; its splits are: train, val"):
        YoloImages(data / "data.yaml")
    with pytest.raises(InputError, match="no split test"):
        YoloImages(data / "data.yaml", "test")
    with pytest.raises(InputError, match="holds splits: train, val"):
        YoloImages(data)
    assert len(YoloImages(data, "val")) == 2


def test_a_folder_takes_its_classes_from_the_settings_near_it_or_a_list(tmp_path, data):
    assert YoloImages(data, "train").class_names == ("cat", "dog")
    other = tmp_path / "deep" / "other"
    put(other, "images/x.png", "2 0.5 0.5 0.1 0.1\n")
    assert YoloImages(other).class_names == ("0", "1", "2")
    (other / "classes.txt").write_text("ant\nbee\n")
    images = YoloImages(other)
    assert images.class_names == ("ant", "bee")
    assert images.notes == (
        "1 boxes of classes without a name (2) were left out; there are 2 names.",
        "1 of 1 images have no objects.",
    )


def test_lines_that_are_no_boxes_are_counted(data):
    lines = ["0 0.5 0.5 0.2", "zero 0.5 0.5 0.2 0.2", "0.5 0.5 0.5 0.2 0.2", "0 nan 0.5 0.2 0.2", "0 0.5 0.5 0 0.2"]
    lines += ["0 0.9 0.5 0.4 0.2", "-1 0.5 0.5 0.2 0.2", "1 0.5 0.5 0.2 0.2 0.87", ""]
    (data / "labels/train/a.txt").write_text("\n".join(lines))
    images = YoloImages(data / "data.yaml", "train")
    assert images.boxes(0) == pytest.approx(np.array([[0, 14, 4, 6, 2], [1, 8, 4, 4, 2]]))
    assert images.notes == (
        "3 lines that are no boxes were left out, such as in a.txt.",
        "1 boxes of classes without a name (-1) were left out; there are 2 names.",
        "1 boxes reach out of their images and were cut at the edge.",
        "2 boxes without area inside their images were left out.",
    )


def test_keypoints_are_passed_over_where_the_settings_say_so(data):
    (data / "data.yaml").write_text("val: images/val\nnames: [cat, dog]\nkpt_shape: [2, 2]\n")
    (data / "labels/val/b c.txt").write_text("0 0.5 0.5 0.2 0.4 0.1 0.1 0.9 0.9\n")
    assert YoloImages(data / "data.yaml").boxes(0) == pytest.approx(np.array([[0, 8, 3, 4, 4]]))


def test_lists_of_files_and_exports_of_other_tools(data, tmp_path):
    (data / "val.txt").write_text("./images/val/b c.png\n../../secret.png\n/etc/passwd\nimages/train/a.jpg\n")
    (data / "data.yaml").write_text("val: [val.txt]\ntrain: ../images/train\nnames: [cat, dog]\n")
    val = YoloImages(data / "data.yaml", "val")
    assert val.names == ("images/val/b c.png", "images/train/a.jpg")
    assert val.notes[0] == ("2 images were left out, since they lie outside the folder: ../../secret.png, /etc/passwd.")
    assert len(YoloImages(data / "data.yaml", "train")) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[1", "not valid YAML"),
        ("just text", "no names of classes; it holds: no mapping"),
        ("train: x\nval: y", "no names of classes; it holds: train, val"),
        ("train: nowhere\nnames: [a]", "names nowhere for train, which is not there"),
        ('train: "a\\0b"\nnames: [a]', "which is not there"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_settings_that_lead_nowhere_are_one_line(tmp_path, text, line):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=line):
        YoloImages(tmp_path / "data.yaml", "train")


def test_folders_without_images(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(NotFoundError, match="leads to no images"):
        YoloImages(tmp_path)


def test_an_image_that_cannot_be_read_has_no_size(data):
    (data / "images/val/b c.png").write_text("no")
    images = YoloImages(data / "data.yaml", "val")
    with pytest.raises(InputError, match="not an image"):
        images.boxes(0)
    assert images.sample().tolist() == [1]


def test_the_fingerprint_follows_the_labels(data):
    first = YoloImages(data / "data.yaml", "train").fingerprint()
    (data / "labels/train/a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    assert YoloImages(data / "data.yaml", "train").fingerprint() != first
