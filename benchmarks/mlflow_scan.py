"""Runs per second from an MLflow server and from its SQLite file: a naive client, ours, and the limit, side by side.

    PYTHONPATH=. .venv/bin/python benchmarks/mlflow_scan.py [--runs 2000 10000] [--skip-naive] [--keep FOLDER]

Makes a store (4 metrics x 100 steps a run), starts `mlflow server` on it with its default workers, and measures each
way in a process of its own with a home folder of its own: "cold" starts with an empty one, "warm" comes again when
nothing has changed. Server and client share the machine's cores, as they do on a laptop. The clock starts after
imports and after the experiment has been found. The file has just been written, so the system has it in memory.
Peak memory is that of the client with its child processes, sampled. The naive clients read a sample, for they are
slow; their rate is the sample's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from benchmarks._mlflow_store import MadeStore, build_store, open_store

METRICS, STEPS = 4, 100
SAMPLE, THREADS_SAMPLE = 100, 200
START_S = 180
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Way:
    """One row of the table: what is measured, and on which home folder."""

    label: str
    measure: str
    over_rest: bool
    home: str = "none"
    sample: int = 0


@dataclass(frozen=True)
class Target:
    """A ratio of two rates, or seconds of one way, and what it has to reach; seconds are judged at 10,000 runs."""

    label: str
    way: str
    least: float | None = None
    to: str | None = None
    most_s: float | None = None


@dataclass(frozen=True)
class Row:
    seconds: float
    runs: int
    points: int
    peak_mb: float
    verdicts: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.runs / self.seconds


WAYS = (
    Way("naive client, REST", "naive", True, sample=SAMPLE),
    Way("naive client in 8 threads, REST", "naive_threads", True, sample=THREADS_SAMPLE),
    Way("ours, REST, cold", "histories", True, "rest"),
    Way("ours, REST, warm", "histories", True, "rest"),
    Way("scan with verdicts, REST, cold", "scan", True, "rest-scan"),
    Way("scan with verdicts, REST, warm", "scan", True, "rest-scan"),
    Way("ours, file, cold", "histories", False, "file"),
    Way("ours, file, warm", "histories", False, "file"),
    Way("scan with verdicts, file, cold", "scan", False, "file-scan"),
    Way("scan with verdicts, file, warm", "scan", False, "file-scan"),
    Way("limit: sqlite3 + pandas", "limit", False),
)
TARGETS = (
    Target("REST cold / naive", "ours, REST, cold", 8, "naive client, REST"),
    Target("REST cold / naive in 8 threads", "ours, REST, cold", 3, "naive client in 8 threads, REST"),
    Target("file cold / limit", "ours, file, cold", 0.5, "limit: sqlite3 + pandas"),
    Target("warm rescan with verdicts, REST", "scan with verdicts, REST, warm", most_s=12),
    Target("warm rescan with verdicts, file", "scan with verdicts, file, warm", most_s=3),
)
JUDGED_AT = 10_000


@contextmanager
def mlflow_server(store: MadeStore, folder: Path) -> Iterator[str]:
    """The address of an `mlflow server` on the file, with the number of workers it takes by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.uri, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=_environment())
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, server, folder / "server.log")
        yield url
    finally:
        family = [*psutil.Process(server.pid).children(recursive=True), server] if server.poll() is None else []
        for process in family:
            process.terminate()
        psutil.wait_procs([p for p in family if isinstance(p, psutil.Process)], timeout=10)


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    """Wait until it answers, and until each of its workers has most likely been asked once."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            for _ in range(16):
                urlopen(f"{url}/api/2.0/mlflow/experiments/search?max_results=10", timeout=30).read()
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise SystemExit(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def measured(way: Way, uri: str, experiment: str, home: Path) -> Row:
    """Run one way in a fresh process, and sample the memory that it and its children hold."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks._mlflow_measures", way.measure, uri, experiment, str(way.sample)]
    environment = _environment(MLOPS_COPILOT_HOME=str(home))
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    peak, process = 0, psutil.Process(child.pid)
    while child.poll() is None:
        peak = max(peak, _memory(process))
        time.sleep(0.05)
    output = child.communicate()[0].strip()
    if child.returncode:
        raise SystemExit(f"{way.label} failed with exit code {child.returncode}.\n{output[-2000:]}")
    return Row(**json.loads(output.splitlines()[-1]), peak_mb=peak / 2**20)


def _memory(process: psutil.Process) -> int:
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    held = 0
    for member in family:
        try:
            held += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return held


def _environment(**own: str) -> dict[str, str]:
    """This environment without the person's MLflow and copilot settings, and without usage reports."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MLOPS_COPILOT_"))}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONPATH": path, **own}


def table(store: MadeStore, folder: Path, skip_naive: bool) -> dict[str, Row]:
    """Measure every way on one store, printing a line each."""
    print(f"\n{store.runs:,} runs x {METRICS} metrics x {STEPS} steps, {store.path.stat().st_size / 1e6:,.0f} MB file")
    print(f"{'':36}{'runs':>8}{'seconds':>10}{'runs/s':>10}{'peak MB':>10}")
    rows: dict[str, Row] = {}
    with mlflow_server(store, folder) as url:
        for way in WAYS:
            if skip_naive and way.sample:
                continue
            home = folder / f"home-{way.home}"
            rows[way.label] = row = measured(way, url if way.over_rest else store.uri, store.experiment, home)
            note = _wrong(way, row, store) or ", ".join(f"{n} {v}" for v, n in sorted(row.verdicts.items()))
            print(
                f"{way.label:36}{row.runs:8,}{row.seconds:10.2f}{row.rate:10,.0f}{row.peak_mb:10,.0f}  {note}",
                flush=True,
            )
    return rows


def _wrong(way: Way, row: Row, store: MadeStore) -> str:
    """What is missing from what was read; empty where all is there."""
    runs = min(way.sample, store.runs) if way.sample else store.runs
    points = 0 if way.measure == "scan" else runs * METRICS * STEPS
    same = (row.runs, row.points) == (runs, points)
    return "" if same else f"WRONG: {row.runs:,} runs and {row.points:,} points, not {runs:,} and {points:,}"


def judged(rows: dict[str, Row], runs: int) -> bool:
    """Print each target beside what was measured; whether all that could be judged were reached."""
    reached = True
    for target in TARGETS:
        row, other = rows[target.way], rows.get(target.to or "")
        if target.most_s is not None:
            value, wanted = f"{row.seconds:.2f} s", f"under {target.most_s:g} s at {JUDGED_AT:,} runs"
            passed = runs < JUDGED_AT or row.seconds < target.most_s
        elif other:
            value, wanted = f"{row.rate / other.rate:.2f} x", f"at least {target.least:g} x"
            passed = row.rate / other.rate >= (target.least or 0)
        else:
            continue
        reached &= passed
        print(f"{target.label:36}{value:>12}   {wanted}{'' if passed else '   MISSED'}")
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[2000], help="sizes of store, one table each")
    parser.add_argument("--skip-naive", action="store_true", help="leave out the naive clients")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the stores there, and use those that are")
    options = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("mlops-copilot", "mlflow", "pandas"))
    print(f"{date.today()}  {machine}, {packages}; server and client share the cores")
    reached = True
    for runs in options.runs:
        with TemporaryDirectory() as folder:
            path = (options.keep or Path(folder)) / f"runs-{runs}.db"
            path.parent.mkdir(parents=True, exist_ok=True)
            store = open_store(path) if path.exists() else build_store(path, runs, METRICS, STEPS)
            rows = table(store, Path(folder), options.skip_naive)
            reached &= judged(rows, runs)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
