"""How long `mlops-copilot --help` takes, beside `mlflow --help`: the two alternate, so that both see the same machine.

Both read compiled bytecode from a folder that the first pair, not counted, fills. Where `PYTHONDONTWRITEBYTECODE` is
set, MLflow would compile its sources at each start, and the ratio would flatter us: 0.015 instead of 0.024 here.

Run: .venv/bin/python benchmarks/startup.py [--runs 15]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

TARGET = 0.15
COMMANDS = ("mlops-copilot", "mlflow")


def seconds(command: str, bytecode: str) -> float:
    """Wall time of one `command --help`, from start to exit, with bytecode kept in the folder `bytecode`."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = bytecode
    path = Path(sys.executable).parent / command
    started = time.perf_counter()
    subprocess.run([path, "--help"], check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print a table, and fail when the ratio of the medians is above the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="pairs that are measured, after one that is not")
    runs = parser.parse_args().runs
    with TemporaryDirectory() as bytecode:
        rounds = [[seconds(command, bytecode) for command in COMMANDS] for _ in range(runs + 1)][1:]
    times = dict(zip(COMMANDS, zip(*rounds, strict=True), strict=True))
    ratio = median(times["mlops-copilot"]) / median(times["mlflow"])

    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{date.today()}  {machine}, {runs} pairs")
    print(f"{'command':24}{'median s':>10}{'min s':>10}{'max s':>10}")
    for command, taken in times.items():
        print(f"{command + ' --help':24}{median(taken):10.3f}{min(taken):10.3f}{max(taken):10.3f}")
    print(f"ratio of the medians {ratio:.3f} (target: at most {TARGET})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
