from __future__ import annotations

import json
import math
import sqlite3

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from copilot.demo.training import METRICS


@pytest.fixture(scope="module")
def client(paths):
    return MlflowClient(paths.tracking_uri, registry_uri=paths.tracking_uri)


@pytest.fixture(scope="module")
def runs(client, paths):
    experiment = client.get_experiment_by_name(paths.experiment)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_every_run_is_there_and_finished(runs):
    singles = {"cnn-01", "cnn-04", "cnn-05", "cnn-07"}
    assert set(runs) == singles | {"cnn-14", "cnn-14-fold-1", "cnn-14-fold-2"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert all(run.info.start_time < run.info.end_time for run in runs.values())


def test_metrics_have_one_row_per_epoch_from_one(client, runs):
    for metric in METRICS:
        assert [m.step for m in client.get_metric_history(runs["cnn-01"].info.run_id, metric)] == [1, 2]


def test_no_metric_row_is_doubled(database):
    rows = sqlite3.connect(database).execute("select run_uuid, key, step, count(*) from metrics group by 1, 2, 3")
    assert {count for *_, count in rows} == {1}


def test_params_say_what_a_script_would(runs):
    params = runs["cnn-04"].data.params
    assert params["n_train"] == "100"
    assert {"lr", "batch_size", "epochs", "width", "dropout", "weight_decay", "seed", "n_val"} <= set(params)
    assert runs["cnn-14-fold-2"].data.params["fold"] == "2"


def test_folds_hang_below_their_parent(runs):
    parent = runs["cnn-14"].info.run_id
    children = {name for name, run in runs.items() if run.data.tags.get("mlflow.parentRunId") == parent}
    assert children == {"cnn-14-fold-1", "cnn-14-fold-2"}
    last = [runs[name].data.metrics["val_accuracy"] for name in children]
    assert math.isclose(runs["cnn-14"].data.metrics["cv_accuracy_mean"], np.mean(last))


def test_runs_lead_to_their_data(client, paths, runs):
    import yaml
    from dvc.api import DVCFileSystem

    for name, version in (("cnn-01", "v1"), ("cnn-05", "v2"), ("cnn-07", "batch-3")):
        tags = runs[name].data.tags
        assert tags["data.version"] == version
        system = DVCFileSystem(str(paths.data_repo), rev=tags["mlflow.source.git.commit"])
        assert yaml.safe_load(system.read_text("images.dvc"))["outs"][0]["md5"] == tags["dvc.md5"]
        listed = client.download_artifacts(runs[name].info.run_id, "data_files.csv")
        with open(listed, encoding="utf-8") as file:
            used = {line.strip().partition(",")[2] for line in file.readlines()[1:]}
        assert used == {path.removeprefix("images/") for path in system.find("images")}


def test_datasets_are_logged_as_inputs(runs):
    inputs = runs["cnn-04"].inputs.dataset_inputs
    used = {next(t.value for t in i.tags if t.key == "mlflow.data.context"): i.dataset for i in inputs}
    assert set(used) == {"training", "validation"}
    assert json.loads(used["training"].profile)["num_rows"] == 100
    assert mlflow.data.get_source(used["training"]).load().endswith("train")


def test_registered_versions_and_alias(client):
    versions = {int(v.version): v for v in client.search_model_versions("name='digits-cnn'")}
    assert len(versions) == 2
    assert client.get_registered_model("digits-cnn").aliases["champion"] == 2


def test_a_model_loads_without_unpickling_and_takes_any_batch(client, paths, runs, monkeypatch):
    import torch

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", paths.tracking_uri)
    model_id = runs["cnn-05"].outputs.model_outputs[0].model_id
    logged = client.get_logged_model(model_id)
    model = mlflow.pytorch.load_model(logged.artifact_location)
    for n in (1, 3, 8):
        assert model(torch.rand(n, 1, 32, 32)).shape == (n, 10)


def test_the_models_metadata_say_which_images_it_takes(client, paths, runs):
    from copilot.integrations.images.folder import ImageFolder
    from copilot.integrations.models.loader import load_model
    from copilot.integrations.models.spec import ModelFiles

    logged = client.get_logged_model(runs["cnn-05"].outputs.model_outputs[0].model_id)
    model = load_model(ModelFiles(uri="cnn-05", path=local_file_uri_to_path(logged.artifact_location)))
    assert model.spec.size == (32, 32)
    assert model.spec.class_names == tuple("0123456789")
    assert model.spec.output == "logits"
    images = ImageFolder(paths.data_repo / "images" / "val")
    picked = images.sample(64)
    probabilities = model.predict(images.read(picked, size=model.spec.size, channels=model.spec.channels))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(64))


def test_no_store_was_made_in_the_working_folder(tiny_demo):
    assert [name for name in tiny_demo.left_behind if "mlflow" in name or "mlruns" in name] == []
