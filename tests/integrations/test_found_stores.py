"""Stores of public projects: what is paired with what in every run, as a person who read their tables judged it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from copilot.core.explanation import explain
from copilot.core.history import NoCurvesError, RunHistory
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings

DETECTOR = {(f"train/{part}_loss", f"val/{part}_loss") for part in ("box", "cls", "dfl")} | {
    (None, f"metrics/{score}B") for score in ("mAP50", "mAP50-95", "precision", "recall")
}
BIRDS = {(f"train/{name}", f"val/{name}") for name in ("loss", "acc", "f1")}
DIGITS = {("train_accuracy", "validation_accuracy"), ("train_loss", None), (None, "validation_f1")}
DRAWINGS = {("train_loss", None), (None, "validation_accuracy"), (None, "validation_f1")}
CLOSING = {("mae", None), ("r2", None), ("rmse", None)}
# By project, then experiment: runs with curves, what they pair, the kind of axis.
EXPECTED = {
    "Abas527": {("runs", 1): [(DETECTOR, "step")]},
    "Challapalli": {("Default", 1): [({("loss", "eval_loss")}, "epoch metric")]},
    "aidino": {
        ("Default", 10): [
            ({("train_loss", "val_loss")}, "step"),
            ({("train_loss", "val_loss"), (None, "avg_test_acc")}, "step"),
            (CLOSING, "step"),
        ],
        ("my-experiment-1", 1): [({("accuracy", None)}, "step")],
    },
    "cr21": {
        ("bird_classification", 10): [(BIRDS, "epoch metric")],
        ("dogbreed_classification", 1): [(BIRDS, "epoch metric")],
    },
    "muanderson": {
        ("MNIST Base Model Training", 5): [(DIGITS, "step")],
        ("MNIST Fine-Tuning on Custom Drawings", 5): [(DRAWINGS, "step")],
    },
}


@pytest.fixture(scope="module", params=EXPECTED)
def project(request, shared_data, tmp_path_factory):
    """Name of a project and its store folders, unpacked."""
    found = list((shared_data / "mlflow_stores").glob(f"{request.param}*.tar.gz"))
    if not found:
        pytest.skip(f"the store of {request.param} is not here")
    folder = tmp_path_factory.mktemp("store")
    with tarfile.open(found[0]) as archive:
        archive.extractall(folder, filter="data")
    return request.param, {meta.parent.parent for meta in folder.rglob("meta.yaml") if _is_experiment(meta)}


def _is_experiment(meta: Path) -> bool:
    return "lifecycle_stage" in (text := meta.read_text()) and "run_id:" not in text


def histories(stores):
    """Experiment and history of every run with curves; the others logged nothing at all."""
    for store in stores:
        source = MlflowSource(MlflowSettings(tracking_uri=str(store)))
        for experiment in source.experiments():
            runs = source.runs(experiment.experiment_id)
            for history in source.histories([run.run_id for run in runs]).values():
                if isinstance(history, RunHistory):
                    yield experiment.name, history
                else:
                    assert isinstance(history, NoCurvesError)
                    assert "no metrics were logged" in str(history)


def test_what_every_run_pairs(project):
    name, stores = project
    seen: dict[str, list[RunHistory]] = {}
    for experiment, history in histories(stores):
        seen.setdefault(experiment, []).append(history)
    expected = EXPECTED[name]
    assert {(experiment, len(found)) for experiment, found in seen.items()} == set(expected)
    for (experiment, _), allowed in expected.items():
        for history in seen[experiment]:
            sides = {(p.train_name, p.val_name) for p in history.pairs}
            assert (sides, explain(history).axis.kind) in allowed, history.name


def test_complete_pairs_of_these_runs_line_up(project):
    """Where both sides are curves, each validation value stands at an epoch near a training value."""
    name, stores = project
    for _, history in histories(stores):
        for pair in history.pairs:
            if pair.complete and pair.val_points > 1:
                ends = [
                    max(history.epochs[i] for i in range(history.n_epochs) if side[i] == side[i])
                    for side in (pair.train, pair.val)
                ]
                assert abs(ends[0] - ends[1]) <= 1, (name, history.name, pair.quantity)
