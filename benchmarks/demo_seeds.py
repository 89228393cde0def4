"""Are the verdicts of the demo's runs right for other seeds?

    demo_seeds.py --seeds 10                     train, judge and print the table
    demo_seeds.py --seeds 10 --save curves.json  keep the curves too (with --no-judge: do not judge)
    demo_seeds.py --load curves.json             judge kept curves without training

The file holds {"made": date, "machine": text, "runs": [{"seed", "name", "condition", "expected": [verdict, ...],
"epochs": [1, 2, ...], "train_loss": [...], "val_loss": [...], "train_accuracy": [...], "val_accuracy": [...]}]};
a value that was not a number is null.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
from pathlib import Path

import numpy as np

JUDGED = ("healthy", "too little data", "over-long training", "too high learning rate", "too small a model")


def main() -> None:
    options = _options()
    made = json.loads(options.load.read_text()) if options.load else _train(options)
    if options.save:
        options.save.write_text(json.dumps(made, allow_nan=False))
    runs = made["runs"]
    verdicts = [None] * len(runs) if options.no_judge else [_judge(run) for run in runs]
    print(f"{datetime.date.today()}; curves of {made['made']} on {made['machine']}")
    _print_table(runs, verdicts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Judge the demo's runs for several seeds.")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--all", action="store_true", help="every run of the demo, not only the five judged conditions")
    parser.add_argument("--save", type=Path, help="keep the curves in this JSON file")
    parser.add_argument("--load", type=Path, help="judge the curves of this file instead of training")
    parser.add_argument("--no-judge", action="store_true", help="print the statistics of the curves only")
    return parser.parse_args()


def _train(options: argparse.Namespace) -> dict:
    from copilot.demo.conditions import FOLD_PLANS, PLANS
    from copilot.demo.training import METRICS, train_runs

    plans = [*PLANS, *FOLD_PLANS] if options.all else [plan for plan in PLANS if plan.condition in JUDGED]
    runs = []
    for seed in range(options.first, options.first + options.seeds):
        for run in train_runs(seed, plans):
            curves = {name: [_json_number(v) for v in run.curves[name]] for name in METRICS}
            head = {"seed": seed, "name": run.plan.name, "condition": run.plan.condition, "expected": run.plan.expected}
            runs.append(head | {"epochs": list(range(1, run.plan.epochs + 1))} | curves)
        print(f"seed {seed} trained", flush=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return {"made": str(datetime.date.today()), "machine": machine, "runs": runs}


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _judge(run: dict) -> str:
    from copilot import CopilotAnalyzer, RunHistory

    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    series = {name: [math.nan if v is None else v for v in run[name]] for name in names}
    history = RunHistory.from_arrays(epochs=run["epochs"], **series)
    return CopilotAnalyzer().analyze_history(history).diagnosis.verdict


def _print_table(runs: list[dict], verdicts: list[str | None]) -> None:
    heads = ("right", "loss rise", "gap", "train", "val")
    print(f"{'condition':26s} {heads[0]:>9s} {heads[1]:>17s} {heads[2]:>6s} {heads[3]:>6s} {heads[4]:>6s}  wrong")
    for condition in dict.fromkeys(run["condition"] for run in runs):
        rows = [(run, verdict) for run, verdict in zip(runs, verdicts, strict=True) if run["condition"] == condition]
        wrong = [(run, verdict) for run, verdict in rows if verdict and verdict not in run["expected"]]
        right = f"{len(rows) - len(wrong)} of {len(rows)}" if rows[0][1] else f"- of {len(rows)}"
        listed = ", ".join(f"{run['seed']} {run['name']} {verdict}" for run, verdict in wrong)
        print(f"{condition:26s} {right:>9s} {_statistics([run for run, _ in rows])}  {listed}")


def _statistics(runs: list[dict]) -> str:
    """Span of the rise of validation loss over its minimum; mean gap and accuracies at the last epoch."""
    rises = [_rise(run["val_loss"]) for run in runs]
    train, val = (np.mean([run[name][-1] for run in runs]) for name in ("train_accuracy", "val_accuracy"))
    span = f"{min(rises):+.0%} .. {max(rises):+.0%}"
    return f"{span:>17s} {train - val:6.2f} {train:6.2f} {val:6.2f}"


def _rise(val_loss: list[float | None]) -> float:
    """Last validation loss over the lowest one, minus one; infinite if it ended as no number."""
    known = [value for value in val_loss if value is not None]
    return math.inf if val_loss[-1] is None or not known else val_loss[-1] / min(known) - 1.0


if __name__ == "__main__":
    main()
