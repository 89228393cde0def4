"""What each MLflow version's own client wrote, read over REST, from its SQLite file and from its folder."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.analyzer import CopilotAnalyzer
from copilot.errors import InputError, NotFoundError
from tests.mlflow_versions import writer
from tests.mlflow_versions.stores import every_store

pytestmark = pytest.mark.slow


@every_store
def test_runs(opened):
    source, ids = opened.source, opened.ids
    assert {writer.EXPERIMENT, writer.LOCAL_EXPERIMENT} <= {e.name for e in source.experiments()}
    runs = {run.name: run for run in source.runs(writer.EXPERIMENT)}
    assert {run.run_id for run in runs.values()} == {ids["main"], ids["child"], ids["restored"]}
    main, child = runs["wide net"], runs["fold 1"]
    assert main.params == writer.PARAMS
    own_tags = {name: value for name, value in main.tags.items() if not name.startswith("mlflow.")}
    assert own_tags == {"team": "vision", "notes/hostile": "<script> [31m hi"}
    assert main.note == "Looks *good*. Keep it."
    odd = {f"system/{name}": value for name, value in writer.ODD.items()}
    latest = {"train_loss": writer.TRAIN[11], "val_loss": writer.VAL[11], "system/cpu": 50} | odd
    assert main.metrics == pytest.approx(latest, nan_ok=True, abs=0, rel=0)
    times = (writer.START_MS / 1000, writer.START_MS / 1000 + 60)
    assert (main.status, main.start_time, main.end_time) == ("FINISHED", *times)
    assert (main.parent_run_id, child.parent_run_id, child.status) == (None, ids["main"], "FAILED")
    assert [run.run_id for run in source.children(ids["main"])] == [ids["child"]]
    assert str(source.run(ids["main"])) == str(main)
    assert main.experiment_id == ids["experiment"]


@every_store
def test_deleted_runs_are_known_by_their_id(opened):
    source, ids = opened.source, opened.ids
    deleted, restored = source.run(ids["deleted"]), source.run(ids["restored"])
    assert (deleted.name, deleted.deleted) == ("mistake", True)
    assert (restored.name, restored.deleted) == ("no mistake", False)
    assert source.history(ids["deleted"]).epochs.tolist() == list(writer.EPOCHS)
    assert source.history(ids["deleted"]).warnings == ("The run is deleted in MLflow.",)
    assert source.history(ids["restored"]).warnings == ()


@every_store
def test_curves(opened):
    history = opened.source.history(opened.ids["main"])
    (loss,) = history.pairs
    bad = [writer.NAN_EPOCH, writer.INF_EPOCH]
    good = [e for e in writer.EPOCHS if e not in bad]
    assert history.epochs.tolist() == list(writer.EPOCHS)
    assert loss.train.tolist() == list(writer.TRAIN.values())
    assert loss.val[good].tolist() == [writer.VAL[e] for e in good]
    assert np.flatnonzero(loss.bad_val).tolist() == bad
    assert history.times.tolist() == [writer.START_MS / 1000 + e for e in writer.EPOCHS]


@every_store
def test_inputs_and_logged_models(opened):
    run = opened.source.run(opened.ids["main"])
    name, digest, context, place = writer.DATASET
    found = [(d.name, d.digest, d.context, d.source) for d in run.datasets]
    assert found == ([(name, digest, context, place)] if opened.version >= (2, 4) else [])
    model = f"models:/{opened.ids.get('model')}"
    assert run.model_uris == ((model,) if opened.version >= (3, 0) else ())
    if opened.version >= (3, 0):
        assert opened.source.resolve(model).run_id == opened.ids["main"]


@every_store
def test_registry(opened):
    models = {m.name: m for m in opened.source.registered_models()}
    if not (opened.kind != "folder" or opened.version >= (2, 0)):
        assert models == {}
        return
    assert set(models) == {writer.MODEL, "empty"}
    second, first = models[writer.MODEL].versions
    assert models["empty"].versions == ()
    assert (second.version, second.run_id, second.aliases) == ("2", opened.ids["child"], ())
    assert (first.version, first.run_id, dict(first.tags)) == ("1", opened.ids["main"], writer.VERSION_TAGS)
    assert (first.description, second.description) == ("the first one", "")
    assert (first.stage, second.stage) == ("Production" if opened.version < (3, 0) else "None", "None")
    assert first.aliases == (("champion",) if opened.version >= (2, 3) else ())
    by = "@champion" if opened.version >= (2, 3) else "/production"
    assert opened.source.resolve(f"models:/{writer.MODEL}{by}").run_id == opened.ids["main"]


@every_store
def test_artifacts(opened):
    source, run_id = opened.source, opened.ids["main"]
    assert [(a.path, a.is_folder) for a in source.artifacts(run_id)] == [("config.json", False), ("plots", True)]
    assert source.artifacts(run_id)[0].size == len(writer.FILES["config.json"])
    assert [a.path for a in source.artifacts(run_id, "plots")] == ["plots/deep"]
    assert [a.path for a in source.artifacts(run_id, "plots/deep")] == ["plots/deep/curve.txt"]
    assert source.artifacts(opened.ids["deleted"]) == []
    with pytest.raises(NotFoundError):
        source.artifacts("f" * 32)
    for outside in ("..", "plots/../../..", "/etc", "a\\..\\b"):
        with pytest.raises(InputError, match="no path of an artifact"):
            source.artifacts(run_id, outside)


@every_store
def test_verdicts(opened):
    analyzer = CopilotAnalyzer(overrides={"mlflow": {"tracking_uri": opened.uri, "timeout_s": 30}})
    one = analyzer.analyze_model(opened.ids["main"])
    results = analyzer.scan(writer.EXPERIMENT)
    analyzer.close()
    assert results.failed == {}
    assert {r.analysis.subject.run_id for r in results} == {opened.ids[k] for k in ("main", "child", "restored")}
    (same,) = [r for r in results if r.analysis.subject.run_id == opened.ids["main"]]
    assert same.diagnosis == one.diagnosis
    assert one.diagnosis.verdict == "overfitting"
    assert one.diagnosis.best_epoch == 5
    assert one.analysis.subject.experiment == writer.EXPERIMENT
