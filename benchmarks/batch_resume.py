"""A batch over twenty models, killed and started again: is anything computed twice, is the table the same?

Run: PYTHONPATH=. python benchmarks/batch_resume.py
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from copilot import CopilotAnalyzer, Settings
from copilot.batching import BatchResult
from tests.small_models import fitted, write_project, write_pt2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--models", type=int, default=20)
    count = arguments.parse_args().models
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(Path(folder), count)
        home = Path(folder, "home")
        seconds, done = _killed(plan, home, count // 2)
        print(f"killed with SIGKILL after {seconds:.0f} s: {len(done)} of {count} models were done")
        begin = time.monotonic()
        resumed = _run(plan, home)
        again = [name for name, when in done.items() if _entries(home).get(name) != when]
        known = sum(row.known for row in resumed.rows)
        print(f"started again: {time.monotonic() - begin:.0f} s, {known} known already, {len(again)} computed twice")
        begin = time.monotonic()
        whole = _run(plan, Path(folder, "another"))
        same = [r.model_dump(exclude={"known"}) for r in whole.rows] == [
            r.model_dump(exclude={"known"}) for r in resumed.rows
        ]
        print(
            f"without a kill: {time.monotonic() - begin:.0f} s; the tables are {'the same' if same else 'NOT the same'}"
        )


def _plan(folder: Path, count: int) -> Path:
    project = write_project(folder / "project")
    models = [write_pt2(fitted(project, ridge=10.0 * (n + 1)), folder / f"{n}.pt2") for n in range(count)]
    lines = [f"train: {project.train}", f"test: {project.val}", "suite: none", "models:"]
    file = folder / "plan.yaml"
    file.write_text("\n".join([*lines, *(f"  - {{model: {path}, name: net {n}}}" for n, path in enumerate(models))]))
    return file


def _killed(plan: Path, home: Path, after: int) -> tuple[float, dict[str, int]]:
    begin = time.monotonic()
    environment = {**os.environ, "MLOPS_COPILOT_HOME": str(home)}
    command = [sys.executable, "-m", "copilot.cli.main", "batch", str(plan), "--quiet"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as batch:
        while len(_entries(home)) < after and batch.poll() is None:
            time.sleep(0.05)
        batch.send_signal(signal.SIGKILL)
    return time.monotonic() - begin, _entries(home)


def _run(plan: Path, home: Path) -> BatchResult:
    os.environ["MLOPS_COPILOT_HOME"] = str(home)
    return CopilotAnalyzer(Settings()).batch(plan)


def _entries(home: Path) -> dict[str, int]:
    """Results that are kept, with the time at which they were written."""
    files = (home / "examinations" / "asked").glob("[!.]*/result.json")
    return {file.parent.name: file.stat().st_mtime_ns for file in files}


if __name__ == "__main__":
    main()
