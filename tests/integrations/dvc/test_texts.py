"""Hostile and odd YAML, JSON and TOML."""

from __future__ import annotations

import math

import pytest

from copilot.integrations.dvc.texts import MAX_BYTES, parse_mapping

BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 20))


def test_plain_words_are_those_of_yaml_1_2():
    read = parse_mapping("params.yaml", b"lr: 1e-3\non: no\nflag: true\nnone: ~\nempty:\nday: 2020-01-01\nodd: 007\n")
    assert read == {"lr": 0.001, "on": "no", "flag": True, "none": None, "empty": None, "day": "2020-01-01", "odd": 7}
    assert math.isinf(parse_mapping("", b"a: -.inf")["a"])


def test_aliases_and_merges_work_where_they_are_modest():
    assert parse_mapping("", b"a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }


def test_json_and_toml():
    assert parse_mapping("m.json", b'{"a": [1, NaN]}')["a"][0] == 1
    assert parse_mapping("m.toml", b"[a]\nb = 1") == {"a": {"b": 1}}


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 3_000_000,
        b"- " * 2_000_000,
        b"{a: " * 1_000_000,
        BOMB.encode(),
        b"a: &a [*a]",
        b"x: " + b"1" * 100_000,
        b"a: !!python/object/apply:os.system ['true']",
        b"? [1, 2]\n: 3",
        b"a: [",
        b"- 1",
        b"\xff\xfe\xff",
        b"",
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_what_is_no_sound_mapping_is_none(content):
    assert parse_mapping("x.dvc", content) is None


@pytest.mark.parametrize("name", ["m.json", "m.toml"])
def test_deep_values_of_other_formats_are_none(name):
    assert parse_mapping(name, (b"a = " if name.endswith("toml") else b"") + b"[" * 100_000) is None


def test_large_files_are_none():
    assert parse_mapping("", b"a: 1\n" + b"#" * MAX_BYTES) is None
    assert parse_mapping("", b"a: 1\n" + b"#" * 100, max_bytes=50) is None
