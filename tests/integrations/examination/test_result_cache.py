"""Results are kept whole or not at all, and damage costs only the time to compute them again."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from copilot.integrations.examination import result_cache
from copilot.integrations.examination.result_cache import cached, content_of, key_of


def computing(value, calls):
    def compute(folder):
        calls.append(value)
        (folder / "page.html").write_text(str(value))
        return {"value": value}

    return compute


def test_a_result_is_computed_once_and_its_files_stay(home):
    calls = []
    first = cached("asked", "k", computing(1, calls))
    again = cached("asked", "k", computing(2, calls))
    assert (first[0], first[2]) == ({"value": 1}, True)
    assert again[0] == {"value": 1}
    assert again[2] is False
    assert (again[1] / "page.html").read_text() == "1"
    assert calls == [1]
    assert cached("asked", "k", computing(3, calls), refresh=True)[0] == {"value": 3}
    assert cached("asked", "k", computing(4, calls))[0] == {"value": 3}
    assert cached("other", "k", computing(5, calls))[0] == {"value": 5}


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_damaged_entry_is_computed_again(home, damage):
    _, place, _ = cached("asked", "k", computing(1, []))
    (place / "result.json").write_bytes(damage)
    assert cached("asked", "k", computing(2, [])) == ({"value": 2}, place, True)
    assert cached("asked", "k", computing(3, []))[0] == {"value": 2}


def test_what_fails_leaves_nothing(home):
    def fails(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        cached("asked", "k", fails)
    assert cached("asked", "k", lambda folder: None) == (None, None, True)
    assert list((home / "examinations" / "asked").iterdir()) == []
    assert cached("asked", "k", computing(1, []))[0] == {"value": 1}


def _in_another_process(number, results):
    result, _, _ = cached("asked", "k", computing(number, []))
    results.put(result["value"])


def test_processes_that_compute_the_same_at_once_end_with_one_entry(home):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_in_another_process, args=(n, results)) for n in range(6)]
    for worker in workers:
        worker.start()
    assert len({results.get(timeout=30) for _ in workers} - set(range(6))) == 0
    for worker in workers:
        worker.join(30)
    assert [entry.name for entry in (home / "examinations" / "asked").iterdir()] == ["k"]


def test_the_oldest_entries_are_forgotten(home, monkeypatch):
    monkeypatch.setattr(result_cache, "KEPT", 3)
    for number in range(5):
        _, place, _ = cached("asked", f"k{number}", computing(number, []))
        os.utime(place, (number, number))
    assert sorted(entry.name for entry in place.parent.iterdir()) == ["k2", "k3", "k4"]


def test_keys_follow_what_is_said_and_contents_what_lies_there(tmp_path):
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("x")
    before = content_of(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "two")
    assert content_of(tmp_path / "two") == before
    (tmp_path / "two" / "a").write_text("y")
    assert content_of(tmp_path / "two") != before
    assert content_of(tmp_path / "two" / "a") != before
