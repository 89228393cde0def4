"""scan, compare and crossval: what the analyzer says of runs together, from a store that MLflow wrote."""

from __future__ import annotations

import json

import pytest

from copilot import CopilotAnalyzer, Settings
from copilot.core.comparisons.document import Comparison
from copilot.core.findings import Analysis
from copilot.errors import ConfigError, InputError, NotFoundError
from tests.integrations.mlflow_stores import FOLD_SCORES

CODES = ["OVF201", "OVF202", "OVF203", "OVF204", "OVF205"]


def _analyzer(cross_validation, **detection):
    return CopilotAnalyzer(Settings(mlflow={"tracking_uri": cross_validation.uri}, detection=detection))


@pytest.fixture
def analyzer(cross_validation):
    made = _analyzer(cross_validation)
    yield made
    made.close()


def test_crossval_finds_the_folds_and_the_one_that_stands_apart(analyzer, cross_validation):
    found = analyzer.crossval(cross_validation.runs["parent"])
    together = found.comparison
    assert [r.analysis.subject.run_name for r in found] == [f"resnet-fold-{i}" for i in range(1, 6)]
    assert (together.subject.parent_run_id, together.subject.quantity) == (cross_validation.runs["parent"], "accuracy")
    assert together.subject.experiment == "cross-validation"
    assert [f.code for f in together.findings] == CODES
    folds = together.finding("OVF201")
    assert (folds.state, folds.severity) == ("issue", "medium")
    assert "Fold 3 stands apart at 70.0 %" in folds.summary
    assert [r.fold for r in together.runs] == [1, 2, 3, 4, 5]
    assert [r.best_value for r in together.runs] == pytest.approx(FOLD_SCORES, abs=1e-3)
    assert [r.verdict for r in together.runs] == [r.diagnosis.verdict for r in found]
    assert together.recommendations[0].id == "repeat-folds"


def test_bad_parents_are_told_apart(analyzer, cross_validation):
    with pytest.raises(NotFoundError, match="dddd"):
        analyzer.crossval("d" * 32)
    with pytest.raises(InputError, match="has no child runs"):
        analyzer.crossval(cross_validation.runs["childless"])


def test_scan_compares_the_experiment(analyzer, cross_validation):
    found = analyzer.scan("cross-validation")
    assert len(found) == 7
    assert set(found.failed) == {cross_validation.runs["parent"], cross_validation.runs["childless"]}
    assert found.comparison.finding("OVF201").state == "issue"
    assert found.comparison.finding("OVF205").state == "not_applicable"
    document = json.loads(found.to_json())
    assert set(document) == {"schema_version", "analyses", "failed", "comparison"}
    assert Comparison.model_validate(document["comparison"]) == found.comparison


def test_compare_takes_the_first_run_or_the_one_named_as_baseline(analyzer, cross_validation):
    better, worse = cross_validation.runs["better"], cross_validation.runs["worse"]
    found = analyzer.compare([better, worse])
    regression = found.comparison.finding("OVF205")
    assert found.comparison.subject.baseline == better
    assert regression.state == "issue"
    assert "7.0 points worse than better at 92.0 %" in regression.summary
    assert "\x1b" not in regression.summary
    turned = analyzer.compare([better, worse], baseline=worse)
    assert [r.analysis.subject.run_id for r in turned] == [better, worse]
    assert turned.comparison.finding("OVF205").state == "passed"
    added = analyzer.compare([worse], better)
    assert [r.analysis.subject.run_id for r in added] == [better, worse]
    with pytest.raises(InputError, match="two runs"):
        analyzer.compare([better], better)


def test_a_baseline_that_cannot_be_read_is_no_baseline(analyzer, cross_validation):
    runs = cross_validation.runs
    found = analyzer.compare([runs["childless"], runs["better"], runs["worse"]])
    assert list(found.failed) == [runs["childless"]]
    assert found.comparison.finding("OVF205").state == "not_applicable"


def test_a_run_says_the_same_whatever_group_it_is_in(analyzer, cross_validation):
    def told(analysis: Analysis) -> dict:
        return json.loads(analysis.model_dump_json(exclude={"provenance": True, "subject": {"analyzed_at"}}))

    one = cross_validation.runs["fold 3"]
    alone = told(analyzer.analyze_model(one).analysis)
    for results in (analyzer.scan("cross-validation"), analyzer.crossval(cross_validation.runs["parent"])):
        assert told(next(r.analysis for r in results if r.analysis.subject.run_id == one)) == alone


def test_settings_reach_the_checks_of_groups(cross_validation):
    made = _analyzer(
        cross_validation,
        checks={"OVF201": {"outlier_score": 0.5, "wide_score": 0.9}},
        ignore={"OVF205": "no baseline yet"},
        metrics=["accuracy"],
    )
    together = made.crossval(cross_validation.runs["parent"]).comparison
    assert together.finding("OVF201").state == "passed"
    assert together.finding("OVF205").summary == "Muted: no baseline yet"
    pages = {p.code: p for p in made.describe_checks()}
    assert pages["OVF201"].thresholds[3].value == 0.5
    assert pages["OVF205"].muted == "no baseline yet"
    with pytest.raises(ConfigError, match=r"OVF201\.wide"):
        _analyzer(cross_validation, checks={"OVF201": {"wide": 1}})


def test_the_demos_folds_are_found_and_judged(demo):
    made = CopilotAnalyzer(demo.config_file)
    key = json.loads(demo.answer_key.read_text())
    scanned = made.scan(made.settings.mlflow.experiment_name)
    folds = [r for r in scanned.comparison.runs if r.fold is not None]
    assert sorted(r.run_name for r in folds) == [f"cnn-14-fold-{i}" for i in range(1, 6)]
    parent = made.source.run(folds[0].run_id).parent_run_id
    found = made.crossval(parent)
    stability = found.comparison.finding("OVF201")
    known = found.comparison.evidence_by_id()
    assert key
    assert "over 5 folds" in stability.summary
    assert [known[i].value for i in stability.evidence if known[i].name == "folds"] == [5]
    assert [f.code for f in scanned.comparison.findings] == CODES
    assert not [f for f in scanned.comparison.findings if f.state == "error"]
