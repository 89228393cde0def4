"""OVF408 to OVF410: what moved is told with its size, what chance explains passes, and large sets go by size."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.checks.describe import describe
from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.label_drift import LabelDrift, LabelDriftThresholds
from copilot.core.data.property_drift import PropertyDrift
from copilot.core.findings import Outcome

RNG = np.random.default_rng


def _properties(n: int, seed: int, **shift: float) -> dict[str, np.ndarray]:
    rng = RNG(seed)
    made = {"brightness": rng.normal(120, 30, n), "contrast": rng.normal(50, 12, n), "width": np.full(n, 32.0)}
    return {name: values + shift.get(name, 0.0) for name, values in made.items()}


def _moved(a: dict, b: dict, labels_a=None, labels_b=None, classes=("cat", "dog")) -> Outcome:
    n_a, n_b = len(a["width"]), len(b["width"])
    labels_a = np.full(n_a, -1) if labels_a is None else labels_a
    labels_b = np.full(n_b, -1) if labels_b is None else labels_b
    check = PropertyDrift()
    return check.judge(check.find(a, b, labels_a, labels_b, classes))


@pytest.mark.parametrize("check", [PropertyDrift, LabelDrift, EmbeddingDrift])
def test_each_check_has_a_page(check):
    page = describe(check())
    assert page.code in ("OVF408", "OVF409", "OVF410")
    assert all((page.claim, page.why_it_matters, page.source, page.when_it_is_wrong))
    assert all(item.description for item in page.thresholds)


def test_a_moved_property_is_told_in_its_unit():
    outcome = _moved(_properties(400, 0), _properties(400, 1, brightness=-20))
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    assert outcome.value("brightness_distance") == pytest.approx(0.26, abs=0.06)
    assert outcome.value("brightness_moved") == pytest.approx(20 / 30, abs=0.15)
    assert "darker (brightness" in outcome.summary
    assert "grey levels on average against" in outcome.summary
    assert "contrast" not in outcome.summary


def test_alike_sets_pass_and_say_what_could_have_been_told():
    outcome = _moved(_properties(400, 2), _properties(300, 3))
    assert outcome.state == "passed"
    assert outcome.value("smallest_distance_told") == pytest.approx(0.14, abs=0.02)
    few = _moved(_properties(40, 4), _properties(40, 5))
    assert "cannot be told with so few images" in few.summary
    assert few.confidence < outcome.confidence


def test_a_size_that_all_images_of_a_set_share_is_seen():
    outcome = _moved(_properties(60, 0), _properties(60, 1, width=32))
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "wider (width 64 pixels on average against 32, over 1,000 times its spread" in outcome.summary


def test_other_shares_of_the_classes_are_not_told_as_light():
    labels_a, labels_b = np.repeat([0, 1], [400, 100]), np.repeat([0, 1], [100, 400])
    a, b = _properties(500, 6), _properties(500, 7)
    a["brightness"], b["brightness"] = a["brightness"] + 60 * labels_a, b["brightness"] + 60 * labels_b
    assert _moved(a, b).state == "issue"
    outcome = _moved(a, b, labels_a, labels_b)
    assert outcome.state == "passed"
    assert "That brightness differs between the sets is explained by their shares of the classes." in outcome.summary


def test_a_shift_of_one_class_alone_is_found():
    labels = np.arange(600) % 12
    a, b = _properties(600, 8), _properties(600, 9)
    b["brightness"] = b["brightness"] + 60 * (labels == 1)
    outcome = _moved(a, b, labels, labels, [f"c{i}" for i in range(12)])
    assert (outcome.state, outcome.severity) == ("issue", "low")
    assert "those of c1 are brighter" in outcome.summary
    assert outcome.value("brightness_distance") > 0.4
    assert outcome.evidence[0].source == "class c1"


def test_of_many_images_the_size_decides():
    outcome = _moved(_properties(60_000, 10), _properties(60_000, 11, brightness=1.5))
    assert outcome.value("brightness_p_value") < 1e-6
    assert outcome.state == "passed"


def test_grey_sets_are_not_asked_for_colours_and_too_few_images_not_judged():
    colours = {name: np.zeros(50) for name in ("saturation", "colourfulness")} | {"red": RNG(0).normal(size=50)}
    check, none = PropertyDrift(), np.full(50, -1)
    found = check.find(_properties(50, 0) | colours, _properties(50, 1) | colours, none, none)
    assert {row.name for row in found.rows} == {"brightness", "contrast"}
    assert _moved(_properties(10, 0), _properties(50, 1)).state == "not_applicable"
    same = {"width": np.full(50, 8.0)}
    assert check.judge(check.find(same, same, none, none)).state == "passed"


def _labels(counts_a: list[int], counts_b: list[int], **thresholds: float) -> Outcome:
    classes = [f"c{i}" for i in range(len(counts_a))]
    check = LabelDrift(LabelDriftThresholds(**thresholds))
    sides = (np.repeat(np.arange(len(counts)), counts) for counts in (counts_a, counts_b))
    return check.judge(check.find(*sides, classes))


def test_moved_shares_are_told_with_their_interval():
    outcome = _labels([300, 300, 400], [100, 300, 600])
    assert (outcome.state, outcome.severity) == ("issue", "medium")
    variation = next(item for item in outcome.evidence if item.name == "total_variation")
    assert variation.value == pytest.approx(0.2)
    assert variation.low == pytest.approx(0.16, abs=0.02)
    assert variation.high == pytest.approx(0.24, abs=0.02)
    assert outcome.value("most_moved_class") == "c0"
    assert "c0 30.0 % against 10.0 % (-23.4 to -16.6 points)" in outcome.summary


def test_chance_passes_and_a_lost_class_is_high():
    assert _labels([50, 50, 60], [22, 30, 28]).state == "passed"
    outcome = _labels([90, 10, 100], [95, 0, 105])
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "No image of c1 is in validation." in outcome.summary


def test_of_many_labels_the_size_decides_and_one_class_counts_by_its_factor():
    assert _labels([50_000, 50_000], [51_500, 48_500]).state == "passed"
    outcome = _labels([97_000, 3_000], [98_000, 2_000])
    assert (outcome.state, outcome.severity) == ("issue", "low")
    assert outcome.value("share_factor") == pytest.approx(1.5)


def test_small_counts_have_exact_p_values():
    check = LabelDrift()
    found = check.find(np.repeat([0, 1], [10, 10]), np.repeat([0, 1], [16, 4]), ["a", "b"])
    assert found.p_all == pytest.approx(0.0958, abs=0.015)  # Fisher's exact test
    assert found.p_one == pytest.approx(found.p_all, abs=0.001)


def test_false_alarms_of_labels_are_few():
    alarms = 0
    for seed in range(120):
        rng = RNG(seed)
        alarms += (
            _labels(
                rng.multinomial(150, np.full(8, 1 / 8)).tolist(),
                rng.multinomial(90, np.full(8, 1 / 8)).tolist(),
                draws=999,
            ).state
            == "issue"
        )
    assert alarms <= 4


def test_labels_that_say_nothing_are_not_judged():
    assert _labels([100], [100]).state == "not_applicable"
    assert _labels([100, 3], [4, 5]).state == "not_applicable"
    check, none = LabelDrift(), np.full(90, -1)
    assert check.judge(check.find(none, none, ("a",))).state == "not_applicable"
    assert check.judge(check.find(none, none, ())).state == "not_applicable"


def _apart(shift: float, n: int = 300) -> Outcome:
    rng, check, none = RNG(12), EmbeddingDrift(), np.full(n, -1)
    a, b = rng.normal(size=(n, 10)), rng.normal(size=(n, 10))
    b[:, 7] += shift
    groups = {"edges": 6, "colours": 4}
    return check.judge(check.find(a, b, none, none, features="made features", groups=groups))


def test_sets_that_can_be_told_apart_are():
    outcome = _apart(1.2)
    assert outcome.state == "issue"
    assert outcome.severity in ("medium", "high")
    auc = next(item for item in outcome.evidence if item.name == "domain_auc")
    assert auc.low < 0.802 < auc.high  # Phi(1.2 / sqrt(2))
    assert outcome.value("share_of_colours") > 0.9
    assert "a linear classifier on made features finds which of two images is from validation" in outcome.summary
    assert "mostly colours" in outcome.summary


def test_alike_embeddings_pass_and_few_are_not_judged():
    outcome = _apart(0.0)
    assert outcome.state == "passed"
    assert "cannot be told apart" in outcome.summary
    assert _apart(2.0, n=30).state == "not_applicable"
