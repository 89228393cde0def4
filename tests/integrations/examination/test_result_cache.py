"""Results are kept whole or not at all, and damage costs only the time to compute them again."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from copilot.integrations.examination import result_cache
from copilot.integrations.examination.result_cache import cached, content_of, key_of


@pytest.fixture
def spare(tmp_path):
    return tmp_path / "spare"


def computing(value, keep=True):
    def compute(folder):
        (folder / "page.html").write_text(str(value))
        return {"value": value}, keep

    return compute


def test_a_result_is_computed_once_and_its_files_stay(home, spare):
    first = cached("asked", "k", computing(1), spare=spare)
    again = cached("asked", "k", computing(2), spare=spare)
    assert (first.result, first.computed) == ({"value": 1}, True)
    assert (again.result, again.computed) == ({"value": 1}, False)
    assert (again.folder / "page.html").read_text() == "1"
    assert cached("asked", "k", computing(3), spare=spare, refresh=True).result == {"value": 3}
    assert cached("asked", "k", computing(4), spare=spare).result == {"value": 3}
    assert cached("other", "k", computing(5), spare=spare).result == {"value": 5}
    assert not spare.exists()


def test_what_is_not_worth_keeping_is_given_with_its_files_and_forgotten(home, spare):
    step = cached("asked", "k", computing(1, keep=False), spare=spare)
    assert (step.result, step.folder, step.computed) == ({"value": 1}, spare, True)
    assert (spare / "page.html").read_text() == "1"
    assert list((home / "examinations" / "asked").iterdir()) == []
    assert cached("asked", "k", computing(2), spare=spare).result == {"value": 2}


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_damaged_entry_is_computed_again(home, spare, damage):
    place = cached("asked", "k", computing(1), spare=spare).folder
    (place / "result.json").write_bytes(damage)
    step = cached("asked", "k", computing(2), spare=spare)
    assert (step.result, step.folder, step.computed) == ({"value": 2}, place, True)
    assert cached("asked", "k", computing(3), spare=spare).result == {"value": 2}


def test_what_fails_leaves_nothing(home, spare):
    def fails(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        cached("asked", "k", fails, spare=spare)
    assert list((home / "examinations" / "asked").iterdir()) == []
    assert cached("asked", "k", computing(1), spare=spare).result == {"value": 1}


def _in_another_process(number, results, spare):
    results.put(cached("asked", "k", computing(number), spare=spare).result["value"])


def test_processes_that_compute_the_same_at_once_end_with_one_entry(home, spare):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_in_another_process, args=(n, results, spare)) for n in range(6)]
    for worker in workers:
        worker.start()
    assert {results.get(timeout=30) for _ in workers} <= set(range(6))
    for worker in workers:
        worker.join(30)
    assert [entry.name for entry in (home / "examinations" / "asked").iterdir()] == ["k"]


@pytest.mark.parametrize(("limit", "value"), [("KEPT", 3), ("KEPT_BYTES", 45)])
def test_the_oldest_entries_are_forgotten(home, spare, monkeypatch, limit, value):
    monkeypatch.setattr(result_cache, limit, value)
    for number in range(5):
        place = cached("asked", f"k{number}", computing(number), spare=spare).folder
        os.utime(place, (number, number))
    kept = sorted(entry.name for entry in place.parent.iterdir())
    assert kept == ["k2", "k3", "k4"]


def test_keys_follow_what_is_said_and_contents_what_lies_there(tmp_path):
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("x")
    before = content_of([tmp_path / "one"])
    (tmp_path / "one").rename(tmp_path / "two")
    assert content_of([tmp_path / "two"]) == before
    (tmp_path / "two" / "a").write_text("y")
    assert content_of([tmp_path / "two"]) != before
    assert content_of([tmp_path / "two" / "a"]) != before
    assert content_of([]) != before
