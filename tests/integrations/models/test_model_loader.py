"""Models from MLflow and from files: where they are found, what is refused, and the probabilities they give."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import psutil
import pytest
import requests
import torch
import yaml
from mlflow import MlflowClient

import copilot
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.models.external_weights import files_of
from copilot.integrations.models.files import fetch_model
from copilot.integrations.models.loader import load_model
from copilot.integrations.models.spec import InputSpec, ModelFiles, read_spec
from copilot.utils.config import MlflowSettings
from copilot.utils.sandbox import Isolation, isolation_available
from copilot.utils.supervise import run_supervised

METADATA = {"image_size": 8, "channels": 1, "pixel_range": "0..1", "class_names": ["a", "b", "c"], "output": "logits"}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))

    def forward(self, x):
        return 5 * self.layers(x)


@pytest.fixture(scope="module")
def net():
    return Net().eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def logged(net, tmp_path_factory):
    """A store with one run: a .pt2 model in the registry, and a pickled one."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    experiment = client.create_experiment("digits", artifact_location=(folder / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "optimizer", "adam")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        with mlflow.start_run(run_id=run):
            example = np.zeros((2, 1, 8, 8), np.float32)
            options = {"input_example": example, "pip_requirements": ["torch"], "metadata": METADATA}
            info = mlflow.pytorch.log_model(net, name="model", **options)
            mlflow.pytorch.log_model(net.layers, name="pickled", serialization_format="pickle", **options)
        client.create_registered_model("digits")
        client.create_model_version("digits", info.model_uri, run_id=run, model_id=info.model_id)
        client.set_registered_model_alias("digits", "best", "1")
    finally:
        mlflow.set_tracking_uri(before)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    return {"uri": uri, "run": run, "model_id": info.model_id, "db": folder / "mlflow.db", "client": client}


def expected(net, images):
    tensor = torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255
    return torch.softmax(net(tensor).double(), dim=1).detach().numpy()


def saved(folder, module, name="model.pt", shape=(2, 1, 8, 8)):
    """A TorchScript file."""
    path = folder / name
    torch.jit.trace(module, torch.zeros(shape)).save(str(path))
    return path


@pytest.mark.parametrize(
    "form", ["runs:/{run}/model", "{run}", "models:/digits/1", "models:/digits@best", "models:/{model_id}"]
)
def test_every_form_of_uri_loads_the_model(logged, net, images, form):
    model = load_model(form.format(**logged), tracking_uri=logged["uri"])
    assert np.allclose(model.predict(images), expected(net, images), atol=1e-6)
    assert (model.spec.channels, model.spec.size, model.spec.classes) == (1, (8, 8), 3)
    assert model.spec.class_names == ("a", "b", "c")


def test_fetch_finds_the_parameters_of_the_run_and_leaves_the_files(logged):
    files = fetch_model("models:/digits@best", tracking_uri=logged["uri"])
    assert files.params == {"optimizer": "adam"}
    assert sorted(os.listdir(files.path))[0] == "MLmodel"
    assert "registered_model_meta" not in os.listdir(files.path)


def test_models_among_the_artifacts_of_older_runs_are_found(logged, tmp_path):
    client = logged["client"]
    files = fetch_model("models:/digits/1", tracking_uri=logged["uri"])
    run = client.create_run(client.get_experiment_by_name("digits").experiment_id).info.run_id
    client.log_artifacts(run, files.path, "nested/model")
    found = fetch_model(f"runs:/{run}/nested/model", tracking_uri=logged["uri"])
    assert found.path.endswith(f"{run}/artifacts/nested/model")


