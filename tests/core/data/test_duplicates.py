"""OVF402: planted duplicates are found and told, clean sets pass."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from copilot.core.checks.describe import describe
from copilot.core.data.duplicate_search import Pairs, Prints, exact_pairs, find_pairs
from copilot.core.data.duplicates import Duplicates, DuplicateThresholds
from copilot.core.findings import Outcome
from copilot.imaging.fingerprints import Fingerprint


def _pictures(n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 40, 40, 3)).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in noise])
    return np.clip(128 + 45 * soft / soft.std(), 0, 255).astype(np.uint8)


def _prints(images: np.ndarray, labels: np.ndarray | None = None, name: str = "train") -> Prints:
    rows = [Fingerprint()(image) for image in images]
    values = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    n = len(images)
    labels = np.zeros(n, np.int64) if labels is None else labels
    return Prints.of(values, np.ones(n, bool), [f"{name}/{i}" for i in range(n)], labels)


def _jpeg(image: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "exact": lambda image: image,
    "jpeg": _jpeg,
    "crop": lambda image: cv2.resize(image[0:38, 2:40], (40, 40)),
    "mirrored": lambda image: image[:, ::-1],
    "half": lambda image: cv2.resize(cv2.resize(image, (20, 20), interpolation=cv2.INTER_AREA), (40, 40)),
    "darker": lambda image: (image * 0.85).astype(np.uint8),
    "brighter": lambda image: np.clip(image * 1.15, 0, 255).astype(np.uint8),
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
}


@pytest.fixture(scope="module")
def train() -> Prints:
    return _prints(_pictures(300, 0))


def _judged(train: Prints, val: Prints, correct: np.ndarray | None = None, **thresholds: float) -> Outcome:
    check = Duplicates(DuplicateThresholds(**thresholds))
    return check.judge(train, val, check.find(train, val), correct=correct)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(train: Prints, change: str):
    copies = np.stack([CHANGES[change](image) for image in _pictures(300, 0)[40:60]])
    val = _prints(np.concatenate([copies, _pictures(20, 1)]), name="val")
    found = find_pairs(val, train, DuplicateThresholds())
    assert found.first.tolist() == list(range(20))
    assert found.second.tolist() == list(range(40, 60))
    assert found.exact.all() == (change == "exact")
    assert found.mirrored.all() == (change == "mirrored")


def test_a_clean_split_passes(train: Prints):
    outcome = _judged(train, _prints(_pictures(100, 5)))
    assert outcome.state == "passed"
    assert outcome.value("duplicate_images") == 0
    assert outcome.value("images_searched") == 100
    assert outcome.summary == "No validation image is in the training set."


def test_duplicates_are_counted_with_their_share_and_what_they_add_to_the_score(train: Prints):
    own = _pictures(300, 0)
    val = _prints(np.concatenate([own[:6], own[6:10, :, ::-1], _pictures(90, 2)]), name="val")
    correct = np.arange(100) < 55  # all ten duplicates and half of the others
    outcome = _judged(train, val, correct)
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert outcome.value("exact_duplicates") == 6
    assert outcome.value("near_duplicates") == outcome.value("mirrored_duplicates") == 4
    share = next(item for item in outcome.evidence if item.name == "duplicate_share")
    assert (share.value, share.low < 0.1 < share.high) == (0.1, True)
    assert outcome.value("score_without_duplicates") == 0.5
    assert outcome.value("score_from_duplicates") == pytest.approx(0.05)
    assert "10 of 100 validation images (10.00 %)" in outcome.summary
    assert "50.00 % instead of 55.00 %" in outcome.summary


def test_one_exact_duplicate_is_a_mild_issue_and_one_near_one_among_many_is_not(train: Prints):
    others = _pictures(149, 3)
    exact = _judged(train, _prints(np.concatenate([_pictures(300, 0)[:1], others])))
    assert (exact.state, exact.severity) == ("issue", "low")
    near = _judged(train, _prints(np.concatenate([_pictures(300, 0)[:1, :, ::-1], others])), near_share=0.01)
    assert near.state == "passed"
    assert "alike by chance" in near.summary


def test_copies_with_other_labels_are_told():
    images = _pictures(60, 4)
    train = _prints(images, np.zeros(60, np.int64))
    val = _prints(np.concatenate([images[:3], _pictures(20, 6)]), np.array([0, 1, 0] + [0] * 20), "val")
    outcome = _judged(train, val)
    assert outcome.value("groups_with_different_labels") == 1
    assert "val/1 (validation) and train/1 (training)" in outcome.summary


def test_repeats_inside_a_set_are_counted():
    images = _pictures(80, 7)
    train = _prints(np.concatenate([images, images[:4], images[4:8, :, ::-1]]))
    outcome = _judged(train, _prints(_pictures(20, 8)))
    assert outcome.value("exact_repeats_train") == 4
    assert outcome.value("repeat_share_train") == pytest.approx(8 / 88, abs=1e-4)
    assert (outcome.state, outcome.severity) == ("issue", "low")
    assert outcome.value("exact_repeats_val") == 0


def test_several_copies_of_one_image_do_not_hide_each_other():
    images = _pictures(80, 9)
    copies = np.stack([_jpeg(images[0]), (images[0] * 0.9).astype(np.uint8), images[0][:, ::-1]])
    found = find_pairs(_prints(images[:1]), _prints(np.concatenate([images[1:], copies])), DuplicateThresholds())
    assert set(found.second.tolist()) == {79, 80, 81}


def test_other_colours_are_another_image(train: Prints):
    recoloured = np.ascontiguousarray(_pictures(300, 0)[:10])
    lab = [cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb) for image in recoloured]
    for image in lab:
        image[..., 1] = np.clip(image[..., 1].astype(int) + 60, 0, 255)
    changed = np.stack([cv2.cvtColor(image, cv2.COLOR_YCrCb2RGB) for image in lab])
    assert len(find_pairs(_prints(changed), train, DuplicateThresholds())) == 0


def test_plain_images_are_compared_exactly_only():
    rng = np.random.default_rng(0)
    plain = np.full((10, 40, 40, 3), 100, np.uint8) + rng.integers(0, 3, (10, 40, 40, 3), dtype=np.uint8)
    train, val = _prints(plain[:6]), _prints(plain[5:])
    found = find_pairs(val, train, DuplicateThresholds())
    assert (found.first.tolist(), found.second.tolist(), found.exact.tolist()) == ([0], [5], [True])


def test_of_too_many_images_a_sample_is_looked_up(train: Prints):
    val = _prints(_pictures(300, 0)[:, :, ::-1][:50])
    outcome = _judged(train, val, comparisons=300 * 20)
    assert outcome.value("images_searched") == 20
    assert outcome.value("duplicate_share") == 1.0
    assert outcome.summary.startswith("Near duplicates were looked for among 20 of 50 validation images.")


def test_sets_without_images(train: Prints):
    empty = replace(train, **{name: getattr(train, name)[:0] for name in ("pixels", "thumb", "chroma")}, names=())
    empty = replace(empty, coarse=train.coarse[:0], centred=train.centred[:0], labels=train.labels[:0])
    nothing = np.zeros(0, np.int64)
    none = Pairs(nothing, nothing, nothing > 0, nothing > 0, nothing * 1.0, nothing)
    assert [x.tolist() for x in exact_pairs(train, empty)] == [[], []]
    assert len(find_pairs(empty, train, DuplicateThresholds())) == 0
    assert len(find_pairs(train, empty, DuplicateThresholds())) == 0
    found = Duplicates().find(train, train)
    assert Duplicates().judge(empty, train, replace(found, across=none)).state == "not_applicable"


def test_the_page_of_the_check():
    page = describe(Duplicates())
    assert page.code == "OVF402"
    assert all((page.claim, page.measures, page.why_it_matters, page.source, page.when_it_is_wrong))
    assert all(threshold.description for threshold in page.thresholds)
