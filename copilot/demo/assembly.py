"""Put the demo together: images, training, tracking store, answer key, settings. Importing this file is slow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import yaml

from copilot.demo.conditions import FOLD_PARENT, FOLD_PLANS, N_FOLDS, PLANS, RunPlan
from copilot.demo.data import data_states
from copilot.demo.paths import IMAGES, DemoPaths
from copilot.demo.repository import CommittedState, build_repository
from copilot.demo.tracking import LoggedRun, RunLogger, demo_store
from copilot.demo.training import TrainedRun, train_runs

Progress = Callable[[float, str], None]
DATA_SHARE, TRAINING_SHARE = 0.15, 0.83  # of the whole time
REGISTERED = ("cnn-01", "cnn-02", "cnn-05")  # versions 1, 2 and 3; the last one is the champion


@dataclass(frozen=True)
class DemoPlan:
    """What to train: the single runs and those of the cross-validation."""

    runs: tuple[RunPlan, ...] = PLANS
    folds: tuple[RunPlan, ...] = FOLD_PLANS

    def shortened(self, epochs: int) -> DemoPlan:
        """The same runs with at most `epochs` epochs each."""
        runs, folds = (
            tuple(replace(plan, epochs=min(epochs, plan.epochs)) for plan in plans) for plans in (self.runs, self.folds)
        )
        return DemoPlan(runs, folds)


def assemble(paths: DemoPaths, seed: int, progress: Progress, plan: DemoPlan = DemoPlan()) -> None:
    """Build every part of the demo in the (empty) folder of `paths`."""
    states = data_states(seed)
    committed = build_repository(paths, states, lambda done, line: progress(DATA_SHARE * done, line))
    with demo_store(paths):
        progress(DATA_SHARE, "MLflow store")
        logger = RunLogger(paths)
        trained = train_runs(
            seed,
            plan.runs + plan.folds,
            states=states,
            progress=lambda done, line: progress(DATA_SHARE + TRAINING_SHARE * done, line),
        )
        key = _log_runs(logger, trained, committed)
    paths.answer_key.write_text(json.dumps(key, indent=2), encoding="utf-8")
    paths.config_file.write_text(_settings(paths), encoding="utf-8")


def _log_runs(
    logger: RunLogger, trained: Sequence[TrainedRun], committed: dict[str, CommittedState]
) -> dict[str, dict]:
    key: dict[str, dict] = {}
    logged: dict[str, LoggedRun] = {}
    folds: list[TrainedRun] = []
    parent_id = None
    for run in trained:
        data = committed[run.plan.data]
        if run.plan.fold:
            folds.append(run)
            if parent_id is None:
                parent_id = logger.start_parent(FOLD_PARENT, data, N_FOLDS, run.started_ms)
                key[parent_id] = _answer(FOLD_PARENT, "k-fold", ("inconclusive", "healthy"))
        entry = logger.log(run, data, parent_id if run.plan.fold else None)
        logged[run.plan.name] = entry
        key[entry.run_id] = _answer(run.plan.name, run.plan.condition, run.plan.expected)
    if parent_id is not None:
        logger.finish_parent(parent_id, folds)
    logger.register([logged[name] for name in REGISTERED if name in logged])
    return key


def _answer(name: str, condition: str, expected: tuple[str, ...]) -> dict:
    return {"name": name, "condition": condition, "expected_verdict": list(expected)}


def _settings(paths: DemoPaths) -> str:
    settings = {
        "mlflow": {"tracking_uri": paths.tracking_uri, "experiment_name": paths.experiment},
        "dvc": {"repo": str(paths.data_repo), "data_path": IMAGES},
        "output": {"format": ["html", "pdf"], "directory": str(paths.folder / "reports")},
    }
    made = time.strftime("%Y-%m-%d")
    return f"# Settings of the demo, made {made}.\n" + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
