"""Log the demo's runs to an MLflow store of their own, as a team's training script would."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mlflow
import mlflow.pytorch
import numpy as np
import torch
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException

from copilot.demo.data import CLASSES, IMAGE_SIZE, ImageSet
from copilot.demo.paths import CHAMPION, EXPERIMENT, IMAGES, MODEL_NAME, DemoPaths
from copilot.demo.quiet import quiet
from copilot.demo.repository import CommittedState, split_list
from copilot.demo.training import METRICS, TrainedRun
from copilot.errors import ToolError

MODEL_METADATA = {
    "image_size": IMAGE_SIZE,
    "channels": 1,
    "pixel_range": "0..1",
    "class_names": list(CLASSES),
    "output": "logits",
}
_EXAMPLE = np.zeros((2, 1, IMAGE_SIZE, IMAGE_SIZE), dtype=np.float32)  # a batch of 1 would fix the batch size
_MLFLOW_SETTINGS = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_RUN_ID",
)


@dataclass(frozen=True)
class LoggedRun:
    run_id: str
    model_uri: str


class RunLogger:
    """Writes runs into the demo's experiment.

    Models are exported programs (.pt2): they load without unpickling. They take float32 images of shape
    (n, 1, 32, 32) with values from 0 to 1 (PNG value / 255) and return logits of shape (n, 10); the same is written in
    each model's metadata.
    """

    def __init__(self, paths: DemoPaths) -> None:
        self._paths = paths
        paths.artifacts.mkdir(parents=True)
        self.client = MlflowClient(paths.tracking_uri, registry_uri=paths.tracking_uri)
        self._experiment = self.client.create_experiment(EXPERIMENT, artifact_location=paths.artifacts.as_uri())

    def log(self, run: TrainedRun, data: CommittedState, parent_id: str | None = None) -> LoggedRun:
        """Log a finished run: parameters, metrics of each epoch, data, tags and its model."""
        tags = _tags(run.plan.name, data) | ({"mlflow.parentRunId": parent_id} if parent_id else {})
        run_id = self._create(run.plan.name, tags, run.started_ms)
        model_uri = _log_model(run_id, run)  # before the metrics: it would write those of step 0 a second time
        self.client.log_batch(run_id, _metrics(run), _params(run, data))
        self._log_data(run_id, run, data)
        self.client.set_terminated(run_id, end_time=run.times_ms[-1])
        return LoggedRun(run_id, model_uri)

    def start_parent(self, name: str, data: CommittedState, n_folds: int, started_ms: int) -> str:
        """The run that holds the runs of a cross-validation."""
        run_id = self._create(name, _tags(name, data), started_ms)
        self.client.log_batch(run_id, params=[Param("n_folds", str(n_folds)), Param("data_version", data.name)])
        return run_id

    def finish_parent(self, run_id: str, folds: Sequence[TrainedRun]) -> None:
        """Log the mean and the standard deviation of the folds' last validation accuracies."""
        last = np.array([fold.curves["val_accuracy"][-1] for fold in folds])
        ended = folds[-1].times_ms[-1]
        summary = {"cv_accuracy_mean": last.mean(), "cv_accuracy_std": last.std(ddof=1)}
        self.client.log_batch(run_id, [Metric(key, float(value), ended, 0) for key, value in summary.items()])
        self.client.set_terminated(run_id, end_time=ended)

    def register(self, runs: Sequence[LoggedRun]) -> None:
        """Register the models of `runs` as versions 1, 2, ...; the last one gets the champion's alias."""
        self.client.create_registered_model(MODEL_NAME)
        for run in runs:
            model_id = run.model_uri.removeprefix("models:/")
            self.client.create_model_version(MODEL_NAME, run.model_uri, run_id=run.run_id, model_id=model_id)
        self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(len(runs)))

    def _create(self, name: str, tags: dict[str, str], started_ms: int) -> str:
        run = self.client.create_run(self._experiment, start_time=started_ms, tags=tags, run_name=name)
        return run.info.run_id

    def _log_data(self, run_id: str, run: TrainedRun, data: CommittedState) -> None:
        val_folder = "train" if run.plan.fold else "val"
        used = [("training", "train", run.train), ("validation", val_folder, run.val)]
        inputs = [
            DatasetInput(
                _dataset(images, f"digits-{folder}", str(self._paths.data_repo / IMAGES / folder)),
                [InputTag("mlflow.data.context", context), InputTag("dvc.md5", data.md5)],
            )
            for context, folder, images in used
        ]
        self.client.log_inputs(run_id, datasets=inputs)
        self.client.log_text(run_id, split_list(run.train, run.val, val_folder), "data_files.csv")


@contextlib.contextmanager
def demo_store(paths: DemoPaths) -> Iterator[None]:
    """Point MLflow at the demo's store, silently, and put its settings back afterwards."""
    before, environment = mlflow.get_tracking_uri(), {name: os.environ.pop(name, None) for name in _MLFLOW_SETTINGS}
    mlflow.set_tracking_uri(paths.tracking_uri)
    try:
        with quiet("mlflow", "alembic"):
            yield
    except MlflowException as error:
        raise ToolError(f"MLflow could not store the demo's runs: {error}", "Check the free disk space.") from error
    finally:
        mlflow.set_tracking_uri(before)
        os.environ.pop("MLFLOW_TRACKING_URI", None)  # set_tracking_uri wrote it
        os.environ.update({name: value for name, value in environment.items() if value is not None})


def _log_model(run_id: str, run: TrainedRun) -> str:
    with mlflow.start_run(run_id=run_id, nested=True):
        info = mlflow.pytorch.log_model(
            run.model.eval(),
            name="model",
            input_example=_EXAMPLE,
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            metadata=MODEL_METADATA,
        )
    return info.model_uri


def _metrics(run: TrainedRun) -> list[Metric]:
    return [
        Metric(name, run.curves[name][i], time_ms, i + 1) for i, time_ms in enumerate(run.times_ms) for name in METRICS
    ]


def _params(run: TrainedRun, data: CommittedState) -> list[Param]:
    values = {
        "architecture": "cnn-2conv",
        **run.plan.params(),
        "n_train": len(run.train),
        "n_val": len(run.val),
        "seed": run.seed,
        "augmentation": "none",
        "image_size": IMAGE_SIZE,
        "channels": 1,
        "pixel_range": "0..1",
        "n_classes": len(CLASSES),
        "data_version": data.name,
    }
    return [Param(key, str(value)) for key, value in values.items()]


def _tags(name: str, data: CommittedState) -> dict[str, str]:
    return {
        "mlflow.runName": name,
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": data.commit,
        "mlflow.user": "demo",
        "dvc.path": IMAGES,
        "dvc.md5": data.md5,
        "data.version": data.name,
    }


def _dataset(images: ImageSet, name: str, folder: str) -> Dataset:
    digest = hashlib.md5(usedforsecurity=False)
    for array in (images.numbers, images.images, images.labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    counts = np.bincount(images.labels, minlength=len(CLASSES)).tolist()
    profile = {"num_rows": len(images), "class_counts": dict(zip(CLASSES, counts, strict=True))}
    return Dataset(
        name=name,
        digest=digest.hexdigest()[:8],
        source_type="local",
        source=json.dumps({"uri": folder}),
        profile=json.dumps(profile),
    )
