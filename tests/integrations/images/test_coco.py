"""COCO annotations: boxes, masks, ids, crowds, and what is refused or mended."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, MissingExtraError, NotFoundError
from copilot.integrations.images.coco import CocoImages, find_annotations
from copilot.integrations.images.coco_masks import instance_mask

CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 7, "name": "train\x1b[31m"}, {"id": 44, "name": "bottle"}]


def image(number, name=None, **more):
    return {"id": number, "file_name": name or f"{number}.png", "width": 20, "height": 10, **more}


def thing(picture, category, box, **more):
    return {"id": 1, "image_id": picture, "category_id": category, "bbox": box, "iscrowd": 0, **more}


def write(folder, images, annotations, name="annotations.json", pictures="images"):
    for row in images:
        target = folder / pictures / row["file_name"]
        if ".." not in row["file_name"]:
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 10)).save(target)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return folder / name


def test_boxes_by_image_with_ids_that_are_not_contiguous(tmp_path):
    path = write(
        tmp_path,
        [image(500), image(3), image(8)],
        [thing(3, 90, [1, 2, 3, 4]), thing(500, 7, [0, 0, 5, 5]), thing(3, 44, [2, 2, 2.5, 2])],
    )
    images = CocoImages(path)
    assert images.task == "detection"
    assert images.class_names == ("train [31m", "bottle", "toothbrush")
    assert images.category_ids == (7, 44, 90)
    assert images.image_ids == (500, 3, 8)
    assert images.boxes(0).tolist() == [[0, 0, 0, 5, 5]]
    assert images.boxes(1).tolist() == [[2, 1, 2, 3, 4], [1, 2, 2, 2.5, 2]]
    assert images.boxes(2).shape == (0, 5)
    assert images.notes == ("1 of 3 images have no objects.",)
    assert images.read(images.sample()).shape == (3, 10, 20, 3)
    assert (images.labels == -1).all()


def test_boxes_are_cut_at_the_edge_and_empty_ones_left_out(tmp_path):
    path = write(
        tmp_path,
        [image(1)],
        [
            thing(1, 7, [-5, -5, 10, 10]),
            thing(1, 7, [15, 5, 100, 100]),
            thing(1, 7, [15, 5, 5, 5]),
            thing(1, 7, [3, 3, 0, 4]),
            thing(1, 7, [30, 3, 4, 4]),
            thing(1, 7, [3, 3, -2, 4]),
            thing(1, 7, [1, 1, 5]),
            thing(1, 7, [1, 1, float("nan"), 5]),
            thing(1, 8, [1, 1, 5, 5]),
            thing(2, 7, [1, 1, 5, 5]),
            thing(1, 7, [0, 0, 9, 9], iscrowd=1),
        ],
    )
    images = CocoImages(path)
    assert images.boxes(0).tolist() == [[0, 0, 0, 5, 5], [0, 15, 5, 5, 5], [0, 15, 5, 5, 5]]
    assert images.notes == (
        "4 annotations of unknown images or categories, or without a box, were left out.",
        "2 boxes reach out of their images and were cut at the edge.",
        "3 boxes without area inside their images were left out.",
        "1 crowds are not counted as objects.",
    )


def test_files_outside_the_folder_are_refused(tmp_path):
    inner = tmp_path / "set"
    inner.mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    path = write(inner, [image(1), image(2, "../../secret.png"), image(3, "../../../etc/passwd")], [])
    images = CocoImages(path)
    assert images.names == ("1.png",)
    assert images.notes[0].startswith("2 images were left out, since they lie outside the folder: ../../secret.png")
    with pytest.raises(NotFoundError, match="are not there"):
        CocoImages(write(inner, [image(2, "../../secret.png")], []))
    path = write(inner, [image(1), image(2, str(tmp_path / "secret.png"))], [])
    assert len(CocoImages(path)) == 1


@pytest.mark.parametrize(
    ("name", "pictures", "file"),
    [
        ("annotations/instances_val2017.json", "val2017", "1.png"),
        ("annotations/instances_val2017.json", "images/val2017", "1.png"),
        ("annotations/instances_val2017.json", ".", "val2017/1.png"),
        ("labels.json", ".", "1.png"),
        ("labels.json", "data", "data/1.png"),
        ("val/coco.json", "images", "val/1.png"),
    ],
)
def test_images_are_looked_for_where_they_usually_lie(tmp_path, name, pictures, file):
    folder = "." if pictures == "data" else pictures
    images = CocoImages(write(tmp_path, [image(1, file)], [], name, folder))
    assert images.sample().tolist() == [0]


def test_annotations_of_a_folder_by_split(tmp_path):
    for split in ("train2017", "val2017"):
        write(tmp_path, [image(1)], [], f"annotations/instances_{split}.json", split)
    assert find_annotations(tmp_path, "val").name == "instances_val2017.json"
    assert find_annotations(tmp_path, "train2017").name == "instances_train2017.json"
    with pytest.raises(InputError, match="several splits") as caught:
        find_annotations(tmp_path, None)
    assert "train2017, val2017" in caught.value.hint
    with pytest.raises(InputError, match="no split test"):
        find_annotations(tmp_path, "test")
    assert find_annotations(tmp_path / "val2017", None) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no list of images and annotations and categories; it holds: a list"),
        ('{"images": [], "annotations": {}}', "no list of annotations and categories; it holds: images, annotations"),
        ('{"images": [1, {}], "annotations": [], "categories": []}', "lists no images"),
    ],
)
def test_what_is_no_instances_file_is_one_line(tmp_path, text, line):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=line):
        CocoImages(tmp_path / "x.json")


def packed(mask):
    coco = pytest.importorskip("pycocotools.mask")
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_masks_from_polygons_and_run_lengths(tmp_path):
    pytest.importorskip("pycocotools")
    square = np.zeros((10, 20), bool)
    square[2:6, 3:9] = True
    runs = {"size": [10, 20], "counts": [3 * 10 + 2] + [4, 6] * 5 + [4, 200 - 32 - 54]}
    text = {"size": [10, 20], "counts": packed(square)["counts"].decode()}
    for segmentation in ([[3, 2, 9, 2, 9, 6, 3, 6]], runs, text):
        assert np.array_equal(instance_mask(segmentation, 20, 10), square)
    path = write(
        tmp_path,
        [image(1), image(2)],
        [
            thing(1, 44, [3, 2, 6, 4], segmentation=text),
            thing(1, 7, [0, 0, 20, 10], segmentation=[[0, 0, 20, 0, 20, 5, 0, 5]]),
            thing(1, 90, [0, 0, 20, 10], segmentation={"size": [10, 20], "counts": [0, 200]}, iscrowd=1),
        ],
    )
    images = CocoImages(path, "segmentation")
    assert images.task == "segmentation"
    assert images.class_names[:2] == ("background", "train [31m")
    mask = images.mask(0)
    assert mask[2:6, 3:9].tolist() == [[2] * 6] * 4
    assert mask[0].tolist() == [1] * 20
    assert mask[9].tolist() == [255] * 20
    assert images.mask(1).tolist() == [[0] * 20] * 10


def test_random_run_lengths_agree_with_pycocotools():
    rng = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        mask = rng.random((40, 31)) < share
        rle = packed(mask)
        assert np.array_equal(instance_mask({"size": [40, 31], "counts": rle["counts"]}, 31, 40), mask)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10, 20], "counts": [300]},
        {"size": [10, 20], "counts": [-100, 300]},
        {"size": [10, 20], "counts": "zzzzzzzzzzzzzzzzzz"},
        {"size": [10, 20], "counts": "\u732b"},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [10, 20]},
        [[1, 2, 3]],
        [["a"]],
        [[float("nan")] * 6],
        "text",
        [],
    ],
)
def test_segmentations_that_do_not_fit_are_refused(segmentation):
    with pytest.raises((ValueError, TypeError)):
        instance_mask(segmentation, 20, 10)


def test_an_object_that_cannot_be_drawn_counts_as_no_class(tmp_path):
    broken = {"size": [10, 20], "counts": [7]}
    images = CocoImages(write(tmp_path, [image(1)], [thing(1, 7, [2, 1, 3, 2], segmentation=broken)]), "segmentation")
    for _ in range(2):
        mask = images.mask(0)
        assert (mask[1:3, 2:5] == 255).all()
        assert (mask == 255).sum() == 6
    assert images.notes == ("An object in 1.png has run lengths of 7 pixels for 200; its box counts as no class.",)


def test_polygons_need_the_extra_and_run_lengths_do_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingExtraError, match=r"mlops-copilot\[models\]"):
        instance_mask([[0, 0, 5, 0, 5, 5]], 20, 10)
    assert instance_mask({"size": [10, 20], "counts": [0, 200]}, 20, 10).all()


def test_polygons_far_outside_are_drawn_at_the_edge():
    pytest.importorskip("pycocotools")
    mask = instance_mask([[-1e30, -1e30, 1e30, -1e30, 1e30, 1e30, -1e30, 1e30]], 20, 10)
    assert mask.all()


def test_the_fingerprint_follows_the_annotations(tmp_path):
    first = CocoImages(write(tmp_path, [image(1)], [thing(1, 7, [1, 1, 5, 5])])).fingerprint()
    (tmp_path / "annotations.json").write_text(
        (tmp_path / "annotations.json").read_text().replace("[1, 1, 5, 5]", "[1, 1, 5, 6]")
    )
    assert CocoImages(tmp_path / "annotations.json").fingerprint() != first
