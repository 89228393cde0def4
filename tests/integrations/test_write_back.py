"""Writing analyses into runs: what is refused, what a failure leaves behind. Real servers: tests/mlflow_versions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from copilot.analyzer import CopilotAnalyzer
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.artifact_repositories import put_artifact, served_path, upload
from copilot.integrations.mlflow.local_artifacts import list_folder, local_folder, write_artifact
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings
from tests.conftest import Reply
from tests.integrations.mlflow_stores import fingerprint
from tests.runs_folder import EXPERIMENT, RUNS, write_runs

RUN = RUNS["climbing"]
SERVER = "http://mlflow.lab:5000"


@pytest.fixture
def store(tmp_path) -> Path:
    return write_runs(tmp_path / "runs")


@pytest.fixture
def analyzer(store):
    analyzer = CopilotAnalyzer(overrides={"mlflow": {"tracking_uri": str(store)}})
    yield analyzer
    analyzer.close()


def run_folder(store: Path) -> Path:
    return store / "1" / RUN


def set_artifact_uri(store: Path, uri: str) -> None:
    """Have a run keep its artifacts elsewhere."""
    (run_folder(store) / "artifacts").rmdir()
    meta = run_folder(store) / "meta.yaml"
    lines = [line for line in meta.read_text().splitlines() if not line.startswith("artifact_uri")]
    meta.write_text("\n".join([*lines, f"artifact_uri: {uri}"]) + "\n")


def tags(store: Path) -> dict[str, str]:
    return {f.name: f.read_text() for f in (run_folder(store) / "tags").iterdir()}


def test_mlflows_own_client_reads_what_was_written(store, analyzer, monkeypatch):
    from mlflow import MlflowClient

    result = analyzer.analyze_model(RUN)
    analyzer.write_back(result)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient(str(store))
    found = client.get_run(RUN).data.tags
    assert found["copilot.verdict"] == "overfitting"
    assert float(found["copilot.onset_epoch"]) == result.diagnosis.onset_epoch
    assert float(found["copilot.confidence"]) == pytest.approx(result.diagnosis.confidence, abs=5e-4)
    assert [a.path for a in client.list_artifacts(RUN, "copilot")] == ["copilot/analysis.json"]


def test_what_is_there_already_is_not_written_again(store, analyzer):
    result = analyzer.analyze_model(RUN)
    analyzer.write_back(result)
    times = {f: f.stat().st_mtime_ns for f in store.rglob("*") if f.is_file()}
    analyzer.write_back(result)
    assert {f: f.stat().st_mtime_ns for f in store.rglob("*") if f.is_file()} == times


def test_one_tag_that_was_changed_is_put_right(store, analyzer):
    result = analyzer.analyze_model(RUN)
    analyzer.write_back(result)
    first = tags(store)
    (run_folder(store) / "tags" / "copilot.verdict").write_text("healthy")
    analyzer.write_back(result)
    assert tags(store) == first


def test_links_are_not_followed(store, analyzer, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("mine")
    result = analyzer.analyze_model(RUN)
    (run_folder(store) / "artifacts" / "copilot").symlink_to(elsewhere)
    with pytest.raises(ToolError, match="is a link, which is not followed"):
        analyzer.write_back(result)
    assert [f.name for f in elsewhere.iterdir()] == ["secret.txt"]
    assert analyzer.source.artifacts(RUN) == []
    with pytest.raises(NotFoundError):
        analyzer.source.artifacts(RUN, "copilot")
    (tag_folder := run_folder(store) / "tags").rename(tmp_path / "old tags")
    tag_folder.symlink_to(elsewhere)
    with pytest.raises(ToolError, match="is a link"):
        analyzer.write_back(result)
    assert [f.name for f in elsewhere.iterdir()] == ["secret.txt"]


def test_where_only_the_artifact_fails_the_tags_are_there_and_the_next_time_tries_again(store, analyzer, tmp_path):
    result = analyzer.analyze_model(RUN)
    set_artifact_uri(store, "mlflow-artifacts:/1/x/artifacts")
    with pytest.raises(InputError, match=r"behind a tracking server\. Use the tracking server's URL"):
        analyzer.write_back(result)
    assert tags(store)["copilot.verdict"] == "overfitting"
    assert "copilot.analyzed_at" not in tags(store)
    (run_folder(store) / "artifacts").mkdir()
    analyzer.write_back(result)
    assert tags(store)["copilot.analyzed_at"] == result.analysis.subject.analyzed_at
    assert (run_folder(store) / "artifacts" / "copilot" / "analysis.json").is_file()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_the_right_to_write(store, analyzer):
    result = analyzer.analyze_model(RUN)
    (run_folder(store) / "artifacts").chmod(0o500)
    with pytest.raises(ToolError, match="cannot be used: Permission denied"):
        analyzer.write_back(result)


def test_a_run_that_fails_costs_no_other_its_verdict(store):
    (run_folder(store) / "artifacts" / "copilot").write_text("a file where the folder would be")
    analyzer = CopilotAnalyzer(overrides={"mlflow": {"tracking_uri": str(store), "write_back": True}})
    results = analyzer.scan(EXPERIMENT)
    analyzer.close()
    told = {r.analysis.subject.run_id: r.not_written for r in results}
    assert set(told) == {RUN, RUNS["steady"]}
    assert told[RUNS["steady"]] == ""
    assert "cannot be used" in told[RUN]
    assert (store / "1" / RUNS["steady"] / "tags" / "copilot.verdict").read_text() == "healthy"


def test_only_runs_are_written_to(analyzer, store):
    history = analyzer.source.history(RUN)
    before = fingerprint(store)
    with pytest.raises(InputError, match="Only the analysis of an MLflow run"):
        analyzer.write_back(analyzer.analyze_history(history))
    assert fingerprint(store) == before


def test_a_bucket_without_its_client_is_told_in_a_line(store, analyzer):
    pytest.importorskip("mlflow")
    set_artifact_uri(store, f"s3://user:secret@bucket/1/{RUN}/artifacts")
    with pytest.raises(ToolError) as told:
        analyzer.write_back(analyzer.analyze_model(RUN))
    assert "s3://***@bucket" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_bucket_that_does_not_answer_is_given_up(monkeypatch):
    import time

    from copilot.integrations.mlflow import artifact_repositories

    monkeypatch.setattr(artifact_repositories, "_by_mlflow", lambda *_: time.sleep(5))
    with pytest.raises(ToolError, match=r"took more than 0\.2 s"):
        upload("s3://bucket/1/run/artifacts", "copilot/analysis.json", b"{}", 0.2)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("mlflow-artifacts:/1/r/artifacts", "1/r/artifacts"),
        ("mlflow-artifacts://mlflow.lab:5000/1/r/artifacts", "1/r/artifacts"),
        (f"{SERVER}/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts", "1/r/artifacts"),
        ("s3://bucket/1/r/artifacts", None),
        ("/srv/1/r/artifacts", None),
    ],
)
def test_artifacts_that_the_server_serves(uri, path):
    assert served_path(uri, SERVER) == path


@pytest.mark.parametrize(
    "uri",
    [
        "mlflow-artifacts://evil.example/1/r/artifacts",
        "http://evil.example/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts",
        f"{SERVER}/elsewhere/1/r",
        "mlflow-artifacts:/1/../../r",
        "mlflow-artifacts:/1/%2e%2e/r",
    ],
)
def test_credentials_go_to_no_other_server(uri):
    with pytest.raises(ToolError, match="which is not the tracking server"):
        served_path(uri, SERVER)


@pytest.mark.parametrize(
    "uri", ["/etc", "file:///etc", "./mlruns/1/run/artifacts", "/x/run/../../etc", "file:///%00", "/run/x/artifacts"]
)
def test_a_server_does_not_name_any_folder_of_this_machine(uri, tmp_path):
    with pytest.raises(InputError, match="not a path of this machine"):
        put_artifact(uri, "run", "copilot/analysis.json", b"{}")


def test_a_folder_on_the_servers_own_disk(tmp_path):
    with pytest.raises(ToolError, match="is not on this machine"):
        put_artifact(f"{tmp_path}/srv/mlruns/1/run/artifacts", "run", "copilot/analysis.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_paths_stay_among_the_artifacts(tmp_path):
    root = tmp_path / "a" / "b" / "c" / "artifacts"
    root.mkdir(parents=True)
    for path in ("../x", "a/../../x", "/x", "a\x00b", "c:x"):
        with pytest.raises(InputError, match="no path of an artifact"):
            write_artifact(root, path, b"")
        with pytest.raises(InputError, match="no path of an artifact"):
            list_folder(root, path)
    assert [f for f in tmp_path.rglob("*") if f.is_file()] == []
    assert (
        local_folder((tmp_path / "my run #1" / "c" / "artifacts").as_uri(), "c")
        == tmp_path / "my run #1" / "c" / "artifacts"
    )


def test_a_server_that_refuses_is_given_up_after_five_runs(http_server):
    def answer(request):
        if request.path.endswith("experiments/search"):
            return "{}"
        if request.path.endswith("runs/get"):
            run_id = request.query["run_id"][0]
            info = {"run_id": run_id, "experiment_id": "1", "artifact_uri": "mlflow-artifacts:/1/r/artifacts"}
            return json.dumps({"run": {"info": info, "data": {}}})
        return Reply('{"error_code": "PERMISSION_DENIED", "message": "read only"}', 400)

    server = http_server(answer)
    analyzer = CopilotAnalyzer()
    from copilot.core.history import RunHistory

    history = RunHistory.from_arrays(train_loss=[1.0] * 9, val_loss=[1.0] * 9)
    analysis = analyzer.analyze_history(history).analysis
    source = MlflowSource(MlflowSettings(tracking_uri=server.url, timeout_s=5))
    errors = source.write_back({f"run{i}": analysis for i in range(60)})
    assert len(errors) == 60
    assert {str(e) for e in errors.values()} == {
        f"The tracking server at {server.url} refused the request: read only. See its log."
    }
    assert len([r for r in server.requests if r.path.endswith("runs/get")]) <= 2 * (5 + 4)
