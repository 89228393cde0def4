"""OVF406: planted odd images are found, clean sets pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from copilot.core.data.image_quality import ImageQuality, Looks, Odd
from copilot.core.findings import Outcome
from copilot.imaging.properties import Properties


def _pictures(n: int, seed: int) -> list[np.ndarray]:
    noise = np.random.default_rng(seed).normal(size=(n, 40, 40, 3)).astype(np.float32)
    soft = [cv2.GaussianBlur(one, (0, 0), 1.5) for one in noise]
    return [np.clip(128 + 45 * one / one.std(), 0, 255).astype(np.uint8) for one in soft]


def _looks(images: list[np.ndarray], labels: np.ndarray | None = None) -> Looks:
    rows = [Properties()(image) for image in images]
    values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    labels = np.arange(len(images)) % 4 if labels is None else labels
    return Looks(values, np.ones(len(images), bool), labels)


NAMES = (tuple("abcd"), tuple("abcd"))


def _judged(train: Looks, val: Looks) -> tuple[Outcome, Odd]:
    found = ImageQuality().find(train, val)
    return ImageQuality().judge(train, val, found, NAMES), found


CHANGES = {
    "flat": lambda image: np.full_like(image, 120),
    "dark": lambda image: image // 20,
    "bright": lambda image: 240 + image // 20,
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 9),
    "size": lambda image: cv2.resize(image, (200, 200)),
    "aspect": lambda image: cv2.resize(image, (80, 20)),
    "channels": lambda image: image[..., :1],
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_image_is_found(kind: str):
    images = _pictures(120, 0)
    images[7] = CHANGES[kind](images[7])
    outcome, found = _judged(_looks(images), _looks(_pictures(40, 1)))
    assert found.images(0, kind).tolist() == [7]
    assert found.images(1).tolist() == []
    assert outcome.value(f"{kind}_train") == 1


def test_a_clean_set_passes():
    outcome, _ = _judged(_looks(_pictures(200, 2)), _looks(_pictures(80, 3)))
    assert outcome.state == "passed"
    assert outcome.value("odd_images") == 0


def test_broken_images_are_an_issue():
    train = _looks(_pictures(100, 0))
    train.readable[3] = False
    for values in train.values.values():
        values[3] = 0
    outcome, found = _judged(train, _looks(_pictures(40, 1)))
    assert outcome.state == "issue"
    assert found.images(0).tolist() == [3]
    assert outcome.value("broken_train") == 1


def test_odd_images_in_one_class_are_a_shortcut():
    images = _pictures(200, 0)
    for i in range(0, 60, 4):  # of class a
        images[i] = CHANGES["blurred"](images[i])
    outcome, _ = _judged(_looks(images), _looks(_pictures(60, 1)))
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    shares = [e for e in outcome.evidence if e.name == "blurred_share"]
    assert shares[0].source == "a in training"
    assert shares[0].value == 0.3
    assert "Of a in training, 30.0 % are far blurrier than the rest" in outcome.summary


def test_what_many_images_show_is_no_fault():
    images = _pictures(100, 0)
    images[:40] = [CHANGES["size"](image) for image in images[:40]]
    _, found = _judged(_looks(images), _looks(_pictures(60, 1)))
    assert found.images(0, "size").tolist() == []


def test_no_images_do_not_apply():
    nothing = Looks({name: np.zeros(0) for name in _looks(_pictures(1, 0)).values}, np.zeros(0, bool), np.zeros(0))
    assert _judged(nothing, nothing)[0].state == "not_applicable"
