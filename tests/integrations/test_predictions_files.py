"""Predictions from files: forms, names, numbers, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.coco import CocoImages
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.images.yolo import YoloImages
from copilot.integrations.predictions import Predictions
from copilot.integrations.predictions_files import read_predictions


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6)).save(folder / name)


@pytest.fixture
def images(tmp_path):
    put(tmp_path / "set", "cat/1.png", "cat/2.png", "dog/1.png", "dog/Grün 3.png", "eel/4.png")
    return ImageFolder(tmp_path / "set")


@pytest.fixture
def write(tmp_path):
    def written(text, name="p.csv"):
        (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return tmp_path / name

    return written


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "p.npz", **arrays)
    return tmp_path / "p.npz"


def test_one_column_a_class_in_the_order_of_the_file(images, write):
    text = "image,prob_dog,prob_cat,loss\ndog/1.png,0.7,0.3,1\n/data/set/cat/1.png,0.25,0.75,1\nGrün 3,0.5,0.5,2\n"
    with pytest.raises(InputError, match="classes that the images do not have: loss") as caught:
        read_predictions(write(text), images)
    assert caught.value.hint == "Expected: cat, dog, eel."
    found = read_predictions(write(text.replace(",loss", ",label")), images)
    assert found.class_names == ("dog", "cat", "eel")
    assert found.indices.tolist() == [0, 2, 3]
    assert found.labels.tolist() == [1, 0, 0]
    assert found.probabilities.tolist() == [[0.25, 0.75, 0], [0.7, 0.3, 0], [0.5, 0.5, 0]]
    assert found.notes == (
        "2 of 5 images have no prediction and were left out.",
        "Classes that the predictions do not know: eel.",
    )


def test_a_predicted_class_with_and_without_confidence(images, write, tmp_path):
    found = read_predictions(write("file;predicted;confidence\ncat/2.png;dog;0.8\neel/4.png;eel;1\n"), images)
    assert found.probabilities == pytest.approx(np.array([[0.1, 0.8, 0.1], [0, 0, 1]]))
    assert "spread evenly" in found.notes[-1]
    assert found.certainty == "confidence"
    found = read_predictions(write("file,prediction\ncat/2.png,dog\n"), images)
    assert found.probabilities.tolist() == [[0, 1, 0]]
    assert "certain" in found.notes[-1]
    assert found.certainty == "classes"
    found.chosen(np.arange(1), found.class_names).save(tmp_path / "chosen.npz")
    assert Predictions.load(tmp_path / "chosen.npz").certainty == "classes"
    with pytest.raises(InputError, match="do not have: fox"):
        read_predictions(write("file,predicted\ncat/2.png,fox\n"), images)
    with pytest.raises(InputError, match=r"a confidence of 80; expected 0 to 1"):
        read_predictions(write("file,predicted,confidence\ncat/2.png,dog,80\n"), images)


def test_names_that_lead_to_no_image_or_to_several(images, write):
    text = "image,cat,dog,eel\n1.png,1,0,0\n2.jpg,1,0,0\n4.png,0,0,1\n4,0,0,1\nnone.png,0,1,0\n.\\cat\\1.png,1,0,0\n"
    found = read_predictions(write(text), images)
    assert found.indices.tolist() == [0, 1, 4]
    assert found.notes == (
        "2 rows name no image of the set, or several: 1.png, none.png.",
        "1 rows name an image again and were left out.",
        "2 of 5 images have no prediction and were left out.",
    )
    with pytest.raises(InputError, match=r"names no image of .*; it names none\.png") as caught:
        read_predictions(write("image,cat\nnone.png,1\n"), images)
    assert caught.value.hint == "Expected names such as cat/1.png, cat/2.png and 3 more."


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("0.5,nan,0.5", "missing or infinite"),
        ("0.5,inf,0.5", "missing or infinite"),
        ("0.5,x,0.5", "something else than numbers"),
        ("0.5,,0.5", "something else than numbers"),
        ("0.5,2.5,0.5", r"values up to 2\.5; expected 0 to 1"),
        ("0.5,0.5,0.5", r"1 of 1 rows .* do not sum to 1, such as 1\.5"),
        ("0,0,0", "do not sum to 1, such as 0"),
    ],
)
def test_numbers_that_are_no_probabilities(images, write, row, line):
    with pytest.raises(InputError, match=line):
        read_predictions(write(f"image,cat,dog,eel\ncat/1.png,{row}\n"), images)


def test_logits_percentages_and_rounded_probabilities(images, write):
    found = read_predictions(write("image,cat,dog,eel\ncat/1.png,2,-1,0\n"), images)
    assert found.probabilities == pytest.approx(np.exp([[2, -1, 0]]) / np.exp([2, -1, 0]).sum())
    assert found.notes[-1].startswith("The numbers are logits")
    found = read_predictions(write("image,cat,dog,eel\ncat/1.png,80,15,5\n"), images)
    assert found.probabilities == pytest.approx(np.array([[0.8, 0.15, 0.05]]))
    assert "percentages" in found.notes[-1]
    found = read_predictions(write("image,cat,dog,eel\ncat/1.png,0.33,0.33,0.33\n"), images)
    assert found.probabilities.sum() == pytest.approx(1)


def test_archives_in_the_order_of_the_set_or_with_names(images, tmp_path):
    rows = np.eye(3)[[0, 0, 1, 1, 2]]
    found = read_predictions(npz(tmp_path, probabilities=rows), images)
    assert found.indices.tolist() == [0, 1, 2, 3, 4]
    assert found.probabilities.argmax(1).tolist() == found.labels.tolist()
    found = read_predictions(npz(tmp_path, probs=rows[:2], names=np.array(["4.png", "cat/2"])), images)
    assert found.indices.tolist() == [1, 4]
    backwards = np.array(["eel", "dog", "cat"])
    found = read_predictions(npz(tmp_path, logits=rows - 1, class_names=backwards), images)
    assert found.class_names == ("eel", "dog", "cat")
    assert found.labels.tolist() == [2, 2, 1, 1, 0]
    found = read_predictions(npz(tmp_path, predicted=np.array([0, 0, 1, 1, 2])), images)
    assert found.probabilities.tolist() == rows.tolist()
    found = read_predictions(npz(tmp_path, predicted=np.array(["cat", "cat", "dog", "dog", "eel"])), images)
    assert found.probabilities.tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"probabilities": np.eye(3)}, "expected 5 rows, one for each image of the set"),
        ({"probabilities": np.eye(5)}, "5 columns of probabilities; expected 3"),
        ({"probabilities": np.eye(3), "names": np.array(["a"])}, "expected 1 rows, one for each name"),
        ({"probabilities": np.eye(5), "class_names": np.array(list("abcde"))}, "do not have: a, b, c, d, e"),
        ({"predicted": np.array([0, 1, 2, 3, 9])}, "do not have: 0, 1, 2, 3, 9"),
        ({"predicted": np.full(5, 0.5)}, "one number an image"),
        ({"a": np.eye(5), "b": np.eye(5)}, "holds no array called probabilities"),
        ({"probabilities": np.array([{}] * 5)}, "Python objects"),
    ],
)
def test_archives_that_do_not_fit(images, tmp_path, arrays, line):
    with pytest.raises(InputError, match=line):
        read_predictions(npz(tmp_path, **arrays), images)


def test_files_of_other_kinds(images, write, tmp_path):
    with pytest.raises(NotFoundError, match="not found"):
        read_predictions(tmp_path / "no.csv", images)
    for name, text, line in (
        ("p.pkl", "x", "is a .pkl"),
        ("p.json", "[]", "labelled for classification"),
        ("p.csv", "a,b\n1,2\n", "no column with the images' names"),
        ("p.csv", "image,time\ncat/1.png,2\n", "do not have: time"),
        ("p.csv", "image,label\ncat/1.png,cat\n", "holds no predictions; expected a column for each"),
    ):
        with pytest.raises(InputError, match=line):
            read_predictions(write(text, name), images)


@pytest.fixture
def coco(tmp_path):
    rows = [{"id": 42, "file_name": "000042.png", "width": 8, "height": 6}, {"id": 7, "file_name": "7.png"}]
    put(tmp_path / "coco" / "images", "000042.png", "7.png")
    categories = [{"id": 5, "name": "cat"}, {"id": 90, "name": "dog"}]
    annotations = [{"image_id": 42, "category_id": 5, "bbox": [0, 0, 4, 3], "segmentation": [[0, 0, 4, 0, 4, 3, 0, 3]]}]
    path = tmp_path / "coco" / "instances.json"
    path.write_text(json.dumps({"images": rows, "annotations": annotations, "categories": categories}))
    return path


def result(picture=42, category=90, score=0.5, **more):
    return {"image_id": picture, "category_id": category, "score": score, **more}


def test_coco_boxes(coco, write):
    rows = [
        result(bbox=[1, 1, 2, 2]),
        result(category=5, score=1, bbox=[0, 0, 3.5, 3]),
        result(picture=9, bbox=[0, 0, 1, 1]),
        result(bbox=[0, 0, 0, 1]),
    ]
    found = read_predictions(write(rows, "r.json"), CocoImages(coco))
    assert found.task == "detection"
    assert found.indices.tolist() == [0, 1]
    assert found.boxes[0].tolist() == [[1, 0.5, 1, 1, 2, 2], [0, 1, 0, 0, 3.5, 3]]
    assert found.boxes[1].shape == (0, 6)
    assert found.notes == (
        "1 results of images that are not in the set were left out.",
        "1 boxes without area were left out.",
        "In 1 of 2 images nothing was found.",
    )


def test_coco_masks_are_drawn_by_score_and_travel(coco, write, tmp_path):
    whole = {"size": [6, 8], "counts": [0, 48]}
    corner = {"size": [6, 8], "counts": [0, 3, 3, 3, 39]}
    rows = [result(category=5, score=0.9, segmentation=corner), result(segmentation=whole)]
    images = CocoImages(coco, "segmentation")
    found = read_predictions(write(rows, "r.json"), images)
    assert found.class_names == ("background", "cat", "dog")
    mask = found.masks[0]
    assert mask[:3, :2].tolist() == [[1, 1]] * 3
    assert (mask == 2).sum() == 42
    assert found.masks[1].shape == (6, 8)
    assert not found.masks[1].any()
    found.save(tmp_path / "saved.npz")
    again = Predictions.load(tmp_path / "saved.npz")
    assert again.notes == found.notes
    assert np.array_equal(again.masks[0], mask)
    broken = read_predictions(write([result(segmentation={"size": [6, 8], "counts": [7]})], "r.json"), images)
    with pytest.raises(InputError, match=r"000042\.png has run lengths of 7 pixels for 48"):
        broken.masks[0]


def test_results_as_ultralytics_writes_them(tmp_path, write):
    put(tmp_path / "yolo" / "images", "000042.png", "street.png")
    (tmp_path / "yolo" / "labels").mkdir()
    (tmp_path / "yolo" / "classes.txt").write_text("cat\ndog\n")
    rows = [result(category=1, bbox=[0, 0, 1, 1]), result(picture="street", category=0, bbox=[0, 0, 2, 2])]
    found = read_predictions(write(rows, "r.json"), YoloImages(tmp_path / "yolo"))
    assert [boxes[:, 0].tolist() for boxes in found.boxes] == [[1], [0]]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ({"a": 1}, "no list of COCO results, but a dict"),
        ([1], "no list of COCO results"),
        ([result(category=6, bbox=[0, 0, 1, 1])], "category 6, which the images do not have"),
        ([result(score=1.5, bbox=[0, 0, 1, 1])], "a score of 1.5; expected 0 to 1"),
        ([result(score="high", bbox=[0, 0, 1, 1])], "a score of high"),
        ([result(score=float("nan"), bbox=[0, 0, 1, 1])], "a score of nan"),
        ([result(bbox=[0, 0, 1])], "no valid bbox; it holds: image_id, category_id, score, bbox"),
        ([result(picture=1, bbox=[0, 0, 1, 1])], "names no image of .*; it names 1"),
    ],
)
def test_results_that_do_not_fit(coco, write, rows, line):
    with pytest.raises(InputError, match=line):
        read_predictions(write(rows, "r.json"), CocoImages(coco))


def test_a_table_is_no_prediction_of_boxes(coco, write):
    with pytest.raises(InputError, match="labelled for detection"):
        read_predictions(write("image,cat\n7.png,1\n"), CocoImages(coco))


def test_mnist_predictions_in_the_order_of_the_set(shared_data, tmp_path):
    from copilot.integrations.images.arrays import open_npz

    images = open_npz(shared_data / "images" / "mnist.npz", "test")
    found = read_predictions(npz(tmp_path, probabilities=np.eye(10, dtype=np.float32)[images.labels]), images)
    assert len(found) == 10_000
    assert (found.probabilities.argmax(1) == found.labels).all()
