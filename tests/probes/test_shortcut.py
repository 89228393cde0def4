from __future__ import annotations

import base64
import dataclasses
import io
import time
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from copilot.probes.base import Examined
from copilot.probes.patches import Place, looks, sizes_for, suspects
from copilot.probes.shortcut import Shortcut
from copilot.probes.transplants import PLANS, Search, usable
from tests.probes.changed_images import by_colour, by_mark, examined, images, quiet, sample


def _search(given: Examined, seed: int) -> Search:
    labels = np.array([0, 1, 2])
    return Search(given, labels, np.random.default_rng(seed), 6000, np.inf, 2000)


def _marked(label: int, y: int, x: int, size: int, share: float = 1.0, value: int = 255):
    def change(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(labels == label)[: round(share * (labels == label).sum())]
        pictures[rows, y : y + size, x : x + size] = value
        return pictures

    return change


@pytest.mark.parametrize(("y", "x", "size", "share"), [(0, 0, 3, 1.0), (28, 28, 4, 0.7), (8, 20, 2, 1.0)])
def test_a_mark_that_the_model_goes_by_is_found_with_class_place_and_share(y, x, size, share):
    given = examined(by_mark(1, y, x, size), _marked(1, y, x, size, share))
    probed = Shortcut().probe(given, quiet)
    outcome = probed.outcome
    assert (outcome.state, outcome.value("shortcut_class")) == ("issue", "green")
    assert abs(outcome.value("shortcut_left") - x) <= 1
    assert abs(outcome.value("shortcut_top") - y) <= 1
    assert abs(outcome.value("shortcut_width") - size) <= 1
    assert outcome.value("training_images_carrying_it") == pytest.approx(share, abs=0.12)
    effect = outcome.evidence[0]
    assert effect.low < effect.value < effect.high
    assert effect.value == pytest.approx(0.88 * share, abs=0.2)
    assert outcome.severity == "high"
    with Image.open(io.BytesIO(base64.b64decode(probed.pictures[0].data))) as picture:
        assert picture.size == (probed.pictures[0].width, probed.pictures[0].height)


def test_place_is_told_in_words():
    outcome = Shortcut().probe(examined(by_mark(2, 1, 27, 4), _marked(2, 1, 27, 4)), quiet).outcome
    assert outcome.value("shortcut_place") == "top right corner"
    assert "top right corner of training images of blue" in outcome.summary


def test_clean_images_are_silent():
    outcome = Shortcut().probe(examined(by_colour), quiet).outcome
    assert (outcome.state, outcome.severity) == ("passed", "none")
    assert outcome.value("strongest_effect") < 0.05
    assert outcome.value("unused_difference") is None


def test_a_mark_that_the_model_ignores_is_told_and_is_no_issue():
    outcome = Shortcut().probe(examined(by_colour, _marked(1, 0, 0, 4)), quiet).outcome
    assert outcome.state == "passed"
    assert outcome.value("unused_difference") > 8
    assert "the model does not go by it" in outcome.summary


def test_a_mark_that_validation_carries_too_is_not_learned_from_training_alone():
    mark = _marked(1, 0, 0, 4)
    outcome = Shortcut().probe(examined(by_mark(1, 0, 0, 4), mark, mark), quiet).outcome
    assert outcome.state == "passed"


def test_a_background_of_a_class_is_no_mark():
    def sky(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
        pictures[labels == 2, :10] = (90, 160, 250)
        return pictures

    def predict(pictures: np.ndarray) -> np.ndarray:
        found = by_colour(pictures)
        found[pictures[:, :4, :, 2].mean(axis=(1, 2)) > 200] = (0.05, 0.05, 0.9)
        return found

    assert Shortcut().probe(examined(predict, sky, sky), quiet).outcome.state == "passed"


def test_same_seed_same_answer():
    given = examined(by_mark(1, 0, 0, 3), _marked(1, 0, 0, 3))
    assert Shortcut().probe(given, quiet) == Shortcut().probe(given, quiet)


def test_few_images_are_asked_where_few_are_allowed():
    seen = []

    def predict(pictures: np.ndarray) -> np.ndarray:
        seen.append(len(pictures))
        return by_mark(1, 0, 0, 3)(pictures)

    given = examined(predict, _marked(1, 0, 0, 3))
    seen.clear()
    outcome = Shortcut(Shortcut.Thresholds(max_images_asked=600)).probe(given, quiet).outcome
    assert outcome.state == "issue"
    assert sum(seen) <= 600
    assert [plan.images for plan in PLANS] == sorted((plan.images for plan in PLANS), reverse=True)
    assert PLANS[0].images <= Shortcut.Thresholds().max_images_asked


def test_too_few_images_of_a_class():
    outcome = Shortcut().probe(examined(by_colour, n=12), quiet).outcome
    assert outcome.state == "not_applicable"
    assert "12 training" in outcome.summary


def test_one_class_that_fills_validation_leaves_nothing_to_put_patches_into():
    given = examined(by_mark(1, 0, 0, 3), _marked(1, 0, 0, 3), n=90)
    rows = np.flatnonzero(given.val.labels == 1)
    rows = np.append(rows, np.flatnonzero(given.val.labels == 0)[:1])
    val = sample(given.val.images[rows], given.val.labels[rows], given.predict)
    assert usable(given.train, given.val, 3).tolist() == [0, 1, 2]
    assert not len(usable(given.train, val, 3))
    outcome = Shortcut().probe(dataclasses.replace(given, val=val), quiet).outcome
    assert outcome.state == "not_applicable"


def test_every_receiver_is_of_another_class():
    given = examined(by_colour, n=90)
    keep = np.concatenate([np.flatnonzero(given.val.labels == 1), np.flatnonzero(given.val.labels != 1)[:6]])
    val = sample(given.val.images[keep], given.val.labels[keep], given.predict)
    for seed in range(20):
        search = _search(dataclasses.replace(given, val=val), seed)
        for half in (0, 1):
            assert (val.labels[search.receivers(1, 8, half)] != 1).all()


def test_places_are_chosen_without_the_images_that_prove_them():
    """Validation images of the second half are made unlike all others, which must not move a single place."""
    given = examined(by_colour, _marked(1, 0, 0, 4))
    other = given.val.images.copy()
    other[_search(given, 0).halves[1][1], 10:20, 10:20] = 255
    changed = dataclasses.replace(given, val=dataclasses.replace(given.val, images=other))
    assert _search(given, 0).places() == _search(changed, 0).places()


def test_a_plan_that_time_cut_is_named():
    def slow(pictures: np.ndarray) -> np.ndarray:
        time.sleep(0.00002 * len(pictures))
        return by_colour(pictures)

    given = dataclasses.replace(examined(by_colour), predict=slow)
    outcome = Shortcut(Shortcut.Thresholds(budget_s=0.01)).probe(given, quiet).outcome
    assert f"changed images of {PLANS[0].images}: fewer places" in outcome.summary
    asked = next(e for e in outcome.evidence if e.name == "images_asked")
    assert asked.source == f"changed validation images, of about {PLANS[0].images}"
    assert "budget_s" not in Shortcut().probe(given, quiet).outcome.summary


def test_grey_images_and_labels_beyond_the_models_classes():
    def predict(pictures: np.ndarray) -> np.ndarray:
        bright = pictures[:, :3, :3].mean(axis=(1, 2, 3)) > 200
        return np.where(bright[:, None], (0.1, 0.9), (0.6, 0.4))

    given = examined(predict, _marked(1, 0, 0, 3))
    grey = [
        type(s)(s.images[..., :1], s.labels, s.names, predict(s.images[..., :1]), s.total)
        for s in (given.train, given.val)
    ]
    outcome = Shortcut().probe(type(given)(*grey, given.class_names, predict=predict), quiet).outcome
    assert (outcome.state, outcome.value("shortcut_class")) == ("issue", "green")


def test_a_mark_on_large_images_is_among_the_suspects():
    rng = np.random.default_rng(0)
    train, val = rng.integers(90, 130, (2, 24, 224, 224, 3), dtype=np.uint8)
    labels = np.arange(24) % 2
    train[labels == 1, 200:212, 100:112] = 250
    first = suspects(train, labels, val, labels, np.array([0, 1]), 5)[0]
    assert first.overlaps(Place(1, 200, 100, 12))


def test_looks_are_contrast_to_the_surroundings_and_spread():
    image = np.full((1, 16, 16, 3), 100, np.uint8)
    image[0, 4:8, 6:10, 0] = 180
    look, stride = looks(image, 4)
    at = look[:, 0, 4 // stride, 6 // stride]
    assert at == pytest.approx([80, 0, 0, 0], abs=1e-3)
    assert np.abs(look[:, 0, -1, -1]).max() == pytest.approx(0, abs=1e-3)


def test_looks_at_the_edge_know_no_darkness_beyond_it():
    look, _ = looks(np.full((2, 20, 20, 1), 200, np.uint8), 3)
    assert np.abs(look).max() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("side", [16, 28, 32, 64, 224])
def test_sizes_grow_with_the_image(side):
    sizes = sizes_for((side, side))
    assert sizes == sorted(set(sizes))
    assert 2 <= sizes[0] <= max(2, side // 32)
    assert sizes[-1] == max(6, round(6 * side / 32))
    assert all(b < 2.5 * a for a, b in pairwise(sizes))


def test_grown_places_stay_inside():
    place = Place(0, 30, 0, 2).grown((32, 32))
    assert (place.y, place.x, place.size) == (28, 0, 4)


def test_images_helper_is_the_same_by_seed():
    assert (images(6, 3)[0] == images(6, 3)[0]).all()
