"""OVF407: groups in file names, found where they are and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.data.group_names import find_groups, given_groups
from copilot.core.data.groups import SplitGroups
from copilot.core.findings import Outcome
from copilot.errors import InputError

SPREAD = {
    "patient": "class/patient{g:03d}_slice{i:02d}.png",
    "video": "vid{g}_frame{i:04d}.jpg",
    "camera": "cam{g}-20210304-{i:03d}.png",
    "scene": "Scene_{g}/cat/{i}.png",
    "source image": "cat_photo{g}x_jpg.rf.{i:032x}.jpg",
    "series": "a{g}f9c2_{i}.png",
}


def _names(form: str, groups: int, each: int) -> list[str]:
    return [form.format(g=g, i=i + 10 * g) for g in range(1, groups + 1) for i in range(each)]


def _judged(names: list[str], *, every: int | None = 4, cut: int | None = None, **more: object) -> Outcome:
    """Every fourth image is for validation, or all from `cut` on."""
    val = names[cut:] if cut is not None else names[::every]
    train = names[:cut] if cut is not None else [name for i, name in enumerate(names) if i % every]
    return SplitGroups().judge(find_groups(train, val, **more), train, val)


@pytest.mark.parametrize("word", SPREAD)
def test_groups_that_are_split_are_told(word: str):
    outcome = _judged(_names(SPREAD[word], 8, 10))
    assert outcome.state == "issue"
    assert outcome.severity == ("low" if word == "camera" else "high")
    assert outcome.value("groups") == 8
    assert outcome.value("groups_in_both") == 8
    assert outcome.value("shared_share") == 1
    assert word in outcome.summary


@pytest.mark.parametrize("word", SPREAD)
def test_groups_that_are_kept_whole_pass(word: str):
    outcome = _judged(_names(SPREAD[word], 8, 10), cut=60)
    assert (outcome.state, outcome.value("groups_in_both")) == ("passed", 0)


@pytest.mark.parametrize(
    "form",
    [
        "{i:05d}.png",  # running numbers
        "cat/{i:04d}.jpg",
        "airplane_s_{i:06d}.png",
        "img_{i}.png",
        "IMG_20210304_{i:06d}.jpg",  # cameras' names
        "2021-03-04_{i:03d}.png",  # dates
        "200{g}_{i:06d}.jpg",  # years
        "batch{g}_{i:04d}.png",
        "DSC{i:05d}.JPG",
        "{i:032x}.png",  # hashes
        "550e8400-e29b-41d4-a716-{i:012x}.png",
        "patient_{i}.png",  # an id for each image
    ],
)
def test_names_without_groups_are_left_alone(form: str):
    assert _judged(_names(form, 8, 10)).state == "not_applicable"


def test_classes_are_no_groups():
    names = [f"n{1000 + g}_{i}.JPEG" for g in range(5) for i in range(20)]
    labels = [g for g in range(5) for _ in range(20)]
    assert find_groups(names[::2], names[1::2], train_labels=labels[::2], val_labels=labels[1::2]) is None
    assert find_groups([f"n{n[1:5]}/{n}" for n in names], [f"n{n[1:5]}/{n}" for n in names]) is None


def test_ids_of_drives_start_anew_each_day():
    names = [f"2011_09_{day}_drive_{g:04d}_{i:010d}.png" for day in (26, 28) for g in range(4) for i in range(5)]
    found = find_groups(names[:20], names[20:])
    assert found.word == "flight"
    assert not set(found.train) & set(found.val)


def test_augmented_copies_are_of_one_source():
    names = [f"photo_a{g}{kind}.png" for g in range(20) for kind in ("", "_aug3", "_flip", "_rot90", " (1)")]
    outcome = _judged(names, every=5)
    assert outcome.state == "issue"
    assert "source image" in outcome.summary


def test_numbers_that_start_anew_are_no_groups():
    names = _names("vid{g}_frame{i:04d}.jpg", 5, 10)
    outcome = SplitGroups().judge(find_groups(names, names), names, names)
    assert outcome.state == "passed"
    assert "start anew" in outcome.summary


def test_a_pattern_names_the_groups():
    names = [f"{place}-{i:03d}.png" for place in ("oslo", "rome") for i in range(20)]
    assert _judged(names).state == "not_applicable"
    outcome = _judged(names, pattern=r"^([a-z]+)-")
    assert outcome.state == "issue"
    assert outcome.value("groups") == 2


@pytest.mark.parametrize("pattern", ["(", "nothing", "a" * 300])
def test_a_pattern_that_does_not_work_is_told(pattern: str):
    with pytest.raises(InputError, match="pattern"):
        find_groups(["1.png"], ["2.png"], pattern=pattern)


def test_a_column_gives_the_groups_and_the_scores_are_told_apart():
    grouping = given_groups(["x", "x", "y"], ["x", "z", ""], "patient")
    names = ["1", "2", "3"]
    outcome = SplitGroups().judge(grouping, names, names, correct=np.array([True, False, False]))
    assert outcome.value("shared_share") == pytest.approx(1 / 3, abs=1e-5)
    assert outcome.value("score_of_shared") == 1
    assert outcome.value("score_of_others") == 0


def test_hostile_names_are_cleaned():
    names = [f"patient{i % 3}\u202e\n{'x' * 300}_{i}.png" for i in range(30)]
    outcome = _judged(names, pattern=r"patient\d.")
    assert outcome.state == "issue"
    shown = [outcome.summary, *(str(item.value) for item in outcome.evidence)]
    assert not any("\u202e" in text or "\n" in text for text in shown)
    assert max(map(len, shown)) < 400
