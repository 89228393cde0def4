"""leaderboard, compare on an axis, and history: from a store that MLflow's own client wrote."""

from __future__ import annotations

import json

import pytest

from copilot import CopilotAnalyzer, Settings
from copilot.errors import InputError, NotFoundError
from tests.integrations.mlflow_stores import write_registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A store with a registered model of five versions; its address and the runs by name."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"
    return uri, write_registry(uri)


@pytest.fixture
def analyzer(registry):
    made = CopilotAnalyzer(Settings(mlflow={"tracking_uri": registry[0]}))
    yield made
    made.close()


def test_the_leaderboard_of_an_experiment(analyzer):
    rows = analyzer.leaderboard("cross-validation")
    assert [r.rank for r in rows] == list(range(1, 8))
    assert rows[0].run_name == "better"
    assert rows[0].best_value == pytest.approx(0.92, abs=1e-3)
    assert (rows[-1].run_name, rows[-1].quantity) == ("resnet-fold-3", "accuracy")
    gaps = analyzer.leaderboard("cross-validation", by="gap", quantity="val_acc")
    assert [r.gap for r in gaps] == sorted(r.gap for r in gaps)
    with pytest.raises(InputError, match="not ordered by speed"):
        analyzer.leaderboard("cross-validation", by="speed")
    with pytest.raises(InputError, match=r"No run has f1 on validation. There are: accuracy."):
        analyzer.leaderboard("cross-validation", quantity="f1")


def test_compare_puts_runs_side_by_side_on_the_axis_asked_for(analyzer, registry):
    ids = [registry[1][name] for name in ("better", "fold 1")]
    found = analyzer.compare(ids).comparison.side_by_side
    (accuracy,) = found.quantities
    assert (found.axis, found.unit, accuracy.axis) == ("epoch", "epoch", tuple(range(20)))
    assert accuracy.runs[0].val[0] == pytest.approx(0.42)
    assert found.params.differ[0].values == ("2000", "200")
    assert found.params.differ[0].name == "n_val"
    timed = analyzer.compare(ids, axis="time").comparison.side_by_side.quantities[0]
    assert (timed.axis[0], timed.axis[-1]) == (0, 0.019)  # a millisecond an epoch
    with pytest.raises(InputError, match="axis moon"):
        analyzer.compare(ids, axis="moon")


@pytest.mark.parametrize("axis", ["epoch", "time"])
def test_what_was_compared_before_is_the_same_when_it_is_kept(registry, axis):
    ids = [registry[1][name] for name in ("better", "worse", "fold 1")]
    settings = Settings(mlflow={"tracking_uri": registry[0]})
    first, again = (CopilotAnalyzer(settings).compare(ids, axis=axis).comparison for _ in range(2))
    moment = {"subject": {"analyzed_at"}}
    assert first.model_dump(exclude=moment) == again.model_dump(exclude=moment)
    other = CopilotAnalyzer(settings).compare(ids, ids[2], axis=axis).comparison
    assert other.subject.baseline == ids[2]
    over = [CopilotAnalyzer(settings).history("digit-net").comparison.model_history for _ in range(2)]
    assert over[0] == over[1]


def test_only_compare_carries_curves_twice(analyzer, registry):
    assert analyzer.scan("cross-validation").comparison.side_by_side is None
    assert analyzer.crossval(registry[1]["parent"]).comparison.side_by_side is None


def test_a_model_over_its_versions(analyzer, registry):
    results = analyzer.history("digit-net")
    found = results.comparison.model_history
    assert [v.version for v in found.versions] == ["1", "2", "3", "4", "5"]
    assert (found.model, found.best, found.versions[1].aliases) == ("digit-net", "1", ("champion",))
    assert found.versions[1].worse is True
    assert "7.0 points worse than version 1 at 92.0 %" in found.versions[1].sentence
    assert "no metrics were logged" in found.versions[2].reason
    assert found.versions[3].previous == "2"
    assert found.versions[4].reason == "It came from no run."
    assert len(results) == 3
    document = json.loads(results.to_json())
    assert document["comparison"]["model_history"]["versions"][1]["change"] == pytest.approx(-0.07)


def test_a_model_whose_only_run_has_no_curves_is_listed_with_the_reason(analyzer):
    found = analyzer.history("lost-net").comparison.model_history
    assert (len(found.versions), found.best) == (1, None)
    assert "no metrics were logged" in found.versions[0].reason


def test_models_that_are_not_there(analyzer):
    with pytest.raises(NotFoundError, match=r"no registered model 'digit-met'.*Did you mean 'digit-net'"):
        analyzer.history("digit-met")
    with pytest.raises(InputError, match="has no version yet"):
        analyzer.history("new-net")
    with pytest.raises(InputError, match="No run has f1"):
        analyzer.history("digit-net", quantity="f1")


def test_the_analyses_can_be_put_in_order(analyzer):
    results = analyzer.scan("cross-validation")
    ordered = results.ordered("best")
    assert [r.analysis.subject.run_id for r in ordered] == [row.run_id for row in results.leaderboard("best")]
    assert ordered.comparison is results.comparison
    assert len(ordered) == len(results)
