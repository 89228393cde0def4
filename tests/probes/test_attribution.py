from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from copilot.core.checks.describe import describe
from copilot.probes.asking import Asker
from copilot.probes.attribution import Attribution
from copilot.probes.augmentation import Augmentation
from copilot.probes.gradients import gradient_shares
from copilot.probes.looking import Looked, compared
from copilot.probes.occlusion import backgrounds, corners, occlusion_maps, rim, shares
from copilot.probes.robustness import Robustness
from copilot.probes.shortcut import Shortcut
from tests.probes.changed_images import by_colour, by_mark, examined, images, quiet


def _marked(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    pictures[labels == 1, :4, :4] = 255
    return pictures


def _mostly_by_mark(pictures: np.ndarray) -> np.ndarray:
    """Sure of green where the corner is bright; else the colour says little."""
    bright = pictures[:, :4, :4].mean(axis=(1, 2, 3)) > 200
    return np.where(bright[:, None], (0.05, 0.9, 0.05), 0.3 * by_colour(pictures) + 0.7 / 3)


def test_a_model_that_looks_at_a_corner_is_told_with_its_class():
    given = examined(_mostly_by_mark, _marked)
    probed = Attribution().probe(given, quiet)
    outcome = probed.outcome
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "the corners of training images of green" in outcome.summary
    assert outcome.evidence[0].name == "attribution_odds"
    odds = outcome.evidence[0]
    assert 2 < odds.low < odds.value <= odds.high
    assert outcome.value("attribution_share") > 0.8
    assert len(probed.pictures) == 1


def test_a_model_that_looks_at_the_object_passes():
    outcome = Attribution().probe(examined(by_colour), quiet).outcome
    assert outcome.state == "passed"
    assert "within the limit of 2" in outcome.summary
    share = {item.source.split(",")[0]: item.value for item in outcome.evidence if item.name == "occlusion_share"}
    area = {item.source.split(",")[0]: item.value for item in outcome.evidence if item.name == "area_share"}
    assert share["corners"] < 0.05
    assert area["corners"] == pytest.approx(0.25)


def test_gradients_are_told_beside():
    def attribute(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
        found = np.zeros(pictures.shape[:3])
        found[:, 14:18, 14:18] = 1.0
        return found

    outcome = Attribution().probe(examined(by_colour, n=60, attribute=attribute), quiet).outcome
    assert outcome.value("gradient_share") == 0.0
    assert "Gradients" not in outcome.summary


def test_a_model_that_fails_when_asked_for_gradients_is_judged_without_them():
    def attribute(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
        raise RuntimeError("element 0 of tensors does not require grad")

    outcome = Attribution().probe(examined(by_colour, n=60, attribute=attribute), quiet).outcome
    assert outcome.state == "passed"
    assert outcome.value("gradient_share") is None
    assert "Gradients are left out: element 0 of tensors does not require grad." in outcome.summary


def test_gradients_are_few_and_within_the_budget():
    asked = []

    def attribute(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
        asked.append(len(pictures))
        time.sleep(0.02 * len(pictures))
        return np.ones(pictures.shape[:3])

    given = examined(by_colour, n=60, attribute=attribute)
    outcome = Attribution().probe(given, quiet).outcome
    assert asked == [4, 24, 24]
    ask = Asker(by_colour, budget_s=0.2)
    pictures, labels = images(40, 0)
    parts = {"corners": corners((32, 32))[None]}
    looked = Looked("training", pictures, labels, np.zeros((40, 32, 32)), parts, 8)
    assert gradient_shares(given, [looked], 24, ask, np.random.default_rng(0))[1].startswith(" Gradients are left out")
    assert any(e.name == "gradient_share" and "24 images" in e.source for e in outcome.evidence)


def test_the_interval_is_the_ordinary_one_and_the_judgement_is_corrected():
    share = np.random.default_rng(0).uniform(0.3, 0.5, 40)
    once, often = (compared("rim", None, share, np.full(40, 0.25), s) for s in (0.01, 0.0001))
    assert (once.low, once.high) == (often.low, often.high)
    assert often.sure < once.sure < once.low < once.odds < once.high


def test_the_grid_and_the_images_that_time_allowed_are_named():
    def slow(pictures: np.ndarray) -> np.ndarray:
        time.sleep(0.0002 * len(pictures))
        return by_colour(pictures)

    given = dataclasses.replace(examined(by_colour, n=60), predict=slow)
    outcome = Attribution(Attribution.Thresholds(budget_s=0.2)).probe(given, quiet).outcome
    assert "of 60 images of each split with 6 x 6 patches" in outcome.summary
    covered = next(e for e in outcome.evidence if e.name == "images_covered")
    assert covered.source == f"training, 6 x 6 patches, {covered.value} of 60"


def test_a_model_that_nothing_changes_tells_nothing():
    outcome = Attribution().probe(examined(lambda x: np.tile((0.8, 0.1, 0.1), (len(x), 1)), n=30), quiet).outcome
    assert outcome.state == "not_applicable"


def test_occlusion_finds_the_patch_that_matters():
    pictures, labels = images(9, 0)
    pictures = pictures[labels != 1]
    pictures[:, 8:12, 20:24] = 255
    predict = by_mark(1, 8, 20, 4)
    before = predict(pictures)[:, 1]
    done = []
    maps = occlusion_maps(Asker(predict), pictures, np.ones(6, int), before, 8, done.append)
    assert maps.shape == (6, 32, 32)
    assert (maps[:, 8:12, 20:24] > 0.3).all()
    assert np.abs(maps[:, :8]).max() < 0.05
    assert done[-1] == 6


def test_patches_cover_sides_that_the_grid_does_not_divide():
    pictures, _ = images(2, 0, side=30)
    maps = occlusion_maps(Asker(lambda x: x.mean(axis=(1, 2))[:, :3] / 255), pictures, np.zeros(2, int), np.ones(2), 8)
    assert np.isfinite(maps).all()


def test_parts_of_an_image():
    assert corners((32, 32)).mean() == pytest.approx(0.25)
    assert rim((32, 32)).mean() == pytest.approx(1 - 0.75**2)
    maps = np.zeros((2, 32, 32))
    maps[0, :8, :8], maps[0, 16, 16] = 1.0, -5.0
    found = shares(maps, np.broadcast_to(corners((32, 32)), maps.shape))
    assert found[0] == 1.0
    assert np.isnan(found[1])


def test_background_is_what_looks_like_the_rim_and_is_connected_with_it():
    image = np.full((1, 32, 32, 3), 200, np.uint8)
    image[0, 8:24, 8:24] = (200, 30, 30)
    image[0, 14:18, 14:18] = 200  # a hole in the object, not connected
    found = backgrounds(image)[0]
    assert found[0].all()
    assert not found[8:24, 8:24].any()
    assert found.sum() == 32 * 32 - 16 * 16


@pytest.mark.parametrize("probe", [Attribution, Shortcut, Robustness, Augmentation])
def test_every_probe_describes_itself(probe):
    page = describe(probe())
    assert page.claim.endswith(".")
    assert all((page.measures, page.why_it_matters, page.source, page.when_it_is_wrong))
    assert all(threshold.description for threshold in page.thresholds)
    assert page.scope == "model and images"
    assert probe.needs == "predict"
