"""Splits in the formats of Deepchecks, and how predictions and images are brought together. No Deepchecks here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.deepchecks.batches import Batches, shown_names
from copilot.integrations.deepchecks.child import _splits
from copilot.integrations.images.base import ImageSet
from copilot.integrations.predictions import Predictions


class Held(ImageSet):
    """Images in memory."""

    def __init__(self, task, images, class_names, labels=None, boxes=None, masks=None):
        self.task, self._images, self._boxes, self._masks = task, images, boxes, masks
        super().__init__("held", class_names, [f"{i}.png" for i in range(len(images))], labels)

    def _decoded(self, index):
        return Image.fromarray(self._images[index])

    def _stamp(self, index):
        return index

    def boxes(self, index):
        return np.array(self._boxes[index], float).reshape(-1, 5)

    def mask(self, index):
        return self._masks[index]


def split_of(images, predictions, folder, max_samples=100):
    """The training split; the test set is the same."""
    if predictions is None:
        return _splits([images, images], None, max_samples, 0)[0]
    predictions.save(folder / "given.npz")
    return _splits([images, images], [str(folder / "given.npz")] * 2, max_samples, 0)[0]


def bright(n, shape=(6, 8)):
    return [np.full((*shape, 3), 40 + i, np.uint8) for i in range(n)]


def everything(split):
    return [item for batch in Batches(split) for item in zip(*batch.values(), strict=True)]


def test_probabilities_follow_their_images(tmp_path):
    images = Held("classification", bright(5), ("cat", "new"), np.array([0, 1, 0, 1, 0]))
    given = Predictions(
        "classification",
        ("dog", "cat"),
        np.arange(5),
        images.labels,
        probabilities=np.array([[i / 10, 1 - i / 10] for i in range(5)]),
    )
    split = split_of(images, given, tmp_path)
    assert split.class_names == ("dog", "cat", "new")
    rows = {int(image[0, 0, 0]) - 40: (label, p) for image, label, p in everything(split)}
    assert len(rows) == 5
    for i, (label, p) in rows.items():
        assert label == (2 if i % 2 else 1)
        assert p.tolist() == pytest.approx([i / 10, 1 - i / 10, 0])
    assert len(split_of(images, given, tmp_path, max_samples=3)) == 3


def test_boxes_are_cut_at_the_edge_and_the_surest_come_first(tmp_path):
    objects = [[[0, -2, -2, 6, 6], [1, 20, 20, 5, 5]], []]
    images = Held("detection", bright(2), ("a", "b"), boxes=objects)
    boxes = [np.array([[1, 0.2, 0, 0, 3, 3], [0, 0.9, 6, 4, 9, 9]]), np.zeros((0, 6))]
    given = Predictions("detection", ("b", "a"), np.arange(2), np.full(2, -1), boxes=boxes)
    found = {
        int(image[0, 0, 0]) - 40: (label, box) for image, label, box in everything(split_of(images, given, tmp_path))
    }
    assert found[0][0].tolist() == [[1, 0, 0, 4, 4]]  # the model calls the classes b, a; one object is outside
    assert found[0][1].tolist() == [[6, 4, 2, 2, 0.9, 0], [0, 0, 3, 3, 0.2, 1]]
    assert [item.shape for item in found[1]] == [(0, 5), (0, 6)]


def test_pixels_without_a_class_are_a_class_of_their_own(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[0], mask[1] = 255, 1
    images = Held("segmentation", bright(1), ("a", "b"), masks=[mask])
    given = Predictions("segmentation", ("a", "b"), np.arange(1), np.full(1, -1), masks=[np.ones((6, 8), np.uint8)])
    ((_, label, channels),) = everything(split_of(images, given, tmp_path))
    assert np.unique(label).tolist() == [0, 1, 2]
    assert channels.shape == (3, 6, 8)
    assert (channels.sum(axis=0) == 1).all()
    assert (channels.argmax(axis=0)[0] == 2).all()
    assert (channels.argmax(axis=0)[1:] == 1).all()
    wrong = Predictions("segmentation", ("a", "b"), np.arange(1), np.full(1, -1), masks=[np.ones((8, 6), np.uint8)])
    with pytest.raises(InputError, match=r"0\.png has 8 x 6 pixels, its predicted mask 6 x 8"):
        everything(split_of(images, wrong, tmp_path))


def test_large_images_come_in_small_batches():
    large = Held("classification", bright(3, (2000, 3000)), ("a",), np.zeros(3, int))
    assert [len(batch["images"]) for batch in Batches(split_of(large, None, None))] == [3]
    masks = [np.zeros((2000, 3000), np.uint8)] * 3
    many = Held("segmentation", bright(3, (2000, 3000)), [str(i) for i in range(9)], masks=masks)
    batches = Batches(split_of(many, None, None))
    assert [len(batch["images"]) for batch in batches] == [1, 1, 1]
    assert len(batches) == 3


def test_a_black_image_does_not_come_first():
    images = [np.zeros((4, 4), np.uint8)] * 6 + [np.full((4, 4), 9, np.uint8)]
    split = split_of(Held("classification", images, ("a",), np.zeros(7, int)), None, None)
    assert split.indices[0] == 6
    assert sorted(split.indices.tolist()) == list(range(7))
    assert split.grey
    with pytest.raises(InputError, match="are all black"):
        split_of(Held("classification", images[:3], ("a",), np.zeros(3, int)), None, None)


def test_sets_and_predictions_must_fit(tmp_path):
    boxes = Held("detection", bright(1), ("a",), boxes=[[]])
    classes = Held("classification", bright(1), ("a",), np.zeros(1, int))
    with pytest.raises(InputError, match="training images are for detection, the test images for classification"):
        _splits([boxes, classes], None, 10, 0)
    given = Predictions("classification", ("a",), np.array([3]), np.zeros(1, int), probabilities=np.ones((1, 1)))
    with pytest.raises(InputError, match="speak of images that held does not have"):
        split_of(classes, given, tmp_path)
    with pytest.raises(InputError, match="The predictions are of classification"):
        split_of(boxes, given, tmp_path)


def test_names_lose_what_html_gives_a_meaning_and_stay_distinct():
    assert shown_names(["<b>", "&b>", "cat"]) == ["_b_ (0)", "_b_ (1)", "cat"]
