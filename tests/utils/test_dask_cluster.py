"""The Dask executor on real clusters: the same results as here, errors, progress, cancel, and clusters that fail."""

from __future__ import annotations

import builtins
import os
import socket
import subprocess
import sys
import time
import types

import pytest

pytest.importorskip("distributed")

from copilot.errors import InputError, JobCancelled, MissingExtraError, ToolError
from copilot.utils import dask_cluster
from copilot.utils.config import ExecutorSettings
from copilot.utils.parallel import parallel_map

OURS = ExecutorSettings(kind="dask", workers=2)


def square(value):
    return value * value


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


@pytest.fixture(scope="module", autouse=True)
def _closed_at_the_end():
    # Tests of pages leave a page's script as the main module, which each new process would run.
    main, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")
    yield
    sys.modules["__main__"] = main
    dask_cluster.close()
    assert not dask_cluster._clients


@pytest.fixture
def scheduler(free_port):
    """A scheduler in a process of its own, without workers; yields the process and its address."""
    port = free_port()
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--no-dashboard", "--no-jupyter"], **quiet)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield process, f"tcp://127.0.0.1:{port}"
    process.kill()
    process.wait(timeout=10)


def test_same_results_as_here_in_other_processes_and_in_order():
    seen = []
    items = range(40)
    found = parallel_map(square, items, executor=OURS, progress=lambda *report: seen.append(report), unit="runs")
    assert found == parallel_map(square, items, executor=ExecutorSettings(workers=2))
    assert seen[-1] == (1.0, "40 of 40 runs")
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    pids = set(parallel_map(where, range(12), executor=OURS))
    assert os.getpid() not in pids
    assert len(pids) == 2
    assert parallel_map(square, range(5), workers=1, executor=OURS) == [0, 1, 4, 9, 16]


def test_the_first_failing_item_in_order_is_the_error():
    with pytest.raises(InputError) as error:
        parallel_map(fail_on_odd, [0, 1, 3, 5], executor=OURS)
    assert (error.value.message, error.value.hint) == ("item 1 is odd.", "Use even numbers.")


def test_progress_that_raises_cancels_the_rest():
    def cancel(_, __):
        raise JobCancelled("stopped")

    started = time.monotonic()
    with pytest.raises(JobCancelled):
        parallel_map(where, range(400), executor=OURS, progress=cancel)
    assert time.monotonic() - started < 5  # all 400 take 10 s
    assert parallel_map(square, range(3), executor=OURS) == [0, 1, 4]


def test_a_dead_worker_is_told_and_replaced():
    with pytest.raises(ToolError, match="A Dask worker died"):
        parallel_map(die, [1], executor=OURS)
    assert parallel_map(square, range(3), executor=OURS) == [0, 1, 4]


def test_the_local_cluster_listens_on_loopback_only_and_by_tls():
    import psutil

    parallel_map(square, [1], executor=OURS)
    client = next(iter(dask_cluster._clients.values()))
    assert client.scheduler.address.startswith("tls://127.0.0.1:")
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_a_scheduler_that_is_not_there_is_told_within_seconds(free_port):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (free_port(), silent.getsockname()[1]):
            started = time.monotonic()
            with pytest.raises(ToolError, match=f"No Dask scheduler answers at tcp://127.0.0.1:{port}"):
                parallel_map(square, [1], executor=ExecutorSettings(kind="dask", address=f"tcp://127.0.0.1:{port}"))
            assert time.monotonic() - started < 15


def test_a_given_cluster_works_and_its_end_is_told(scheduler):
    process, address = scheduler
    command = [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = subprocess.Popen([*command, "--no-nanny", "--death-timeout", "10"], **quiet)
    try:
        given = ExecutorSettings(kind="dask", address=address)
        assert parallel_map(abs, range(-3, 3), executor=given) == [3, 2, 1, 0, 1, 2]

        def stop(_, __):
            process.kill()

        started = time.monotonic()
        with pytest.raises(ToolError, match=r"Dask cluster (went away|has no workers)"):
            parallel_map(time.sleep, [0.2] * 100, executor=given, progress=stop)
        assert time.monotonic() - started < 90
    finally:
        worker.kill()
        worker.wait(timeout=10)


def test_a_cluster_without_workers_is_told(scheduler, monkeypatch):
    monkeypatch.setattr(dask_cluster, "STALLED_S", 1.0)
    with pytest.raises(ToolError, match="has no workers"):
        parallel_map(abs, [1], executor=ExecutorSettings(kind="dask", address=scheduler[1]))


def test_a_cluster_that_lacks_our_code_is_told(scheduler):
    with pytest.raises(ToolError, match="cannot run this") as error:
        parallel_map(square, [1], executor=ExecutorSettings(kind="dask", address=scheduler[1]))
    assert "same versions" in error.value.hint


def test_a_script_without_a_main_guard_is_told_what_it_needs(tmp_path):
    script = tmp_path / "unguarded.py"
    lines = ["from copilot.utils.config import ExecutorSettings", "from copilot.utils.parallel import parallel_map"]
    lines += ["parallel_map(abs, [1], executor=ExecutorSettings(kind='dask', workers=1))"]
    script.write_text("\n".join(lines))
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1
    assert "did not start" in ended.stderr
    assert "if __name__ == '__main__':" in ended.stderr.splitlines()[-1]


def test_without_dask_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "distributed":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"mlops-copilot\[dask\]"):
        parallel_map(square, [1], executor=OURS)
