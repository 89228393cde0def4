"""Copies of fetched objects: sound, bounded, private."""

from __future__ import annotations

import hashlib
import os

import pytest

from copilot.integrations.dvc.object_cache import ObjectCache


def digest_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_what_is_put_comes_back_and_a_damaged_copy_does_not(tmp_path):
    cache, data = ObjectCache(tmp_path / "objects"), b"content"
    digest = digest_of(data)
    assert cache.get(digest, 100) is None
    cache.put(digest, data)
    assert cache.get(digest, 100) == data
    assert cache.get(digest, 3) is None
    assert (tmp_path / "objects").stat().st_mode & 0o077 == 0
    copy = tmp_path / "objects" / digest[:2] / digest[2:]
    copy.write_bytes(b"damaged")
    assert cache.get(digest, 100) is None
    assert not copy.exists()


def test_content_that_is_not_its_hash_is_not_kept(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.put(digest_of(b"a"), b"b")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="etc"):
        cache.get("../../etc/passwd", 10)


def test_the_oldest_go_first(tmp_path):
    contents = [bytes([n]) * 100 for n in range(10)]
    cache = ObjectCache(tmp_path)
    for age, data in enumerate(contents):
        cache.put(digest_of(data), data)
        digest = digest_of(data)
        os.utime(tmp_path / digest[:2] / digest[2:], (1000 + age, 1000 + age))
    small = ObjectCache(tmp_path, max_bytes=500)
    small.put(digest_of(b"new"), b"new")
    kept = [data for data in contents if small.get(digest_of(data), 1000)]
    assert kept == contents[6:]
    assert small.get(digest_of(b"new"), 10) == b"new"


def test_a_place_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ObjectCache(tmp_path / "file" / "objects")
    cache.put(digest_of(b"a"), b"a")
    assert cache.get(digest_of(b"a"), 10) is None