def test_the_database_is_left_as_it_was_and_mlflow_is_not_needed(logged):
    before = logged["db"].read_bytes()
    code = (
        "import sys; from copilot.integrations.models.files import fetch_model\n"
        f"print(fetch_model('models:/digits@best', tracking_uri={logged['uri']!r}).path)\n"
        "assert 'mlflow' not in sys.modules"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(told.stdout.strip(), "MLmodel").is_file()
    assert logged["db"].read_bytes() == before
    assert sorted(path.name for path in logged["db"].parent.iterdir()) == ["artifacts", "mlflow.db"]


def test_a_folder_of_runs_is_read_and_left_as_it_was(logged, images, net, tmp_path):
    files = fetch_model("models:/digits/1", tracking_uri=logged["uri"])
    run = tmp_path / "mlruns" / "7" / ("a" * 32)
    for part in ("params", "metrics", "tags"):
        (run / part).mkdir(parents=True)
    (run / "params" / "lr").write_text("0.1")
    shutil.copytree(files.path, run / "artifacts" / "model")
    info = {
        "run_id": "a" * 32,
        "run_uuid": "a" * 32,
        "experiment_id": "7",
        "user_id": "me",
        "status": 3,
        "start_time": 1,
    }
    info |= {"end_time": 2, "lifecycle_stage": "active", "artifact_uri": (run / "artifacts").as_uri(), "run_name": "x"}
    (run / "meta.yaml").write_text(yaml.safe_dump(info))
    experiment = {"experiment_id": "7", "name": "e", "artifact_location": "x", "lifecycle_stage": "active"}
    (run.parent / "meta.yaml").write_text(yaml.safe_dump(experiment))
    store = tmp_path / "mlruns"
    found = fetch_model(f"runs:/{'a' * 32}/model", tracking_uri=str(store))
    assert found.params == {"lr": "0.1"}
    assert np.allclose(load_model(found).predict(images), expected(net, images), atol=1e-6)
    assert [path.name for path in store.iterdir()] == ["7"]


@pytest.mark.slow
def test_a_server_hands_its_files_over(logged, images, net, free_port, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/s.db", "--artifacts-destination", str(tmp_path / "files")]
    url = f"http://127.0.0.1:{port}"
    shutil.copy(logged["db"], tmp_path / "s.db")  # its tables are made already
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path, env=env)
    try:
        _wait_for(f"{url}/health", server, tmp_path / "server.log")
        local = fetch_model("models:/digits/1", tracking_uri=logged["uri"])
        client = MlflowClient(url, url)
        run = client.create_run(client.create_experiment("served")).info.run_id
        client.log_artifacts(run, local.path, "model")
        client.create_registered_model("served")
        client.create_model_version("served", f"{client.get_run(run).info.artifact_uri}/model", run_id=run)
        for number, uri in enumerate((f"runs:/{run}/model", "models:/served/1")):
            files = fetch_model(uri, tracking_uri=url, folder=tmp_path / str(number))
            assert Path(files.path).is_relative_to(tmp_path / str(number))
            assert np.allclose(load_model(files).predict(images), expected(net, images), atol=1e-6)
        with pytest.raises(NotFoundError):
            fetch_model("models:/served/2", tracking_uri=url, folder=tmp_path)
        with pytest.raises((NotFoundError, ToolError)):
            fetch_model(f"runs:/{run}/nothing", tracking_uri=url, folder=tmp_path)
        with pytest.raises(InputError, match="kept by a tracking server"):
            fetch_model("models:/served/1", tracking_uri=f"sqlite:///{tmp_path}/s.db")
    finally:
        for process in [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]:
            process.kill()
        server.wait()


def _wait_for(url, server, log):
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(requests.RequestException):
            return requests.get(url, timeout=1).raise_for_status()
        time.sleep(0.2)
    pytest.fail(f"nothing answers at {url}: {log.read_text()[-2000:]}")


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("runs:/00000000000000000000000000000000/model", NotFoundError),
        ("runs:/{run}/nothing", NotFoundError),
        ("runs:/{run}/../../etc", InputError),
        ("models:/digits/9", NotFoundError),
        ("models:/digits@none", NotFoundError),
        ("models:/nothing/1", NotFoundError),
        ("models:/digits", InputError),
        ("s3://bucket/model", NotFoundError),
        ("no/such/file", NotFoundError),
    ],
)
def test_what_is_not_there_is_one_line(logged, uri, kind):
    with pytest.raises(kind) as caught:
        fetch_model(uri.format(**logged), tracking_uri=logged["uri"])
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_stores_that_are_not_there_are_not_made(tmp_path, free_port):
    with pytest.raises(InputError, match="No MLflow tracking URI"):
        fetch_model("models:/digits/1")
    with pytest.raises(NotFoundError):
        fetch_model("models:/digits/1", tracking_uri=f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(NotFoundError):
        fetch_model("models:/digits/1", tracking_uri=str(tmp_path / "mlruns"))
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE cats (name TEXT)")
    with pytest.raises(ToolError, match="cannot be read: no such table"):
        fetch_model("models:/digits/1", tracking_uri=f"sqlite:///{tmp_path}/other.db")
    dead = f"http://user:hunter2@127.0.0.1:{free_port()}"
    with pytest.raises(ToolError) as caught:
        fetch_model("models:/digits/1", tracking_uri=dead, settings=MlflowSettings(timeout_s=2, max_retries=0))
    assert "hunter2" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_pickled_model_is_refused_with_the_setting_and_the_risk(logged):
    with pytest.raises(InputError) as caught:
        load_model(f"runs:/{logged['run']}/pickled", tracking_uri=logged["uri"])
    assert "would run any code" in caught.value.message
    assert "models.allow_pickle" in caught.value.hint
    with pytest.raises(InputError, match="isolated process"):
        load_model(f"runs:/{logged['run']}/pickled", tracking_uri=logged["uri"], allow_pickle=True)


@pytest.mark.skipif(isolation_available() is not None, reason=str(isolation_available()))
def test_a_pickled_model_loads_in_an_isolated_child(logged, net, images, tmp_path, monkeypatch):
    (tmp_path / "steps_for_models.py").write_text(
        "import numpy as np\n"
        "from copilot.integrations.models.loader import load_model\n"
        "from copilot.integrations.models.spec import ModelFiles\n"
        "def predict(payload, progress):\n"
        "    model = load_model(ModelFiles(**payload['files']), allow_pickle=True)\n"
        "    return {'rows': model.predict(np.array(payload['images'], np.uint8)).tolist()}\n"
    )
    (tmp_path / "sitecustomize.py").write_text(f"import copilot\ncopilot.__path__.append({str(tmp_path)!r})\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(copilot.__file__).parents[1]), str(tmp_path)]))
    files = fetch_model(f"runs:/{logged['run']}/pickled", tracking_uri=logged["uri"])
    payload = {"files": files.model_dump(), "images": images.tolist()}
    limits = {"timeout_s": 60, "memory_limit_gb": 4}
    with pytest.raises(InputError, match="isolated process"):
        run_supervised("copilot.steps_for_models:predict", payload, **limits)
    isolation = Isolation(read=files_of(files))
    result = run_supervised("copilot.steps_for_models:predict", payload, isolation=isolation, **limits)
    assert np.allclose(result["rows"], expected(net.layers, images), atol=1e-6)


def test_a_mismatch_says_what_was_expected_and_what_came(logged, images):
    model = load_model("models:/digits/1", tracking_uri=logged["uri"])
    with pytest.raises(
        InputError, match="takes images of 8 x 8 pixels and 1 channel, but images of 9 x 8 pixels and 3"
    ):
        model.predict(np.zeros((2, 9, 8, 3), np.uint8))
    with pytest.raises(InputError, match="float64"):
        model.predict(images / 255)
    assert model.predict(images[:0]).shape == (0, 3)


def test_torchscript_loads_and_normalises(net, images, tmp_path):
    path = saved(tmp_path, net)
    params = {
        "normalize.mean": "[0.5]",
        "pixel_std": "(0.25,)",
        "img_size": "8x8",
        "in_channels": "1",
        "num_classes": "3",
    }
    model = load_model(ModelFiles(uri="x", path=str(path), params=params))
    tensor = (torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    wanted = torch.softmax(net(tensor).double(), dim=1).detach().numpy()
    assert np.allclose(model.predict(images), wanted, atol=1e-5)
    assert model.spec.size == (8, 8)


def test_probabilities_log_probabilities_and_one_output(net, images, tmp_path):
    softmax = torch.nn.Sequential(net, torch.nn.Softmax(dim=1))
    log_softmax = torch.nn.Sequential(net, torch.nn.LogSoftmax(dim=1))
    one = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    torch.nn.init.constant_(one[1].bias, -3.0)
    with_sigmoid = torch.nn.Sequential(one, torch.nn.Sigmoid())
    for module in (softmax, log_softmax):
        model = load_model(saved(tmp_path, module))
        assert np.allclose(model.predict(images), expected(net, images), atol=1e-6)
    first, second = (load_model(saved(tmp_path, module)).predict(images * 7) for module in (one, with_sigmoid))
    assert first.shape == (5, 2)
    assert np.allclose(first.sum(axis=1), 1)
    assert np.allclose(first, second, atol=1e-6)


def test_a_program_exported_with_one_image_still_takes_many(net, images, tmp_path):
    path = tmp_path / "one.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 1, 8, 8),)), path)
    model = load_model(path)
    assert model.spec.size == (8, 8)  # from the program itself
    assert np.allclose(model.predict(images), expected(net, images), atol=1e-6)


def test_outputs_that_are_no_class_scores_are_refused(net, images, tmp_path):
    grid = load_model(saved(tmp_path, torch.nn.Conv2d(1, 2, 3)))
    with pytest.raises(InputError, match=r"\(5, 2, 6, 6\), but \(5, classes\) was expected"):
        grid.predict(images)
    wrong = load_model(ModelFiles(uri="x", path=str(saved(tmp_path, net)), params={"num_classes": "7"}))
    with pytest.raises(InputError, match=r"\(5, 3\), but \(5, 7\) was expected"):
        wrong.predict(images)
    broken = Net()
    torch.nn.init.constant_(broken.layers[1].bias, float("nan"))
    with pytest.raises(InputError, match="NaN"):
        load_model(saved(tmp_path, broken)).predict(images)


def test_model_folders_that_cannot_be_used(net, tmp_path):
    (tmp_path / "MLmodel").write_text(
        "flavors:\n  keras: {data: data}\n  python_function: {loader_module: mlflow.keras}\n"
    )
    with pytest.raises(InputError, match="logged as keras, python_function"):
        load_model(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors:\n  pytorch: {model_data: ../..}\n")
    with pytest.raises(InputError, match="outside its own folder"):
        load_model(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: [")
    with pytest.raises(InputError, match="not YAML"):
        load_model(tmp_path)
    (tmp_path / "MLmodel").unlink()
    with pytest.raises(NotFoundError, match="no PyTorch or ONNX model file"):
        load_model(tmp_path)
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match="weights without the network"):
        load_model(tmp_path)
    (tmp_path / "weights.pth").write_text("not a model")
    with pytest.raises(InputError, match="is damaged, or no file of PyTorch"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "field", "value"),
    [
        ({"image_size": [3, 20, 30]}, "size", (20, 30)),
        ({"image_size": "32"}, "size", (32, 32)),
        ({"imgsz": 640}, "size", (640, 640)),
        ({"image_size": "__import__('os')"}, "size", None),
        ({"image_size": float("nan")}, "size", None),
        ({"channels": "3"}, "channels", 3),
        ({"channels": -3}, "channels", None),
        ({"pixel_range": "0..255"}, "scale", 1.0),
        ({"pixel_range": "-1..1"}, "mean", (0.5,)),
        ({"rescale_factor": 0.00392156862745098}, "scale", 1 / 255),
        ({"image_mean": [0.485, 0.456, 0.406]}, "mean", (0.485, 0.456, 0.406)),
        ({"labels": {"1": "dog", "0": "cat", "10": "emu"}}, "class_names", ("cat", "dog", "emu")),
        ({"class_names": "[x, y]"}, "class_names", ("x", "y")),
        ({"layout": "channels_last"}, "layout", "NHWC"),
        ({"output": "softmax"}, "output", "probabilities"),
    ],
)
def test_what_people_write_about_their_model_is_read(tmp_path, metadata, field, value):
    files = ModelFiles(uri="x", path=str(tmp_path), params={key: str(item) for key, item in metadata.items()})
    from_params = getattr(read_spec(files), field)
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"metadata": metadata}, allow_unicode=True))
    from_metadata = getattr(read_spec(ModelFiles(uri="x", path=str(tmp_path))), field)
    assert from_metadata == value
    assert from_params in (value, None, ())  # text can say less than YAML


def test_class_names_are_cleaned(tmp_path):
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"metadata": {"class_names": ["x\x1b[31m", "y" * 500]}}))
    names = read_spec(ModelFiles(uri="x", path=str(tmp_path))).class_names
    assert names[0] == "x [31m"
    assert len(names[1]) == 80


