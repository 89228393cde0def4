"""One parallel map: order, progress, cancel, errors, on real threads and processes."""

import os
import threading
import time

import pytest

from copilot.errors import InputError, JobCancelled, ToolError
from copilot.utils.parallel import parallel_map


def double(value):
    return 2 * value


def where(_):
    time.sleep(0.05)
    return os.getpid()


def fail_on_odd(value):
    if value % 2:
        time.sleep(0.3 if value == 1 else 0)  # a later item fails first in time
        raise InputError(f"item {value} is odd.", "Use even numbers.")
    return value


def die(_):
    os._exit(9)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    def slow_start(value):
        time.sleep(0.02 if value < 2 else 0)
        return value

    assert parallel_map(slow_start, iter(range(20)), workers=workers) == list(range(20))


def test_no_items_is_no_work():
    assert parallel_map(double, [], progress=lambda *_: pytest.fail("nothing to report")) == []


def test_threads_run_at_the_same_time():
    together = threading.Barrier(3, timeout=10)
    parallel_map(lambda _: together.wait(), range(3), workers=3)  # would time out one after another


def test_progress_ends_at_one_and_names_the_unit():
    seen = []
    parallel_map(double, range(4), workers=2, progress=lambda *report: seen.append(report), unit="runs")
    assert [fraction for fraction, _ in seen] == [0.25, 0.5, 0.75, 1.0]
    assert seen[-1][1] == "4 of 4 runs"


def test_the_first_failing_item_in_order_is_the_error():
    with pytest.raises(InputError) as error:
        parallel_map(fail_on_odd, [0, 1, 3, 5], workers=4)
    assert error.value.message == "item 1 is odd."
    assert error.value.hint == "Use even numbers."


def test_progress_that_raises_cancels_the_rest():
    done = []

    def work(value):
        time.sleep(0.05)
        done.append(value)

    def cancel(_, __):
        raise JobCancelled("stopped")

    started = time.monotonic()
    with pytest.raises(JobCancelled):
        parallel_map(work, range(200), workers=2, progress=cancel)
    assert time.monotonic() - started < 3  # all 200 take 5 s
    time.sleep(0.3)
    assert len(done) < 20


def test_processes_share_errors_and_survive_a_dead_worker():
    pids = parallel_map(where, range(4), workers=2, backend="processes")
    assert os.getpid() not in pids
    with pytest.raises(InputError, match="item 1 is odd"):
        parallel_map(fail_on_odd, range(4), workers=2, backend="processes")
    with pytest.raises(ToolError, match="worker process died"):
        parallel_map(die, range(2), workers=2, backend="processes")
    assert parallel_map(double, range(3), workers=2, backend="processes") == [0, 2, 4]
