"""The map that gives up: order of arrival, errors carried, hanging work left behind."""

from __future__ import annotations

import threading

import pytest

from copilot.integrations.dvc.patience import StalledError, impatient_map


def test_results_and_errors_come_for_each_item():
    def work(item: int, tick) -> int:
        tick()
        if item == 3:
            raise ValueError("three")
        return item * item

    outcomes = impatient_map(work, range(40), workers=4, patience_s=5)
    found = {at: (result, str(error or "")) for at, result, error in outcomes}
    assert found == {n: (None, "three") if n == 3 else (n * n, "") for n in range(40)}
    assert list(impatient_map(work, [], workers=4, patience_s=5)) == []


def test_work_that_hangs_ends_in_an_error_after_the_rest():
    release, got = threading.Event(), []

    def work(item: int, tick) -> int:
        if item == 0:
            release.wait(20)
        return item

    try:
        with pytest.raises(StalledError, match="Nothing came"):  # noqa: PT012
            for at, *_ in impatient_map(work, range(10), workers=2, patience_s=0.3):
                got.append(at)
    finally:
        release.set()
    assert sorted(got) == list(range(1, 10))


def test_a_reader_that_leaves_stops_the_workers():
    started = []

    def work(item: int, tick) -> int:
        started.append(item)
        return item

    results = impatient_map(work, range(1000), workers=2, patience_s=5)
    next(results)
    results.close()
    for thread in [t for t in threading.enumerate() if t.name == "dvc-remote"]:
        thread.join(5)
    assert len(started) < 20  # bounded by what may wait for the reader