def test_mean_and_std_must_fit_the_channels(tmp_path):
    params = {"channels": "1", "image_mean": "0.1,0.2,0.3"}
    with pytest.raises(InputError, match="do not fit 1 channels"):
        read_spec(ModelFiles(uri="x", path=str(tmp_path), params=params))


def test_parameters_of_a_run_that_may_mean_anything_are_not_taken_for_preprocessing(tmp_path):
    params = {"scale": "1.0", "mean": "0.0", "std": "0.02", "output": "softmax", "resize": "pad", "labels": "[a, b]"}
    files = ModelFiles(uri="x", path=str(tmp_path), params={**params, "background": "true", "channels": "64"})
    assert read_spec(files) == InputSpec()
    chosen = read_spec(files, preprocessing={"mean": [0.5], "std": [0.02]})
    assert (chosen.mean, chosen.std) == ((0.5,), (0.02,))
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"metadata": {"scale": 1.0, "std": 0.5}}))
    assert (read_spec(files).scale, read_spec(files).std) == (1.0, (0.5,))


@pytest.mark.parametrize(
    ("metadata", "params", "preprocessing", "told"),
    [
        ({}, {}, {}, "pixels from 0 to 1, as nothing says otherwise; no size of images is told"),
        (METADATA, {}, {}, "pixels from 0 to 1 in 1 channel, 8 x 8, from the model's metadata"),
        (
            {"image_size": 8},
            {"rescale": "1.0", "in_channels": "3"},
            {},
            "pixels from 0 to 255, from the run's parameter rescale; "
            "3 channels, 8 x 8, from the run's parameter in_channels and the model's metadata",
        ),
        (
            {},
            {"imgsz": "640"},
            {"range": "-1..1"},
            "pixels from -1 to 1, from models.preprocessing; 640 x 640, from the run's parameter imgsz",
        ),
        (
            {"mean": [0.485, 0.456, 0.406], "std": [0.2, 0.2, 0.2]},
            {},
            {"channels": 3},
            "pixels from 0 to 1 less the mean 0.485, 0.456, 0.406, divided by 0.2, from the model's metadata; "
            "3 channels, from models.preprocessing",
        ),
    ],
)
def test_what_is_used_is_told_with_where_it_came_from(tmp_path, metadata, params, preprocessing, told):
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"metadata": metadata}))
    files = ModelFiles(uri="x", path=str(tmp_path), params=params)
    assert read_spec(files, preprocessing=preprocessing).told() == told


def test_bytes_and_the_size_of_a_program_are_told(tmp_path):
    spec = read_spec(ModelFiles(uri="x", path=str(tmp_path)), [1, 3, 8, 9], dtype="uint8")
    assert spec.told() == "pixels from 0 to 255 in 3 channels, 8 x 9, from the model's input"
