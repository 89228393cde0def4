"""Fit the confidence of verdicts on histories whose answer is known, and write copilot/core/confidence.json.

    PYTHONPATH=. .venv/bin/python benchmarks/fit_confidence.py --trained FILE [--data FOLDER] [--made 12000]

Fitted on OverfitGuard's simulated histories, on made curves (`_curves.py`, other seeds than the benchmark's) and on
histories that `train_histories.py` trained; never on the real published ones. Each of the three kinds weighs the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks import _curves
from benchmarks._datasets import SIMULATED, Case, made, published, trained
from copilot.core.checks import load_checks
from copilot.core.confidence import FEATURES
from copilot.core.detector import detect
from copilot.core.diagnosis import judge_verdict

FIRST_SEED, RIDGE = 5000, 1.0
# A verdict further from its threshold is no less sure, one that quantities contradict no more.
BOUNDS = {"distance": (0, None), "conflict": (None, 0), "disagreement": (None, 0)}
TARGET = Path("copilot/core/confidence.json")
Rows = dict[str, list[tuple[list[float], bool, float]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/histories"), help="published histories")
    parser.add_argument("--trained", type=Path, required=True, help="what train_histories.py wrote")
    parser.add_argument("--made", type=int, default=12000, help="made curves")
    options = parser.parse_args()
    kinds = {
        "simulated": published(options.data, SIMULATED),
        "made": made(_curves.mixture(options.made, FIRST_SEED)),
        "trained": trained(options.trained),
    }
    rows: Rows = defaultdict(list)
    for kind, cases in kinds.items():
        _collect(rows, kind, cases)
    fitted = {verdict: _fit(found) for verdict, found in sorted(rows.items())}
    sizes = {kind: len(cases) for kind, cases in kinds.items()}
    TARGET.write_text(
        json.dumps({"fitted": str(date.today()), "histories": sizes, "verdicts": fitted}, indent=2) + "\n"
    )
    for verdict, found in rows.items():
        print(f"{verdict:14} {len(found):6d} verdicts, {np.mean([right for _, right, _ in found]):.3f} right")
    return 0


def _collect(rows: Rows, kind: str, cases: list[Case]) -> None:
    histories = [case.history for case in cases]
    for case, history, outcomes in zip(cases, histories, detect(histories, load_checks()), strict=True):
        judged = judge_verdict(history, {o.code: o for o in outcomes})
        if judged.verdict != "inconclusive":
            rows[judged.verdict].append((judged.features, _is_right(case, judged.verdict, kind), 1000 / len(cases)))


def _is_right(case: Case, verdict: str, kind: str) -> bool:
    """The simulated ones are labelled overfitting or not."""
    return (verdict == "overfitting") == case.overfits if kind == "simulated" else verdict in case.accepted


def _fit(found: list[tuple[list[float], bool, float]]) -> dict[str, float]:
    """Logistic regression with weights and a ridge on all but the intercept; two wrong verdicts are added, so that
    a verdict that was always right is not certain.
    """
    x, right, weight = (np.array(column, float) for column in zip(*found, strict=True))
    middle = np.average(x, axis=0, weights=weight)
    x = np.vstack([x, middle, middle])
    right, weight = np.append(right, [0.0, 0.0]), np.append(weight, [1.0, 1.0])

    def loss(beta: np.ndarray) -> float:
        logit = x @ beta
        return float(np.sum(weight * (np.logaddexp(0, logit) - right * logit)) + RIDGE * np.sum(beta[1:] ** 2))

    bounds = [BOUNDS.get(name, (None, None)) for name in FEATURES]
    beta = minimize(loss, np.zeros(x.shape[1]), method="L-BFGS-B", bounds=bounds).x
    return {name: round(float(b), 4) for name, b in zip(FEATURES, beta, strict=True)}


if __name__ == "__main__":
    sys.exit(main())
