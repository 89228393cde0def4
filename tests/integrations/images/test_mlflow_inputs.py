"""Dataset inputs of runs: contexts, and which sources are opened."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.mlflow_inputs import input_path
from copilot.integrations.images.opening import open_images
from copilot.utils.config import ImagesSettings, MlflowSettings


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A function that logs a run with datasets, (context, source) each, into a folder store that MLflow writes."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.tracking import MlflowClient

    uri = str(tmp_path_factory.mktemp("store"))
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient(uri)
    experiment = client.create_experiment("images")

    def logged(*datasets):
        run_id = client.create_run(experiment, run_name="cnn").info.run_id
        for number, (context, source) in enumerate(datasets):
            dataset = Dataset(f"set-{number}", f"{abs(hash(source))}"[:30], "local", source)
            client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])
        return run_id

    yield MlflowSettings(tracking_uri=uri, cache=False), logged
    patch.undo()


def put(folder):
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.new("L", (3, 3)).save(folder / name / "1.png")
    return folder


def test_a_context_leads_to_the_images(log, tmp_path):
    settings, logged = log
    both = put(tmp_path / "all" / "train").parent
    put(both / "valid")
    alone = put(tmp_path / "mit Leerzeichen")
    run = logged(
        ("training", json.dumps({"uri": both.as_uri()})),
        ("validation", json.dumps({"path": str(both)})),
        ("eval-2", json.dumps({"uri": alone.as_uri()})),
    )
    for context, place in (("training", "train"), ("val", "valid")):
        found = open_images(f"mlflow:{run}#{context}", images=ImagesSettings(), mlflow=settings)
        assert found.origin == str(both / place)
        assert found.class_counts() == {"cat": 1, "dog": 1}
    assert input_path(run, "eval-2", settings) == (str(alone), "eval-2")
    assert len(open_images(f"mlflow:{run}#eval-2", images=ImagesSettings(), mlflow=settings)) == 2
    with pytest.raises(NotFoundError, match="no dataset for test") as caught:
        input_path(run, "test", settings)
    assert "set-0 (training), set-1 (validation)" in caught.value.hint
    with pytest.raises(InputError, match="several datasets"):
        input_path(run, None, settings)


def test_another_split_is_never_taken_for_the_one_that_was_logged(log, tmp_path):
    settings, logged = log
    put(tmp_path / "only" / "train")
    table = tmp_path / "list.csv"
    table.write_text("path,label,split\nonly/train/cat/1.png,cat,train\n")
    pixels = np.zeros((2, 3, 3), np.uint8)
    np.savez(tmp_path / "split.npz", x_train=pixels, y_train=[0, 1])
    np.savez(tmp_path / "plain.npz", x=pixels, y=[0, 1])
    for place, line in ((tmp_path / "only", "no folder for"), (table, "no rows of"), (tmp_path / "split.npz", "split")):
        run = logged(("validation", json.dumps({"path": str(place)})))
        with pytest.raises(InputError, match=line):
            open_images(f"mlflow:{run}", images=ImagesSettings(), mlflow=settings)
    run = logged(("validation", json.dumps({"path": str(tmp_path / "plain.npz")})))
    assert len(open_images(f"mlflow:{run}", images=ImagesSettings(), mlflow=settings)) == 2


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (json.dumps({"url": "https://user:secret@example.org/d.zip"}), "lies at https://example.org, and only paths"),
        (json.dumps({"uri": "s3://bucket/images"}), "lies at s3://bucket"),
        (json.dumps({"uri": "file://other/images"}), "on another machine"),
        (json.dumps({"tags": {"mlflow.source.name": "train.py"}}), "made in code"),
        (json.dumps({"path": "hf:images"}), "lies at hf"),
    ],
)
def test_sources_elsewhere_are_refused(log, source, line):
    settings, logged = log
    with pytest.raises(InputError, match=line) as caught:
        input_path(logged(("training", source)), None, settings)
    assert "secret" not in str(caught.value)


def test_a_source_is_a_path_and_never_code(log, tmp_path):
    settings, logged = log
    run = logged(("training", json.dumps({"path": "os:getcwd"})))
    with pytest.raises(InputError, match=r"lies at os|not found"):
        open_images(f"mlflow:{run}", images=ImagesSettings(allow_functions=True), mlflow=settings)


def test_runs_without_datasets_or_that_are_not_there(log):
    settings, logged = log
    with pytest.raises(NotFoundError, match="logged no datasets"):
        input_path(logged(), "training", settings)
    with pytest.raises(NotFoundError):
        input_path("f" * 32, "training", settings)
