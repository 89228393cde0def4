"""When to stop: the monitor's rule beside early stopping, on the 40 real training histories of OverfitGuard.

The protocol is that of H. Li et al., "Keeping Deep Learning Models in Check: A History-Based Approach to Mitigate
Overfitting", IEEE Access 2024 ("Prevention"): each history is replayed epoch by epoch, and the rule says stop at an
epoch s, or never, when s is the last epoch.

- rate: share of histories whose best epoch (lowest validation loss of the whole run, the first of equals) is <= s
- delay: s minus the best epoch, in epochs; the median is over the histories whose best epoch was reached. The second
  median is over those among them that the rule stopped before their end
- false stops: histories stopped before their best epoch

Intervals are 95 % percentile bootstraps over histories. The rule's thresholds were chosen on other data: see
`--development`, which prints the same table for them.

Run: .venv/bin/python benchmarks/prevention.py [--data FOLDER] [--development]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from made_runs import made_runs
from scipy.stats import binomtest

from copilot import OverfitMonitor
from copilot.core.stopping import replay

REPOSITORY = Path(__file__).resolve().parent.parent
REAL = "overfitguard_real.jsonl"
BROKEN = ("tinyimagenet_AT", "tinyimagenet_KDSWA")  # their test columns are broken at the source
TARGET_RATE, TARGET_DELAY = 0.975, 30.0
RESAMPLES = 2000


@dataclass(frozen=True)
class Run:
    """One history: losses, and accuracies where they were logged."""

    name: str
    train: np.ndarray
    val: np.ndarray
    scores: dict[str, np.ndarray]

    @property
    def best(self) -> int:
        return int(np.nanargmin(self.val))

    @property
    def last(self) -> int:
        return len(self.val) - 1


def read(path: Path) -> list[Run]:
    """Histories of a JSON-lines file, those left out that have no validation loss."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in text.splitlines()]
    return [_run(row) for row in rows if any(v is not None for v in row["val_loss"] or [])]


def _run(row: dict) -> Run:
    series = {k: np.array(row[k], float) for k in ("train_loss", "val_loss", "train_acc", "val_acc") if row[k]}
    val = series.pop("val_loss")
    return Run(row["id"], series.pop("train_loss", np.full(len(val), np.nan)), val, series)


def sane(run: Run) -> bool:
    """For the development sets: a run that trained at all (DeepOBS tried learning rates that diverge at once)."""
    return bool(np.isfinite(run.val).all() and run.best > 3 and run.val.max() < 50 * max(1e-6, abs(run.val[0])))


def monitor_stops(runs: list[Run], *, with_scores: bool) -> np.ndarray:
    """Where `OverfitMonitor`, fed one epoch at a time, says stop."""
    return np.array([_monitored(run, with_scores) for run in runs])


def _monitored(run: Run, with_scores: bool) -> int:
    monitor = OverfitMonitor()
    scores = run.scores if with_scores else {}
    for epoch in range(len(run.val)):
        at = {name: values[epoch] for name, values in scores.items()}
        if monitor.update(epoch, train_loss=run.train[epoch], val_loss=run.val[epoch], **at).stop:
            return epoch
    return run.last


def rule_stops(runs: list[Run]) -> np.ndarray:
    """The rule alone on the losses, all runs at once; the same stops as the monitor's without scores."""
    longest = max(len(r.val) for r in runs)
    padded = [np.full((len(runs), longest), np.nan) for _ in range(2)]
    for i, run in enumerate(runs):
        padded[0][i, : len(run.val)], padded[1][i, : len(run.val)] = run.val, run.train
    stops = replay(*padded)
    return np.where(stops < 0, [r.last for r in runs], stops)


def patience_stops(runs: list[Run], patience: int) -> np.ndarray:
    """Early stopping: so many epochs in a row without a new best."""
    return np.array([_patient(run.val, patience) for run in runs])


def _patient(val: np.ndarray, patience: int) -> int:
    best, waited = np.inf, 0
    for epoch, value in enumerate(val):
        best, waited = (value, 0) if value < best else (best, waited + 1)
        if waited >= patience:
            return epoch
    return len(val) - 1


def interval(statistic: Callable[[np.ndarray], float], n: int) -> tuple[float, float]:
    """95 % percentile bootstrap of a statistic of row indices."""
    rng = np.random.default_rng(0)
    low, high = np.nanpercentile([statistic(rng.integers(0, n, n)) for _ in range(RESAMPLES)], [2.5, 97.5])
    return float(low), float(high)


