"""The verbs of CopilotAnalyzer, and that every interface tells the same of the same run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from copilot import CopilotAnalyzer, RunHistory, Settings
from copilot.cli.main import main
from copilot.core.findings import Outcome
from copilot.errors import ConfigError, InputError, JobCancelled, NotFoundError, ToolError
from copilot.integrations.examination.request import Examination
from copilot.reporting.words import percent_sure
from copilot.results import AnalysisList, AnalysisResult
from tests.runs_folder import CURVES, EXPERIMENT, RUNS, curves_of, write_csv, write_runs

CLIMBING, STEADY, NO_CURVES = RUNS["climbing"], RUNS["steady"], RUNS["no curves"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def analyzer(folder):
    made = CopilotAnalyzer(Settings(mlflow={"tracking_uri": str(write_runs(folder / "runs"))}))
    yield made
    made.close()


def test_the_quick_start():
    from mlops_copilot import CopilotAnalyzer as Named

    Path("config.yaml").write_text("detection: {metrics: [accuracy]}")
    assert Named is CopilotAnalyzer
    result = Named("config.yaml").analyze_history(CURVES["climbing"])
    assert result.summary.startswith("Overfitting since epoch")
    assert result.diagnosis.causes[0].cause == "trained_too_long"


def test_settings_come_from_an_object_a_file_or_nothing():
    assert CopilotAnalyzer().settings.mlflow.tracking_uri is None
    given = Settings(mlflow={"tracking_uri": "x"})
    assert CopilotAnalyzer(given).settings is given
    with pytest.raises(ConfigError, match="nope"):
        CopilotAnalyzer("nope.yaml")
    with pytest.raises(ConfigError, match="train_val_gap"):  # at once, not at the first run
        CopilotAnalyzer(Settings(detection={"thresholds": {"train_val_gab": 0.1}}))


def test_a_history_from_arrays_a_file_and_a_saved_analysis_is_judged_alike(folder):
    series = curves_of("climbing")
    analyzer = CopilotAnalyzer(Settings())
    from_arrays = analyzer.analyze_history(RunHistory.from_arrays(**series))
    path = write_csv(folder / "run.csv", series)
    saved = from_arrays.save(folder / "saved.json")
    for other in map(analyzer.analyze_history, (str(path), path, saved)):
        assert other.diagnosis == from_arrays.diagnosis
        assert [f.summary for f in other.findings] == [f.summary for f in from_arrays.findings]
    assert from_arrays.analysis.subject.kind == "history"
    assert analyzer.analyze_history(path).analysis.subject.run_name == "run.csv"


def test_many_histories_at_once(folder):
    path = write_csv(folder / "run.csv", curves_of("steady"))
    found = CopilotAnalyzer(Settings()).analyze_histories([CURVES["climbing"], path])
    assert isinstance(found, AnalysisList)
    assert [r.diagnosis.verdict for r in found] == ["overfitting", "healthy"]
    assert CopilotAnalyzer(Settings()).analyze_histories([]) == []


def test_names_in_the_projects_own_convention():
    history = {"loss_tr": [1, 0.5], "loss_dev_set": [1.1, 0.9]}
    Path("h.json").write_text(json.dumps(history))
    result = CopilotAnalyzer(Settings(metrics={"train": "{}_tr", "val": "{}_dev_set"})).analyze_history("h.json")
    (pair,) = result.analysis.history.pairs
    assert (pair.quantity, pair.train_name, pair.val_name) == ("loss", "loss_tr", "loss_dev_set")


def test_without_a_tracking_uri_nothing_is_made(folder):
    analyzer = CopilotAnalyzer(Settings())
    for call in (
        lambda: analyzer.analyze_model("runs:/x/model"),
        lambda: analyzer.scan("x"),
        lambda: analyzer.scan(),
        lambda: analyzer.compare(["a", "b"]),
        lambda: analyzer.ask("why?", "x"),
    ):
        with pytest.raises(InputError, match="tracking URI"):
            call()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("uri", [CLIMBING, f"runs:/{CLIMBING}", f" {CLIMBING} "])
def test_a_run_by_its_id_or_uri(analyzer, uri):
    result = analyzer.analyze_model(uri)
    subject = result.analysis.subject
    assert (subject.run_id, subject.run_name, subject.experiment) == (CLIMBING, "climbing", EXPERIMENT)
    assert subject.finished_at.startswith("2023-11-14T")
    assert result.diagnosis.verdict == "overfitting"


@pytest.mark.parametrize("uri", ["d" * 32, "runs:/nope/model", "models:/nope/1", NO_CURVES])
def test_runs_that_cannot_be_analysed(analyzer, uri):
    with pytest.raises(InputError):
        analyzer.analyze_model(uri)


def test_scan_keeps_what_worked_and_names_what_did_not(analyzer):
    seen = []
    found = analyzer.scan(EXPERIMENT, progress=lambda fraction, line: seen.append((fraction, line)))
    assert {r.analysis.subject.run_id for r in found} == {CLIMBING, STEADY}
    assert list(found.failed) == [NO_CURVES]
    assert "train_loss" in found.failed[NO_CURVES]
    assert seen[-1][0] == 1.0
    assert all(isinstance(line, str) for _, line in seen)
    assert len(analyzer.scan(EXPERIMENT, limit=2)) == 1  # the newest two, of which one has no curves


def test_scan_takes_the_experiment_of_the_settings(analyzer):
    with pytest.raises(InputError, match=EXPERIMENT):
        analyzer.scan()
    analyzer.settings.mlflow.experiment_name = EXPERIMENT
    assert len(analyzer.scan()) == 2
    with pytest.raises(NotFoundError, match="nope"):
        analyzer.scan("nope")


def test_work_can_be_cancelled(analyzer):
    def stop(fraction, line):
        raise JobCancelled("Stopped.")

    with pytest.raises(JobCancelled):
        analyzer.scan(EXPERIMENT, progress=stop)


def test_compare_needs_two_runs_that_can_be_read(analyzer):
    assert [r.analysis.subject.run_id for r in analyzer.compare([STEADY, CLIMBING])] == [STEADY, CLIMBING]
    assert list(analyzer.compare([STEADY, NO_CURVES]).failed) == [NO_CURVES]
    for ids in ([], [STEADY]):
        with pytest.raises(InputError, match="two runs"):
            analyzer.compare(ids)
    with pytest.raises(InputError, match="dddd"):
        analyzer.compare(["d" * 32, "e" * 32])


def test_a_server_that_is_gone_is_a_tools_fault(free_port):
    uri = f"http://me:s3cr3t@127.0.0.1:{free_port()}"
    analyzer = CopilotAnalyzer(Settings(mlflow={"tracking_uri": uri}))
    for call in (lambda: analyzer.compare(["a" * 32, "b" * 32]), lambda: analyzer.analyze_model("a" * 32)):
        with pytest.raises(ToolError) as failed:
            call()
        assert "s3cr3t" not in str(failed.value)


def test_analyses_of_runs_are_kept_in_the_store_and_those_of_files_are_not(analyzer):
    result = analyzer.analyze_model(CLIMBING)
    assert analyzer.store.latest_analysis(CLIMBING) == result.analysis
    analyzer.analyze_history(CURVES["steady"])
    assert analyzer.store.latest_analysis(STEADY) is None


def test_the_suites_results_stand_beside_the_curves(analyzer):
    issue = Outcome(
        code="OVF513", title="Drift", state="issue", severity="medium", confidence=0.7, summary="It drifts."
    )
    beside = analyzer._with_curves(CLIMBING, Examination(outcomes=(issue,)))
    assert (beside.diagnosis.verdict, beside.analysis.subject.kind) == ("overfitting", "model")
    assert beside.findings[-1].code == "OVF513"
    alone = analyzer._with_curves("models:/nope/1", Examination(outcomes=(issue,)))
    assert alone.diagnosis.verdict == "inconclusive"
    assert [f.code for f in alone.findings if f.state == "issue"] == ["OVF513"]
    assert alone.analysis.subject.model_uri == "models:/nope/1"
    muted = Settings(detection={"ignore": {"OVF513": "known"}})
    assert CopilotAnalyzer(muted)._with_curves("x", Examination(outcomes=(issue,))).findings[-1].state == "ignored"


def test_ask_takes_a_run_or_a_result(analyzer):
    result = analyzer.analyze_model(CLIMBING)
    by_id, by_result = analyzer.ask("why?", CLIMBING), analyzer.ask("why?", result=result)
    assert by_id.text == by_result.text
    assert by_id.run_id == CLIMBING
    with pytest.raises(InputError, match="run"):
        analyzer.ask("why?")


def test_reports_go_where_the_settings_say(folder):
    settings = Settings(output={"format": ["json", "markdown"], "directory": str(folder / "out")})
    analyzer = CopilotAnalyzer(settings)
    result = analyzer.analyze_history(RunHistory.from_arrays(**curves_of("climbing"), name="../../my run"))
    assert [p.relative_to(folder) for p in analyzer.report(result)] == [Path("out/my-run.json"), Path("out/my-run.md")]
    assert analyzer.report(result, ["sarif"], folder / "ci")[0].suffix == ".sarif"
    for formats in (["docx"], ["json", "docx"]):
        with pytest.raises(InputError, match="docx"):
            analyzer.report(result, formats, folder / "none")
    assert not (folder / "none").exists()


def test_provenance_names_versions_and_thresholds_and_no_secret():
    settings = Settings(
        detection={"thresholds": {"train_val_gap": 0.2}}, mlflow={"tracking_uri": "http://me:s3cr3t@host"}
    )
    analysis = CopilotAnalyzer(settings).analyze_history(CURVES["steady"]).analysis
    assert {"mlops-copilot", "numpy", "mlflow"} <= set(analysis.provenance.versions)
    assert analysis.provenance.settings["thresholds"] == {"train_val_gap": 0.2}
    assert "s3cr3t" not in analysis.model_dump_json()


def test_every_interface_tells_the_same_of_the_same_run(analyzer, capsys):
    uri = analyzer.settings.mlflow.tracking_uri
    result = analyzer.analyze_model(CLIMBING)
    with pytest.raises(SystemExit):
        main(["analyze", "--run-id", CLIMBING, "--tracking-uri", uri, "--format", "json"])
    printed = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["analyze", "--run-id", CLIMBING, "--tracking-uri", uri])
    table = capsys.readouterr().out
    scanned = next(r for r in analyzer.scan(EXPERIMENT) if r.analysis.subject.run_id == CLIMBING)
    for part in ("history", "diagnosis", "findings", "evidence", "recommendations"):
        assert printed[part] == result.to_dict()[part]
        assert scanned.to_dict()[part] == result.to_dict()[part]

    d = result.diagnosis
    told = {
        "table": table,
        "chat": " ".join(
            analyzer.ask(q, CLIMBING).text for q in ("when did it start?", "which checkpoint?", "how sure?")
        ),
        "html": result.save("r.html").read_text(),
        "markdown": result.save("r.md").read_text(),
        "junit": result.save("r.xml").read_text(),
    }
    for name, text in told.items():
        plain = re.sub(r"\[E\d+\]|<[^>]+>", "", text)
        assert "verfit" in plain, name
        assert re.search(rf"epoch\s+{d.onset_epoch}\b", plain), name
        assert re.search(rf"epoch\s+{d.best_epoch}\b", plain), name
        if name != "junit":
            assert re.search(percent_sure(d.confidence).replace(" ", r"\s*"), plain.replace("&nbsp;", " ")), name
    best = next(e for e in result.evidence if e.name == "best_checkpoint")
    assert best.value == pytest.approx(np.min(CURVES["climbing"].pairs[0].val), rel=1e-5)
    assert f"{best.value:.3g}" in told["chat"]
    assert f"{best.value:.3g}" in told["html"]


def test_a_result_is_what_the_package_says_it_is():
    assert isinstance(CopilotAnalyzer(Settings()).analyze_history(CURVES["steady"]), AnalysisResult)
