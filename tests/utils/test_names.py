"""Names that people can tell apart."""

import pytest

from copilot.utils.names import distinct, in_words, told_apart


def test_only_alike_names_get_the_end_of_their_id():
    names = {"aaaa1111": "net", "aaaa2222": "net", "aaaa3333": "other"}
    assert distinct(names) == {"aaaa1111": "net (…1111)", "aaaa2222": "net (…2222)", "aaaa3333": "other"}


def test_ends_grow_until_they_differ():
    assert told_apart(["n", "n"], ["ab0000", "cb0000"]) == ("n (ab0000)", "n (cb0000)")
    assert told_apart(["n", "n"], ["xa10000", "xa20000"]) == ("n (…20000)", "n (…10000)")[::-1]
    assert told_apart(["n", "n"], ["1", "2"]) == ("n (1)", "n (2)")
    assert told_apart([], []) == ()


def test_one_run_twice_stays_alike():
    assert told_apart(["n", "n"], ["abcdef", "abcdef"]) == ("n (…cdef)", "n (…cdef)")


def test_hostile_ids_stay_text():
    assert "\x1b" not in told_apart(["n", "n"], ["a\x1b[2J", "b\x1b[3J"])[0]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("dvc:v1:x#train", "dvc:v2:x#train", ("v1", "v2")),
        ("dvc:v1:", "dvc:v2:", ("v1", "v2")),
        ("dvc:v1:x#train", "dvc:v1:x#val", ("dvc:v1:x#train", "dvc:v1:x#val")),
        ("dvc:v1:x", "dvc:v2:y", ("dvc:v1:x", "dvc:v2:y")),
        ("/a/train", "/a/val", ("/a/train", "/a/val")),
        ("dvc", "b", ("dvc", "b")),
    ],
)
def test_revisions_of_one_folder_are_called_by_their_names(a, b, words):
    assert in_words(a, b) == words
