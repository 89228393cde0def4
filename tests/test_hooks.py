"""The hook for training scripts, the files it leaves in the run, and the examples that stop a pipeline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from copilot import QualityGateError, after_training
from copilot.errors import InputError
from tests.conftest import REPOSITORY
from tests.runs_folder import EXPERIMENT, RUNS, curves_of, write_runs
from tests.small_models import SIDE, fitted, write_project, write_pt2

QUICK = {"suite": "none", "probes": ["class_gap"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def model(project):
    return write_pt2(fitted(project), project.train.parent / "model.pt2")


@pytest.fixture
def store(tmp_path, monkeypatch):
    folder = write_runs(tmp_path / "runs")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(folder))
    return folder


def left_in(store: Path, run_id: str) -> Path:
    return store / "1" / run_id / "artifacts" / "copilot"


def test_curves_alone_are_judged_and_written_back(store):
    run_id = RUNS["climbing"]
    result = after_training(run_id=run_id)
    assert result.diagnosis.verdict == "overfitting"
    assert (store / "1" / run_id / "tags" / "copilot.verdict").read_text() == "overfitting"
    assert json.loads((left_in(store, run_id) / "analysis.json").read_text())["diagnosis"]["verdict"] == "overfitting"
    assert not (left_in(store, run_id) / "report.html").exists()


def test_the_gate_raises_after_writing_and_names_the_finding(store):
    run_id = RUNS["climbing"]
    with pytest.raises(QualityGateError, match=r"OVF10\d") as error:
        after_training(run_id=run_id, fail_on="high")
    assert error.value.exit_code == 1
    assert error.value.result.diagnosis.verdict == "overfitting"
    assert (left_in(store, run_id) / "analysis.json").is_file()
    assert after_training(run_id=RUNS["steady"], fail_on="high", write_back=False).diagnosis.verdict == "healthy"
    assert not left_in(store, RUNS["steady"]).exists()


def test_a_run_without_a_model_is_a_line(store, project):
    with pytest.raises(InputError, match="has logged no model"):
        after_training(project.train, project.val, run_id=RUNS["steady"], **QUICK)


@pytest.mark.slow
def test_the_active_run_and_its_model_are_found(tmp_path, monkeypatch, project):
    import mlflow
    import mlflow.pytorch
    import numpy as np

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(str(tmp_path / "mlruns"))
    try:
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run() as run:
            for name, values in curves_of("climbing").items():
                for epoch, value in enumerate(values):
                    mlflow.log_metric(name, value, step=epoch)
            example = np.zeros((2, 3, SIDE, SIDE), np.float32)
            options = {"serialization_format": "pt2", "input_example": example, "pip_requirements": ["torch"]}
            mlflow.pytorch.log_model(fitted(project), name="model", **options)
            result = after_training(project.train, project.val, **QUICK)
        assert result.subject.run_id == run.info.run_id
        assert result.diagnosis.verdict == "overfitting"
        assert result.analysis.finding("OVF301").state in ("passed", "issue")
        files = {a.path for a in mlflow.MlflowClient().list_artifacts(run.info.run_id, "copilot")}
        assert files == {"copilot/analysis.json", "copilot/report.html"}
        assert mlflow.get_run(run.info.run_id).data.tags["copilot.verdict"] == "overfitting"
    finally:
        mlflow.set_tracking_uri(None)


def test_without_a_run_the_hook_says_so(monkeypatch, tmp_path):
    import mlflow

    monkeypatch.setattr(mlflow, "last_active_run", lambda: None)
    with pytest.raises(InputError, match="No MLflow run was started"):
        after_training()


@pytest.mark.slow
def test_the_dvc_stage_stops_the_pipeline_and_keeps_its_output(tmp_path, project, model):
    repository = tmp_path / "repository"
    repository.mkdir()
    shutil.copytree(project.train.parent, repository / "data", ignore=shutil.ignore_patterns("*.pt2"))
    shutil.copy(model, repository / "model.pt2")
    stage = yaml.safe_load((REPOSITORY / "examples" / "dvc" / "dvc.yaml").read_text())["stages"]["validate"]
    assert "--fail-on high" in stage["cmd"]
    command = stage["cmd"].replace("mlops-copilot", f"{sys.executable} -m copilot.cli.main")
    command = command.replace("--fail-on high", "--fail-on low --probes memorisation")
    (repository / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"validate": {**stage, "cmd": command}}}))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"}
    run = {"cwd": repository, "env": environment, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True, **run)
    stopped = subprocess.run([sys.executable, "-m", "dvc", "repro"], **run)
    assert stopped.returncode != 0
    assert "validate" in stopped.stderr
    document = json.loads((repository / "validation.json").read_text())
    assert next(f for f in document["findings"] if f["code"] == "OVF303")["state"] == "issue"
    (repository / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"validate": {**stage, "cmd": command.replace("--fail-on low", "--fail-on high")}}})
    )
    assert subprocess.run([sys.executable, "-m", "dvc", "repro"], **run).returncode == 0


def test_the_ci_example_fails_on_findings():
    workflow = yaml.safe_load((REPOSITORY / "examples" / "ci" / "github-actions.yml").read_text())
    commands = [
        step["run"] for step in workflow["jobs"]["validate"]["steps"] if "mlops-copilot " in step.get("run", "")
    ]
    assert len([c for c in commands if "--fail-on high" in c]) == 2
