from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from copilot.errors import InputError
from copilot.probes import BUILT_IN
from copilot.probes.asking import Asker, ahead, batch_size, mean_interval, place_in_words
from copilot.probes.attribution import Attribution
from copilot.probes.augmentation import Augmentation
from copilot.probes.invariance import Invariance
from copilot.probes.robustness import Robustness
from copilot.probes.shortcut import Shortcut
from copilot.probes.transplants import PLANS
from copilot.utils.model_settings import ProbesSettings
from tests.probes.changed_images import by_colour, images


def test_answers_come_in_the_order_of_the_images():
    pictures, _ = images(40, 0)
    ask = Asker(by_colour)
    batches = [pictures[:10], pictures[10:25], pictures[25:]]
    assert np.concatenate(list(ask.each(batches))) == pytest.approx(by_colour(pictures))
    assert ask(pictures) == pytest.approx(by_colour(pictures))
    assert ask.images == 80


@pytest.mark.parametrize("answer", [np.ones(4), np.ones((3, 2)), np.full((4, 2), np.nan)])
def test_an_answer_that_is_none_is_told(answer):
    with pytest.raises(InputError, match="finite probabilities"):
        Asker(lambda pictures: answer)(np.zeros((4, 8, 8, 3), np.uint8))


def test_a_budget_limits_what_is_affordable():
    ask = Asker(by_colour, budget_s=10.0, images=100, seconds=20.0)
    assert ask.affordable(1000) in range(48, 51)
    assert Asker(by_colour).affordable(1000) == 1000


@pytest.mark.parametrize(
    ("probe", "asked"),
    [
        (Attribution, 2 * 120 * 65 + 2 * 24 * 96),  # a gradient: 32 steps there and back
        (Robustness, 400 * 36),
        (Augmentation, 2 * 400 * 14),
        (Invariance, 2 * 400 * 5),
        (Shortcut, PLANS[0].images),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_default_plans_are_whole_from_a_hundred_images_a_second_on(probe, asked):
    """What a small network does on a busy machine: speed then has no part in the answer."""
    ask = Asker(by_colour, probe.Thresholds().budget_s, images=16, seconds=0.16)
    assert ask.affordable(asked) == asked


def test_the_budgets_of_all_probes_fit_into_the_time_of_their_process():
    """A process that is stopped loses every finding: half of its time is left for asking and for what is slower."""
    budgets = [getattr(probe.Thresholds(), "budget_s", 0.0) for probe in BUILT_IN]
    assert 0 < sum(budgets) <= ProbesSettings().timeout_s / 2


def test_the_rate_is_that_of_the_faster_of_two_batches():
    waits = iter([0.2, 0.2, 0.0])

    def predict(pictures: np.ndarray) -> np.ndarray:
        time.sleep(next(waits))
        return by_colour(pictures)

    ask = Asker(predict)
    ask.warm_up(images(40, 0)[0])
    assert ask.images == 16
    assert ask.seconds < 0.1


def test_items_are_made_ahead_and_errors_arrive():
    def items():
        yield 1
        yield 2
        raise RuntimeError("broken image")

    made = ahead(items())
    assert [next(made), next(made)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken image"):
        next(made)


def test_a_thread_ends_when_its_items_are_no_longer_wanted():
    before = threading.active_count()
    many = ahead(iter(range(10_000)))
    assert next(many) == 0
    many.close()
    assert threading.active_count() == before


def test_large_images_come_in_small_batches():
    assert batch_size(np.zeros((2, 32, 32, 3), np.uint8)) == 512
    assert batch_size(np.zeros((2, 224, 224, 3), np.uint8)) == 26
    assert batch_size(np.zeros((2, 2000, 2000, 3), np.uint8)) == 8


def test_interval_of_a_mean_holds_it():
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    low, high = mean_interval(values, np.random.default_rng(1))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (1, 1, "top left corner"),
        (30, 29, "bottom right corner"),
        (16, 2, "left edge"),
        (2, 16, "top edge"),
        (16, 16, "middle"),
    ],
)
def test_places_in_words(y, x, words):
    assert place_in_words(y, x, (32, 32)) == words