def line(name: str, runs: list[Run], stops: np.ndarray) -> tuple[str, float, float]:
    """A row of the table, its rate and its median delay."""
    best, last = (np.array([getattr(r, key) for r in runs]) for key in ("best", "last"))
    hit, stopped, delay = best <= stops, stops < last, (stops - best).astype(float)

    def median(rows: np.ndarray) -> float:
        kept = delay[rows][hit[rows]]
        return float(np.median(kept)) if len(kept) else float("nan")

    rate, middle = float(hit.mean()), median(np.arange(len(runs)))
    r, d = interval(lambda rows: float(hit[rows].mean()), len(runs)), interval(median, len(runs))
    of_stopped = float(np.median(delay[hit & stopped])) if (hit & stopped).any() else float("nan")
    text = (
        f"{name:34}{rate:6.3f} [{r[0]:.3f}, {r[1]:.3f}]{middle:8.1f} [{d[0]:5.1f}, {d[1]:5.1f}]{of_stopped:10.1f}"
        f"{int(stopped.sum()):9d}{int((stopped & ~hit).sum()):8d}"
    )
    return text, rate, middle


def table(title: str, runs: list[Run], rows: dict[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Print the rows; returns rate and median delay by name."""
    print(f"\n{title}: {len(runs)} histories")
    print(f"{'':34}{'rate':>6} {'95 %':>14}{'delay':>9} {'95 %':>14}{'stopped':>10}{'':9}{'false':>8}")
    print(f"{'':34}{'':6} {'':14}{'median':>9} {'':14}{'median':>10}{'stopped':>9}{'stops':>8}")
    found = {}
    for name, stops in rows.items():
        text, *found[name] = line(name, runs, stops)
        print(text)
    return found


def development(folder: Path) -> None:
    """The data that the thresholds were chosen on; the made runs are other draws of the same recipe."""
    sets = {"OverfitGuard, simulated": [r for r in read(folder / "overfitguard_simulated.jsonl.gz") if sane(r)]}
    sets["DeepOBS, first half"] = [r for r in read(folder / "deepobs_half.jsonl.gz") if sane(r)]
    for seed in (1, 2):
        made = made_runs(600, seed)
        sets[f"made, with learning-rate drops ({seed})"] = [Run(str(i), t, v, {}) for i, (t, v) in enumerate(made)]
    for title, runs in sets.items():
        patient = {f"early stopping, patience {p}": patience_stops(runs, p) for p in (20, 60, 100)}
        table(title, runs, {"stop rule, loss": rule_stops(runs), **patient})


def main() -> int:
    """Measure; 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "histories")
    parser.add_argument("--development", action="store_true", help="the data that the thresholds were chosen on")
    args = parser.parse_args()
    if not (args.data / REAL).is_file():
        print(f"{REAL} is not in {args.data}: pass the folder of the published histories with --data.", file=sys.stderr)
        return 2
    print(f"{date.today()}  {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if args.development:
        development(args.data)
        return 0
    runs = read(args.data / REAL)
    rows = {
        "MLOps Copilot, loss": monitor_stops(runs, with_scores=False),
        "MLOps Copilot, loss and accuracy": monitor_stops(runs, with_scores=True),
    }
    rows |= {f"early stopping, patience {p}": patience_stops(runs, p) for p in range(20, 101, 20)}
    found = table("OverfitGuard, real", runs, rows)
    print(f"{'OverfitGuard (as published)':34}{0.975:6.3f} {'':14}{42.5:9.1f}")
    intact = [i for i, run in enumerate(runs) if not run.name.endswith(BROKEN)]
    without = {name: stops[intact] for name, stops in rows.items() if name.startswith("MLOps")}
    table("Without the two whose test columns are broken", [runs[i] for i in intact], without)
    rate, delay = found["MLOps Copilot, loss"]
    low, high = binomtest(round(rate * len(runs)), len(runs)).proportion_ci(0.95, "exact")
    print(f"\nexact binomial 95 % interval of our rate, where the bootstrap sees no misses: [{low:.3f}, {high:.3f}]")
    print(f"target: rate {TARGET_RATE} at a median delay of at most {TARGET_DELAY:g} epochs: ", end="")
    met = rate >= TARGET_RATE and delay <= TARGET_DELAY
    print("met" if met else "missed")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
