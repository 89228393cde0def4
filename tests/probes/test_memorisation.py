import dataclasses

import numpy as np
import pytest

from copilot.probes.base import Sample
from copilot.probes.memorisation import Memorisation, by_heart, separation
from tests.probes.made import examined, probed, sample, split


def with_losses(losses, labels, classes=2):
    """A sample in which each image's label has the probability exp(-loss)."""
    own = np.exp(-np.asarray(losses, dtype=float))
    made = np.repeat(((1 - own) / (classes - 1))[:, None], classes, axis=1)
    made[np.arange(len(labels)), labels] = own
    return sample(np.asarray(labels), made)


def drawn(rng, n, scale, labels=None):
    return with_losses(rng.exponential(scale, n), np.arange(n) % 2 if labels is None else labels)


def test_area_is_the_share_of_pairs_and_ties_count_half():
    train, val = with_losses([0.1, 0.2, 0.2, 0.9], [0] * 4), with_losses([0.2, 0.3, 0.05], [0] * 3)
    pairs = [(a < b) + 0.5 * (a == b) for a in train.losses for b in val.losses]
    assert separation(train, val).area == pytest.approx(np.mean(pairs))


def test_the_interval_holds_its_truth():
    """Exponential losses of scales 1 and 2: the area is 2/3. And alike: 1/2."""
    for scale, truth in ((2.0, 2 / 3), (1.0, 0.5)):
        inside = 0
        for seed in range(200):
            rng = np.random.default_rng(seed)
            found = separation(drawn(rng, 100, 1.0), drawn(rng, 60, scale))
            inside += found.low <= truth <= found.high
        assert 180 <= inside <= 199


def test_another_mix_of_classes_is_no_memorisation():
    rng = np.random.default_rng(0)
    easy = [(rng.random(400) < share).astype(int) for share in (0.9, 0.1)]  # class 1 is easy, and rare in validation
    train, val = (with_losses(rng.exponential(np.where(c, 0.1, 2.0)), c) for c in easy)
    assert np.mean(train.losses[:, None] < val.losses) > 0.7  # what it would look like without classes
    found = probed(Memorisation(), examined(train, val)).outcome
    assert found.state == "passed"
    assert found.evidence[0].low < 0.5 < found.evidence[0].high


def test_memorised_images_are_an_issue():
    rng = np.random.default_rng(0)
    found = probed(Memorisation(), examined(drawn(rng, 300, 0.05), drawn(rng, 300, 1.0))).outcome
    assert (found.state, found.severity) == ("issue", "high")
    assert found.evidence[0].low > 0.85
    assert "50 %" in found.summary


def test_a_small_difference_that_is_sure_is_told_and_passes():
    rng = np.random.default_rng(0)
    found = probed(Memorisation(), examined(drawn(rng, 20000, 0.85), drawn(rng, 20000, 1.0))).outcome
    assert found.state == "passed"
    assert 0.5 < found.evidence[0].low < 0.55
    assert "more than the 50 %" in found.summary


def test_training_images_that_are_harder_are_told_plainly():
    rng = np.random.default_rng(0)
    found = probed(Memorisation(), examined(drawn(rng, 400, 1.0), drawn(rng, 400, 0.5))).outcome
    assert found.state == "passed"
    assert found.evidence[0].high < 0.5
    assert "less than the 50 %" in found.summary
    assert "not to be told" not in found.summary


def test_losses_that_do_not_overlap_still_have_an_interval():
    found = separation(with_losses(np.full(30, 1e-3), [0] * 30), with_losses(np.full(30, 2.0), [0] * 30))
    assert found.area == 1.0
    assert 0.8 < found.low < 0.95
    assert found.high == 1.0


def test_a_model_that_says_the_same_of_every_image():
    found = probed(Memorisation(), examined(split(60, 2, 1.0, 0.9), split(60, 2, 1.0, 0.9))).outcome
    same = sample(np.arange(60) % 2, np.full((60, 2), 0.5))
    assert separation(same, same).area == 0.5
    assert found.state == "passed"


def test_many_classes_with_few_images_each():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(500), 3)
    found = separation(*(with_losses(rng.exponential(1.0, 1500), labels, 500) for _ in range(2)))
    assert found.classes == 500
    assert found.low < 0.5 < found.high


def test_classes_that_cannot_be_compared():
    train, val = split(60, 2, 1.0, 0.9), split(60, 2, 0.5, 0.9)
    apart = sample(val.labels + 2, np.hstack([val.probabilities * 0, val.probabilities]))
    wide = sample(train.labels, np.hstack([train.probabilities, train.probabilities * 0]))
    found = probed(Memorisation(), examined(wide, apart)).outcome
    assert found.state == "not_applicable"
    assert "No class" in found.summary


def test_images_known_pixel_by_pixel_are_found_where_the_model_can_be_asked():
    """A model that is right about bright images by their brightness, and about ten dark ones by one corner pixel."""
    rng = np.random.default_rng(0)
    images = np.full((60, 8, 8, 1), 200, dtype=np.uint8)
    images[:10] = 0
    images[:10, 4, 4] = 255

    def predict(x: np.ndarray) -> np.ndarray:
        good = (x.mean(axis=(1, 2, 3)) > 100) | (x[:, 4, 4, 0] == 255)
        one = np.where(good, 0.99, 0.02)
        return np.stack([one, 1 - one], axis=1)

    train = Sample(images, np.zeros(60, dtype=int), ("",) * 60, predict(images), 60)
    val = with_losses(rng.exponential(1.0, 60), np.zeros(60, dtype=int))
    of = examined(train, val, predict=predict)
    scores = by_heart(of)
    assert scores[:10] == pytest.approx(0.97)
    assert scores[10:] == pytest.approx(0.0)
    picture = probed(Memorisation(), of).pictures[0]
    assert picture.finding_code == "OVF303"
    assert "moved by one pixel" in picture.caption


def test_from_predictions_alone_the_least_sure_of_the_right_ones_are_shown():
    train = split(90, 3, 0.9, 0.9, pictures=True)
    scores = by_heart(examined(train, split(60, 3, 0.5, 0.9)))
    assert np.isnan(scores[~train.correct]).all()
    assert scores[train.correct] == pytest.approx(1 - train.probabilities.max(axis=1)[train.correct])


@pytest.mark.parametrize(("certainty", "word"), [("classes", "predicted classes"), ("confidence", "confidence")])
def test_losses_that_were_made_up_say_nothing(certainty, word):
    """Classes alone give losses of 0 and 27.6, which tell errors and no memory."""
    train, val = (split(90, 3, accuracy, 0.9) for accuracy in (1.0, 0.5))
    found = probed(Memorisation(), examined(train, dataclasses.replace(val, certainty=certainty))).outcome
    assert found.state == "not_applicable"
    assert word in found.summary
