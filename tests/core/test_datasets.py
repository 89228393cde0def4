"""File lists in, what moved out."""

from __future__ import annotations

import pytest

from copilot.core.datasets import (
    MAX_PATHS,
    BalanceThresholds,
    DataComparison,
    class_of,
    compare_files,
    count_classes,
    judge_balance,
    total_variation,
)


def files(**counts: int) -> dict[str, str]:
    """`train_cat=3` -> three files in train/cat, each with content of its own."""
    return {
        f"{name.replace('_', '/')}/{i:04d}.png": f"{name}-{i}" for name, count in counts.items() for i in range(count)
    }


def compare(a: dict[str, str], b: dict[str, str], **more) -> DataComparison:
    return compare_files(a, b, path="images", rev_a="v1", rev_b="v2", **more)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train/cat/1.png", ("train", "cat")),
        ("images/Val/7/1.JPEG", ("Val", "7")),
        ("train/cat/patient 3/1.png", ("train", "cat")),
        ("images/cat/1.png", (None, "cat")),
        ("cat/1.png", (None, "cat")),
        ("cat\n\u202egod/1.png", (None, "cat god")),
        ("train/1.png", None),
        ("1.png", None),
        ("train/cat/labels.csv", None),
    ],
)
def test_the_class_is_read_from_the_folders(path, expected):
    assert class_of(path) == expected


def test_total_variation_is_half_the_sum_of_the_moved_shares():
    assert total_variation({"a": 10, "b": 10}, {"a": 1, "b": 1}) == 0
    assert total_variation({"a": 10, "b": 10}, {"a": 30, "b": 10}) == pytest.approx(0.25)
    assert total_variation({"a": 5}, {"b": 5}) == 1
    with pytest.raises(ValueError, match="at least one"):
        total_variation({}, {"a": 1})


def test_counts_come_training_first_and_in_natural_order():
    rows = count_classes(files(val_2=1, train_10=2, train_2=3), files(train_2=1))
    assert [(r.split, r.label, r.a, r.b) for r in rows] == [
        ("train", "2", 3, 1),
        ("train", "10", 2, 0),
        ("val", "2", 1, 0),
    ]


def test_files_are_added_removed_changed_and_moved():
    a = {"train/a/1.png": "one", "train/a/2.png": "two", "train/a/3.png": "three", "old/a/4.png": "four"}
    b = {"train/a/1.png": "one", "train/a/2.png": "TWO", "val/a/4.png": "four", "val/a/5.png": "five"}
    found = compare(a, b, size_a=10, size_b=12)
    assert (found.added, found.removed) == (("val/a/4.png", "val/a/5.png"), ("old/a/4.png", "train/a/3.png"))
    assert found.changed == ("train/a/2.png",)
    assert (found.n_moved, found.unchanged_count, found.size_a, found.size_b) == (1, 1, 10, 12)
    assert found.summary == (
        "From v1 to v2: 2 files added (1 only moved), 2 removed, 1 changed, 1 unchanged; 4 before, 4 after."
    )


def test_long_lists_are_cut_but_counted_whole():
    found = compare({}, files(train_cat=MAX_PATHS + 50))
    assert (len(found.added), found.n_added) == (MAX_PATHS, MAX_PATHS + 50)


def test_the_same_files_are_said_to_be_the_same():
    same = files(train_cat=1)
    assert compare(same, same).summary == "v1 and v2 hold the same 1 file."


def test_names_that_are_not_utf8_survive_json():
    found = compare({}, {b"cat/\xff\n.png".decode("utf-8", "surrogateescape"): "x"})
    assert found.added == ("cat/\\udcff\n.png",)
    assert DataComparison.model_validate_json(found.model_dump_json()) == found


def test_a_moved_class_balance_is_an_issue_with_the_distance_as_evidence():
    a, b = (
        files(train_cat=50, train_dog=50, val_cat=30, val_dog=30),
        files(train_cat=50, train_dog=100, val_cat=30, val_dog=30),
    )
    outcome = compare(a, b).outcomes[0]
    assert (outcome.code, outcome.state, outcome.severity) == ("OVF401", "issue", "medium")
    assert outcome.value("total_variation_train") == pytest.approx(1 / 6)
    assert outcome.value("total_variation_val") == 0
    assert outcome.summary == (
        "The class shares of train moved (total variation 0.17), "
        "most for cat: 50 of 100 images before, 50 of 150 after."
    )
    assert all(e.source == "dvc:images@v1..v2" for e in outcome.evidence)


def test_a_class_that_vanished_is_an_issue_however_small():
    outcome = judge_balance(count_classes(files(val_a=100, val_b=2), files(val_a=100)))
    assert (outcome.state, outcome.severity) == ("issue", "high")
    assert "no image is left of b" in outcome.summary


def test_more_of_the_same_passes_and_a_handful_is_not_judged():
    counts = count_classes(files(a=20, b=20), files(a=40, b=41))
    assert judge_balance(counts).state == "passed"
    few = judge_balance(count_classes(files(a=9, b=1), files(a=1, b=9)))
    assert few.state == "not_applicable"
    assert "20 images" in few.summary
    strict = BalanceThresholds(moved=0.001)
    assert judge_balance(counts, strict).state == "issue"
