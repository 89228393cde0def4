"""Which runs are the folds of one cross-validation."""

from dataclasses import replace

import pytest

from copilot.core.comparisons.folds import fold_numbers, fold_sets
from tests.core.comparisons.groups import folds, group, run


def _named(*names, **options):
    return group([run(0.8, name=n) for n in names], **options)


@pytest.mark.parametrize(
    "pattern",
    [
        "net-fold-{}",
        "net_fold_{}_of_5",
        "net_cv{}",
        "fold{}",
        "net (fold {}/5)",
        "resnet50-kfold-{}-adam",
        "5fold_{}",
        "K-Fold {}",
    ],
)
def test_names_tell_folds(pattern):
    (found,) = fold_sets(_named(*(pattern.format(i) for i in (1, 2, 3)), "other"))
    assert found.members == (0, 1, 2)
    assert found.folds == (1, 2, 3)


@pytest.mark.parametrize("pattern", ["scaffold-{}", "run-{}", "cnncv{}", "unfold{}", "manifold_{}"])
def test_names_that_tell_no_fold(pattern):
    assert fold_sets(_named(*(pattern.format(i) for i in (1, 2, 3)))) == []


def test_one_number_over_and_over_is_a_setting():
    assert fold_sets(_named("opencv2-a", "cv2", "cv2")) == []
    assert fold_sets(group([run(0.8, name=f"r{i}", kfold=5, lr=i) for i in range(4)])) == []
    assert fold_sets(group([run(0.8, name=f"r{i}", kfold=5) for i in range(4)])) == []


def test_parameters_and_tags_tell_folds():
    (by_param,) = fold_sets(group(folds([0.8, 0.8, 0.8], seed_=3)))
    assert (by_param.folds, by_param.n_folds) == ((1, 2, 3), 3)
    tagged = [run(0.8, name=f"r{i}", parent="p", tags={"cv_fold": str(i)}) for i in range(4)]
    assert fold_sets(group(tagged))[0].folds == (0, 1, 2, 3)


def test_children_that_differ_in_more_than_the_fold_are_a_search():
    search = [run(0.8, name=f"trial {i}", parent="p", lr=i) for i in range(5)]
    assert fold_sets(group(search)) == []


def test_children_that_a_person_named_are_folds():
    (found,) = fold_sets(group([run(0.8, name=n, parent="p") for n in "abc"], parent="p"))
    assert found.folds == (1, 2, 3)
    assert found.label == "these runs"


def test_configurations_parents_and_repetitions_are_kept_apart():
    two = [*folds([0.8, 0.8, 0.8], lr=0.1), *folds([0.9, 0.9, 0.9], lr=0.2)]
    assert [s.members for s in fold_sets(group(two))] == [(0, 1, 2), (3, 4, 5)]
    assert [s.label.split(" (")[1] for s in fold_sets(group([replace(m, run_name="x-fold-1") for m in two]))] == [
        "lr 0.1)",
        "lr 0.2)",
    ]
    parents = [replace(m, parent_run_id=p) for p in "pq" for m in folds([0.8, 0.8, 0.8])]
    assert len(fold_sets(group(parents))) == 2
    again = [replace(m, parent_run_id="p") for _ in range(2) for m in folds([0.8, 0.8, 0.8])]
    assert [s.members for s in fold_sets(group(again))] == [(0, 1, 2), (3, 4, 5)]


def test_set_sizes_that_differ_by_an_image_and_seeds_do_not_part_folds():
    members = [run(0.8, name=f"r-{i}", fold=i, n_train=800 + i, n_val=200 - i, random_seed=i) for i in range(3)]
    assert fold_numbers(group(members)) == {0: 0, 1: 1, 2: 2}
    assert fold_numbers(group([replace(m, parent_run_id="p") for m in members])) == {0: 0, 1: 1, 2: 2}
    assert fold_numbers(group([replace(m, parent_run_id=p) for m, p in zip(members, "pqr", strict=True)])) == {}


def test_children_of_one_run_may_be_tuned_fold_by_fold():
    tuned = [run(0.8, name=f"r{i}", parent="p", fold=i, lr=10.0**-i) for i in range(4)]
    assert [s.folds for s in fold_sets(group(tuned))] == [(0, 1, 2, 3)]
    assert fold_sets(group([replace(m, parent_run_id=None) for m in tuned])) == []


def test_sets_are_called_by_what_their_names_share():
    def label(*names):
        return fold_sets(group([run(0.8, name=n, fold=i) for i, n in enumerate(names)]))[0].label

    assert label("resnet50-1", "resnet50-2") == "resnet50"
    assert label("net-10", "net-11") == "net"
    assert label("bold-fish", "calm-owl") == "bold-fish"


def test_cross_validations_alike_in_all_end_with_the_id_of_their_parent():
    members = [
        run(0.8, name=f"net-fold-{i}", run_id=f"{parent}{i}", parent=parent)
        for parent in ("ab1111", "ab2222")
        for i in (1, 2)
    ]
    assert [s.label for s in fold_sets(group(members))] == ["net (…1111)", "net (…2222)"]
