"""Histories per second on one core, from `RunHistory` objects to analysis documents, and for detection alone.

    PYTHONPATH=. .venv/bin/python benchmarks/detector_speed.py [--quick]

Each history has four series: training and validation, loss and accuracy. The first table varies how many are analysed
together at 200 epochs, the second the epochs at 500 histories. Making the histories is not timed. Half of them
overfit, so that the longer way through diagnosis and remedies is taken too. Each figure is the best of three.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date

# Before NumPy is imported, which reads them once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np

from benchmarks._shapes import counted, noise
from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.detector import detect
from copilot.core.history import RunHistory

TARGET, EPOCHS, TOGETHER = 2000, 200, 500  # histories a second, at these sizes
BATCHES, POINTS = (500, 1000, 2000, 5000, 10000), (50, 100, 200, 400, 800, 1600)


def histories(count: int, epochs: int, seed: int = 0) -> list[RunHistory]:
    """Histories of four series; every second one overfits from the middle on."""
    rng, share = np.random.default_rng(seed), np.arange(epochs) / epochs
    found = []
    for i in range(count):
        left = np.exp(-rng.uniform(3, 8) * share)
        rise = 1 + (i % 2) * rng.uniform(0.2, 1.0) * np.maximum(share - 0.5, 0)
        series = {
            "train_loss": (0.1 + 2 * left) * noise(epochs, rng, 0.01),
            "val_loss": (0.3 + 2 * left) * rise * noise(epochs, rng, 0.02),
            "train_accuracy": counted(0.95 - 0.8 * left, 10000, rng),
            "val_accuracy": counted(0.9 - 0.8 * left, 2000, rng),
        }
        found.append(RunHistory.from_arrays(**series))
    return found


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Shortest wall time of `rounds` calls, with the garbage of earlier ones collected before."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small batches, measured once")
    quick = parser.parse_args().quick
    rounds = 1 if quick else 3
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{date.today()}  {machine}, one thread, four series a history{', quick' if quick else ''}")

    _head("histories", f"of {EPOCHS} epochs")
    rates = [_measure(histories(size, EPOCHS), size, rounds) for size in (BATCHES[:2] if quick else BATCHES)]
    _head("epochs", f"{TOGETHER} together")
    points = POINTS[:4] if quick else POINTS
    costs = [1000 / _measure(histories(TOGETHER, n), n, rounds) for n in points]
    slope, base = np.polyfit(points, costs, 1)
    fit = np.corrcoef(points, costs)[0, 1] ** 2
    print(f"documents: {base:.2f} ms + {1000 * slope:.2f} us an epoch (linear fit, R2 = {fit:.3f})")
    print(f"slowest at {EPOCHS} epochs {min(rates):,.0f} histories a second (target: at least {TARGET:,})")
    return 0 if min(rates) >= TARGET else 1


def _head(what: str, how: str) -> None:
    print(f"\n{what:>10}{'documents/s':>14}{'ms each':>10}{'detection/s':>14}{'ms each':>10}   {how}")


def _measure(made: list[RunHistory], shown: int, rounds: int) -> float:
    """Print one line; return documents per second."""
    checks, subjects = load_checks(), [{"kind": "history"}] * len(made)
    both = [seconds(work, rounds) for work in (lambda: analyse(made, subjects, checks), lambda: detect(made, checks))]
    cells = [f"{len(made) / taken:14,.0f}{1000 * taken / len(made):10.3f}" for taken in both]
    print(f"{shown:10,}{''.join(cells)}", flush=True)
    return len(made) / both[0]


if __name__ == "__main__":
    sys.exit(main())
