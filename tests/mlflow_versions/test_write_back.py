"""Verdicts written into the runs of every MLflow version: what is added, and that all else stays as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests

from copilot.analyzer import CopilotAnalyzer
from copilot.errors import CopilotError
from copilot.results import AnalysisResult
from tests.integrations.mlflow_stores import fingerprint
from tests.mlflow_versions import writer
from tests.mlflow_versions.stores import Opened, every_store, writable_store

pytestmark = pytest.mark.slow
TAGS = {"verdict", "onset_epoch", "best_epoch", "confidence", "cause", "analyzed_at"}


@pytest.fixture
def target(opened, tmp_path) -> Opened:
    """A store that may be written to: the server, or a copy of the folder."""
    if opened.kind != "folder":
        return opened
    shutil.copytree(opened.uri, tmp_path / "mlruns")
    return Opened(str(tmp_path / "mlruns"), opened.ids, "folder")


@pytest.fixture
def analyzer(target):
    analyzer = CopilotAnalyzer(overrides={"mlflow": {"tracking_uri": target.uri, "timeout_s": 30}})
    yield analyzer
    analyzer.close()


def everything(target: Opened, run_id: str) -> dict[str, object]:
    """All that a store holds of a run, as it holds it; our own tags and file by themselves."""
    if target.kind == "folder":
        (folder,) = Path(target.uri).glob(f"*/{run_id}")
        found = {str(Path(name).relative_to(folder)): digest for name, digest in fingerprint(folder).items()}
        ours = {n for n in found if n.startswith(("tags/copilot.", "artifacts/copilot"))}
        own_tags = {n: (folder / n).read_text() for n in ours if n.startswith("tags/")}
        return {"ours": {n.removeprefix("tags/copilot."): t for n, t in own_tags.items()}} | {
            "all else": {n: d for n, d in found.items() if n not in ours}
        }
    run = requests.get(f"{target.uri}/api/2.0/mlflow/runs/get", {"run_id": run_id}, timeout=30).json()["run"]
    tags = {tag["key"]: tag["value"] for tag in run["data"].pop("tags")}
    files = requests.get(f"{target.uri}/api/2.0/mlflow/artifacts/list", {"run_id": run_id}, timeout=30).json()
    return {
        "ours": {n.removeprefix("copilot."): t for n, t in tags.items() if n.startswith("copilot.")},
        "all else": [run, {n: t for n, t in tags.items() if not n.startswith("copilot.")}],
        "files": [f for f in files.get("files", []) if f["path"] != "copilot"],
    }


def artifact(target: Opened, run_id: str) -> AnalysisResult:
    """The analysis that lies in a run."""
    if target.kind == "folder":
        (file,) = Path(target.uri).glob(f"*/{run_id}/artifacts/copilot/analysis.json")
        return AnalysisResult.from_json(file.read_bytes())
    query = {"run_id": run_id, "run_uuid": run_id, "path": "copilot/analysis.json"}
    answer = requests.get(f"{target.uri}/get-artifact", query, timeout=30)
    return AnalysisResult.from_json(answer.content)


@writable_store
def test_a_verdict_is_added_and_all_else_stays(target, analyzer):
    for name in ("restored", "tagged"):  # artifacts that the server serves, and artifacts in a folder
        run_id = target.ids[name]
        before = everything(target, run_id)
        assert before.pop("ours") == {}
        result = analyzer.analyze_model(run_id)
        assert everything(target, run_id)["ours"] == {}  # off by default
        assert analyzer.write_back([result]) == {}
        after = everything(target, run_id)
        written = after.pop("ours")
        assert after == before
        assert set(written) == TAGS - ({"onset_epoch"} if result.diagnosis.onset_epoch is None else set())
        assert (written["verdict"], written["analyzed_at"]) == (
            result.diagnosis.verdict,
            result.analysis.subject.analyzed_at,
        )
        assert artifact(target, run_id).analysis == result.analysis
        assert [a.path for a in target.source.artifacts(run_id, "copilot")] == ["copilot/analysis.json"]


@writable_store
def test_a_new_verdict_replaces_the_old(target, analyzer):
    run_id = target.ids["child"]
    result = analyzer.analyze_model(run_id)
    d = result.diagnosis.model_copy(update={"onset_epoch": 7.0, "best_epoch": 6.5, "verdict": "overfitting"})
    before = everything(target, run_id)
    before.pop("ours")
    analyzer.write_back(AnalysisResult(result.analysis.model_copy(update={"diagnosis": d})))
    first = everything(target, run_id)["ours"]
    assert (first["onset_epoch"], first["best_epoch"], first["verdict"]) == ("7", "6.5", "overfitting")
    healthy = d.model_copy(update={"onset_epoch": None, "verdict": "healthy", "confidence": 0.25})
    again = AnalysisResult(result.analysis.model_copy(update={"diagnosis": healthy}))
    analyzer.write_back(again)
    after = everything(target, run_id)
    second = after.pop("ours")
    assert second == {n: t for n, t in first.items() if n != "onset_epoch"} | {
        "verdict": "healthy",
        "confidence": "0.250",
    }
    assert after == before
    assert artifact(target, run_id).diagnosis == healthy


@every_store
def test_deleted_runs_are_not_written_to(target, analyzer):
    run_id = target.ids["deleted"]
    result = analyzer.analyze_model(run_id)
    with pytest.raises(CopilotError, match="only read" if target.kind == "sqlite" else "is deleted"):
        analyzer.write_back(result)
    assert not [name for name in target.source.run(run_id).tags if name.startswith("copilot.")]


@every_store
def test_a_scan_writes_back_when_the_settings_say_so(target):
    settings = {"tracking_uri": target.uri, "timeout_s": 30, "write_back": True}
    analyzer = CopilotAnalyzer(overrides={"mlflow": settings})
    results = analyzer.scan(writer.LOCAL_EXPERIMENT)
    analyzer.close()
    assert [r.analysis.subject.run_id for r in results] == [target.ids["local"]]
    for result in results:
        verdict = target.source.run(result.analysis.subject.run_id).tags.get("copilot.verdict")
        if target.kind == "sqlite":
            assert (verdict, "only read, never written" in result.not_written) == (None, True)
        else:
            assert (verdict, result.not_written) == (result.diagnosis.verdict, "")
