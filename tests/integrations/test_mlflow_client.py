"""MLflow stores of every kind: read alike, left as they were, refused in one line when they are broken."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from copilot.core.history import RunHistory
from copilot.errors import CopilotError, InputError, JobCancelled, NotFoundError, ToolError
from copilot.integrations.mlflow import sqlite_store
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings
from tests.conftest import Reply
from tests.integrations.mlflow_stores import RUN, fingerprint, log_epochs, old_sqlite_file, serve, write_with_client


def source(uri: object, **settings) -> MlflowSource:
    return MlflowSource(MlflowSettings(tracking_uri=None if uri is None else str(uri), **settings))


def series_of(history: RunHistory) -> dict[str, list]:
    return {
        p.quantity: [np.nan_to_num(p.train, nan=-1).tolist(), np.nan_to_num(p.val, nan=-1).tolist()]
        for p in history.pairs
    }


@pytest.fixture(scope="module")
def old_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file of MLflow 1.30. Copy it before changing it."""
    return old_sqlite_file(tmp_path_factory.mktemp("old") / "mlflow.db")


@pytest.fixture
def old(old_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(old_store, tmp_path / "my runs #1.db"))


def test_an_old_sqlite_file_is_read_and_not_changed(old):
    before = fingerprint(old.parent)
    store = source(f"sqlite:///{old}")
    (experiment,) = [e for e in store.experiments() if e.name == "old"]
    (run,) = store.runs("old")
    history = store.history(RUN)
    assert fingerprint(old.parent) == before
    assert (experiment.experiment_id, experiment.updated_at) == ("1", None)
    assert (run.name, run.status, run.start_time, run.end_time) == ("evening run", "FINISHED", 1.66e9, 1.66e9 + 60)
    assert run.params == {"lr": "0.1"}
    assert run.tags["note [31m"] == "<b> hi</b>"
    assert "mlflow.log-model.history" not in run.tags
    assert run.model_uris == (f"runs:/{RUN}/net",)
    assert run.metrics["train_loss"] == 0.25
    assert history.name == "evening run"
    assert history.params == {"lr": "0.1"}
    assert history.times.tolist() == [1.66e9 + e for e in range(4)]
    (loss,) = history.pairs
    assert loss.train.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert loss.bad_val.tolist() == [False, False, True, False]
    assert store.subjects([run]) == {
        RUN: {
            "run_id": RUN,
            "run_name": "evening run",
            "experiment": "old",
            "finished_at": "2022-08-08T23:07:40+00:00",
            "tracking_uri": f"sqlite:///{old}",
        }
    }


@pytest.mark.parametrize(
    "text", [RUN, f"runs:/{RUN}/net", "models:/net/3", "models:/net/latest", "models:/net/production", "models:/net"]
)
def test_models_of_an_old_file_resolve(old, text):
    found = source(old).resolve(text)
    assert found.run_id == RUN
    assert found.version == ("3" if "models:" in text else None)
    assert found.model_uri == ("models:/net/3" if "models:" in text else f"runs:/{RUN}/net")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("b" * 32, NotFoundError, "no run 'bbb"),
        ("models:/net/9", NotFoundError, "no version '9'. Its versions: 3"),
        ("models:/net@best", NotFoundError, "no alias 'best'"),
        ("models:/ned/1", NotFoundError, "no registered model 'ned'. Did you mean 'net'"),
        ("models:/m-0123", NotFoundError, "no logged model 'm-0123'"),
        ("s3://bucket/model", InputError, "neither a run id nor a model URI"),
        ("two words", InputError, "neither a run id nor a model URI"),
    ],
)
def test_what_does_not_resolve(old, text, error, message):
    with pytest.raises(error, match=message):
        source(old).resolve(text)


def test_an_unknown_experiment_names_the_nearest(old):
    with pytest.raises(NotFoundError, match=r"no experiment 'odl'.*Did you mean 'old'"):
        source(old).runs("odl")


def test_points_that_another_program_is_still_writing_are_seen(old):
    with sqlite3.connect(old) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        log_epochs(writer, range(4, 6))
        writer.commit()
        before = fingerprint(old)
        assert source(old).history(RUN).n_epochs == 6
        assert fingerprint(old) == before
    writer.close()
    before = fingerprint(old.parent)  # closed: the log is merged, and nothing lies beside the file
    assert source(old).history(RUN).n_epochs == 6
    assert fingerprint(old.parent) == before


def test_files_of_a_writer_that_was_killed(old, tmp_path):
    with sqlite3.connect(old) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        log_epochs(writer, range(4, 6))
        writer.commit()
        crashed = tmp_path / "wal"
        crashed.mkdir()
        for end in ("", "-wal"):
            shutil.copy(f"{old}{end}", crashed / f"a.db{end}")
    writer.execute("PRAGMA journal_mode=DELETE")
    writer.execute("PRAGMA cache_size=1")
    writer.execute("BEGIN")
    writer.execute("UPDATE metrics SET value = 7")
    writer.executemany("INSERT INTO params VALUES (?, ?, ?)", [(f"p{i}", "x" * 400, RUN) for i in range(200)])
    halfway = tmp_path / "journal"
    halfway.mkdir()
    for end in ("", "-journal"):
        shutil.copy(f"{old}{end}", halfway / f"a.db{end}")
    writer.close()
    for folder in (crashed, halfway):
        before = fingerprint(folder)
        history = source(folder / "a.db").history(RUN)
        assert history.n_epochs == 6
        assert history.pairs[0].train[0] == 1, "an update that was not finished must not be seen"
        assert fingerprint(folder) == before


def test_a_locked_file_is_told(old, monkeypatch):
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.1)
    with sqlite3.connect(old, isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ToolError, match="is locked by another program"):
            source(old).experiments()
        writer.execute("ROLLBACK")
    writer.close()


def test_many_runs_and_the_errors_among_them(old):
    lines = []
    found = source(old).histories([RUN, "c" * 32, RUN, ""], progress=lambda part, line: lines.append((part, line)))
    assert list(found) == [RUN, "c" * 32, ""]
    assert found[RUN].n_epochs == 4
    assert isinstance(found["c" * 32], NotFoundError)
    assert isinstance(found[""], NotFoundError)
    assert lines[-1] == (1.0, "3 of 3 runs")

    def cancel(part, line):
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        source(old).histories([RUN], progress=cancel)


def test_names_of_the_project(old):
    with sqlite3.connect(old) as database:
        database.execute("UPDATE metrics SET key = 'loss on a' WHERE key = 'train_loss'")
        database.execute("UPDATE latest_metrics SET key = 'loss on a' WHERE key = 'train_loss'")
    database.close()
    (loss,) = source(old).history(RUN, train_pattern="{} on a").pairs
    assert (loss.train_name, loss.val_name, loss.complete) == ("loss on a", "val_loss", True)


# Addresses.


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        (None, InputError, "No MLflow tracking URI is set.*--tracking-uri.*MLFLOW_TRACKING_URI.*mlops-copilot demo"),
        ("  ", InputError, "No MLflow tracking URI is set"),
        ("sqlite:///missing.db", NotFoundError, "no database sqlite:///missing.db"),
        ("sqlite://", InputError, "names no file"),
        ("sqlite:///:memory:", InputError, "names no file"),
        ("missing/mlruns", NotFoundError, "names no file or folder"),
        ("x" * 5000, NotFoundError, "names no file or folder"),
        ("localhost:5000", InputError, "has no scheme. Did you mean http://localhost:5000"),
        ("http://", InputError, "malformed"),
        ("http://host:port", InputError, "malformed"),
        ("http://[::1", InputError, "malformed"),
        ("http://a b:5000", InputError, "malformed"),
        ("file://[/mlruns", InputError, "malformed"),
        ("htp://localhost:5000", InputError, "of a kind that is not known"),
        ("postgresql://u:secret@db/mlflow", InputError, "is a database server"),
        ("127.0.0.1:5000", InputError, "has no scheme. Did you mean http://127.0.0.1:5000"),
        ("[::1]:5000", InputError, r"has no scheme. Did you mean http://\[::1\]:5000"),
        ("//host:5000/x", InputError, "has no scheme. Did you mean http://host:5000/x"),
        ("http:/host:5000", InputError, "is malformed. Did you mean http://host:5000"),
        ("http//u:secret@host", InputError, r"is malformed. Did you mean http://\*\*\*@host"),
        ("u:secret@host:5000", InputError, r"\*\*\*@host:5000' has no scheme. Did you mean http://\*\*\*@host:5000"),
        ("u:secret@host", NotFoundError, r"\*\*\*@host' names no file"),
        ("http:/u:secret@host", InputError, r"is malformed. Did you mean http://\*\*\*@host"),
        ("databricks-uc", InputError, "a model registry, which holds no runs"),
        ("uc://catalog", InputError, "a model registry, which holds no runs"),
    ],
)
def test_addresses_that_name_no_store(uri, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        source(uri).experiments()
    assert caught.value.hint
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [], "nothing may be made in the working folder"


@pytest.mark.parametrize("prefix", ["", "sqlite:///", "file://"])
def test_files_that_are_no_store(tmp_path, prefix):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(InputError, match="not an SQLite database"):
        source(f"{prefix}{text}").experiments()
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE dogs (name)")
    database.close()
    with pytest.raises(InputError, match="holds no MLflow tables"):
        source(f"{prefix}{other}").experiments()


def test_a_damaged_database_is_told(old):
    content = bytearray(old.read_bytes())
    content[100:] = bytes(len(content) - 100)
    old.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged|no MLflow tables"):
        source(old).experiments()


@pytest.mark.parametrize(
    "changes",
    [
        ["DROP TABLE latest_metrics"],
        [
            "CREATE TABLE kept AS SELECT key, value, timestamp, run_uuid FROM metrics",
            "DROP TABLE metrics",
            "ALTER TABLE kept RENAME TO metrics",
        ],
    ],
)
def test_a_file_of_the_first_versions_is_told(old, changes):
    with contextlib.closing(sqlite3.connect(old)) as database:
        for change in changes:
            database.execute(change)
        database.commit()
    with pytest.raises(InputError, match="too old to be read"):
        source(old).experiments()


def test_folders_that_are_no_store(tmp_path):
    with pytest.raises(InputError, match="holds no MLflow experiments"):
        source(tmp_path).experiments()
    experiment = tmp_path / "mlruns" / "0"
    experiment.mkdir(parents=True)
    (experiment / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    with pytest.raises(InputError, match=r"Did you mean .*/mlruns\?"):
        source(tmp_path).experiments()
    with pytest.raises(InputError, match="inside a store"):
        source(experiment).experiments()
    assert [e.name for e in source(tmp_path / "mlruns").experiments()] == ["Default"]
    assert source((tmp_path / "mlruns").as_uri()).runs("Default") == []


def test_a_broken_folder_store_gives_what_is_left(tmp_path):
    run = tmp_path / "0" / RUN
    for name in ("metrics", "params", "tags"):
        (run / name).mkdir(parents=True)
    (tmp_path / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    (run / "meta.yaml").write_text(f"run_uuid: {RUN}\nstatus: 3\nstart_time: 1\n")
    (run / "metrics" / "train_loss").write_text("1000 0.5 0\n2000 0.4 1\n3000 nan 2\n4000 0.")
    (run / "metrics" / "val_loss").write_bytes(b"1000 0.6 0\n\xff\xfe broken\n2000 0.7 1\n")
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    (run / "params" / "stolen").symlink_to(secret)
    for name, text in {"bad1": "{{{", "bad2": "- a list", "bad3": ""}.items():
        (tmp_path / "0" / name).mkdir()
        (tmp_path / "0" / name / "meta.yaml").write_text(text)
    store = source(tmp_path)
    (info,) = store.runs("0")
    assert info.params == {}
    loss = store.history(RUN).pairs[0]
    assert loss.train[:2].tolist() == [0.5, 0.4]
    assert loss.bad_train.tolist() == [False, False, True]
    assert loss.val[:2].tolist() == [0.6, 0.7]


# Stores of public projects.

PUBLIC_PAIRS = {
    ("accuracy", None, "avg_test_acc"),
    ("accuracy", None, "validation_accuracy"),
    ("accuracy", "accuracy", None),
    ("accuracy", "train/acc", "val/acc"),
    ("accuracy", "train_accuracy", "validation_accuracy"),
    ("box_loss", "train/box_loss", "val/box_loss"),
    ("cls_loss", "train/cls_loss", "val/cls_loss"),
    ("dfl_loss", "train/dfl_loss", "val/dfl_loss"),
    ("f1", None, "validation_f1"),
    ("f1", "f1", None),
    ("f1", "train/f1", "val/f1"),
    ("loss", "loss", "eval_loss"),
    ("loss", "train/loss", "val/loss"),
    ("loss", "train_loss", None),
    ("loss", "train_loss", "val_loss"),
    ("mae", "mae", None),
    ("map50", None, "metrics/mAP50B"),
    ("map50-95", None, "metrics/mAP50-95B"),
    ("precision", None, "metrics/precisionB"),
    ("r2", "r2", None),
    ("recall", None, "metrics/recallB"),
    ("rmse", "rmse", None),
}


def test_stores_of_public_projects(shared_data, tmp_path):
    for packed in sorted((shared_data / "mlflow_stores").glob("*.tar.gz")):
        with tarfile.open(packed) as archive:
            archive.extractall(tmp_path, filter="data")
    before = fingerprint(tmp_path)
    roots = {m.parents[2] for m in tmp_path.rglob("meta.yaml") if "artifact_uri:" in m.read_text()}
    seen: dict[str, RunHistory | CopilotError] = {}
    for root in sorted(roots):
        store = source(root)
        for experiment in store.experiments():
            seen |= store.histories(run.run_id for run in store.runs(experiment.experiment_id))
        for model in store.registered_models():
            assert all(store.resolve(f"models:/{model.name}/{v.version}").run_id == v.run_id for v in model.versions)
    assert fingerprint(tmp_path) == before
    assert len(seen) == 89
    histories = [h for h in seen.values() if isinstance(h, RunHistory)]
    assert {str(e).partition(": ")[2].partition(".")[0] for e in seen.values() if isinstance(e, CopilotError)} == {
        "no metrics were logged"
    }
    assert {(p.quantity, p.train_name, p.val_name) for h in histories for p in h.pairs} == PUBLIC_PAIRS
    detector = next(h for h in histories if h.pairs[0].quantity == "box_loss")
    assert detector.epochs.tolist() == list(range(50))
    assert detector.pairs[3].val[49] == 0.98258, "the best weights' score was logged again under the last epoch"
    language = next(h for h in histories if h.pairs[0].val_name == "eval_loss")
    assert language.epochs[-1] < 25.1, "steps are batches; the epochs are in a metric"
    assert {h.n_epochs for h in histories} >= {5, 10, 12, 14, 30, 45, 50, 54, 59, 100}


# Servers.


@pytest.fixture
def server(tmp_path, free_port):
    """A real tracking server on an SQLite file of its own."""
    with serve(tmp_path / "mlflow.db", free_port()) as (url, _):
        yield url


@pytest.mark.slow
def test_server_file_and_folder_read_alike(server, tmp_path, monkeypatch):
    ids = write_with_client(server)
    environment = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    patient = {"timeout_s": 60}
    over_http, from_file = source(server, **patient), source(f"sqlite:///{tmp_path}/mlflow.db")
    for store in (over_http, from_file):
        assert {e.name for e in store.experiments()} == {"Default", "digits, first try"}
        assert [r.name for r in store.runs("digits, first try")] == ["fold 1", "wide net"]
        assert [r.name for r in store.runs(ids["experiment"], limit=1, newest_first=False)] == ["wide net"]
        history = store.history(ids["parent"])
        assert [(p.quantity, p.complete) for p in history.pairs] == [("loss", True), ("accuracy", True)]
        assert history.n_epochs == 30
        assert np.flatnonzero(history.pairs[0].bad_val).tolist() == [7]
        assert np.flatnonzero(history.pairs[1].bad_train).tolist() == [3]
        assert store.resolve("models:/digit-net@champion").run_id == ids["parent"]
        assert store.resolve("models:/digit-net/2").run_id == ids["child"]
        assert store.resolve("models:/digit-net").version == "2"
        with pytest.raises(NotFoundError, match="no run 'ffff"):
            store.history("f" * 32)
        with pytest.raises(NotFoundError, match="Did you mean 'digit-net'"):
            store.resolve("models:/digitnet/1")
    parent = over_http.run(ids["parent"])
    assert parent == from_file.run(ids["parent"])
    assert parent.datasets[0].source == "data/train"
    assert over_http.run(ids["child"]).parent_run_id == ids["parent"]
    for store in (over_http, from_file):
        assert [r.run_id for r in store.children(ids["parent"])] == [ids["child"]]
        assert store.children(ids["child"]) == []
    assert over_http.registered_models() == from_file.registered_models()
    both = [store.histories([ids["parent"], ids["child"]]) for store in (over_http, from_file)]
    assert [series_of(h) for h in both[0].values()] == [series_of(h) for h in both[1].values()]
    told = [store.subjects([parent])[ids["parent"]] for store in (over_http, from_file)]
    assert [subject.pop("tracking_uri") for subject in told] == [server, f"sqlite:///{tmp_path}/mlflow.db"]
    assert told[0] == told[1]
    now = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    assert now == environment, "the process's own MLflow must keep its settings"

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = tmp_path / "mlruns"
    ids = write_with_client(str(folder))
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    before = fingerprint(folder)
    on_disk = source(folder)
    assert [r.name for r in on_disk.runs("digits, first try")] == ["fold 1", "wide net"]
    again = on_disk.run(ids["parent"])
    same = ("name", "status", "end_time", "params", "datasets", "parent_run_id")
    assert [getattr(again, f) for f in same] == [getattr(parent, f) for f in same]
    assert again.tags["team"] == "vision"
    assert again.metrics["val_acc"] == parent.metrics["val_acc"]
    assert series_of(on_disk.history(ids["parent"])) == series_of(both[0][next(iter(both[0]))])
    assert [(m.name, [(v.version, v.aliases) for v in m.versions]) for m in on_disk.registered_models()] == [
        ("digit-net", [("2", ()), ("1", ("champion",))])
    ]
    assert on_disk.resolve("models:/digit-net@champion").run_id == ids["parent"]
    assert on_disk.run(ids["deleted"]).name == "mistake"
    assert fingerprint(folder) == before


def test_a_closed_port_is_told_at_once(free_port):
    url = f"http://me:secret@127.0.0.1:{free_port()}"
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"Nothing listens at http://\*\*\*@127") as caught:
        source(url).experiments()
    assert time.monotonic() - started < 10, "most of it is the import of MLflow"
    assert "secret" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ToolError, match="did not answer"):
            source(url, timeout_s=0.5, max_retries=1).experiments()
        assert time.monotonic() - started < 5


def test_the_default_limits_end_within_twenty_seconds():
    settings = MlflowSettings()
    assert settings.timeout_s * (settings.max_retries + 1) + 1 < 18


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply("<html>Welcome</html>"), "no MLflow tracking server"),
        (Reply("<html>Not found</html>", 404), r"no MLflow tracking server \(HTTP 404\)"),
        (Reply('{"detail": "Not Found"}', 404), r"no MLflow tracking server \(HTTP 404\)"),
        (Reply("[1, 2]"), "no MLflow tracking server"),
        (Reply('{"experiments": [3]}'), "no MLflow tracking server"),
        (Reply('{"experiments": 7}'), "no MLflow tracking server"),
        (Reply("[" * 100_000), "no MLflow tracking server"),
        (Reply("no", 401), r"refused access \(HTTP 401\).*MLFLOW_TRACKING_TOKEN"),
        (Reply("no", 403), r"refused access \(HTTP 403\)"),
        (Reply("busy", 503, {"Retry-After": "3600"}), r"out of order \(HTTP 503\)"),
        (
            Reply('{"error_code": "BAD", "message": "say \\u001b[31m please"}', 400),
            r"refused the request: say \[31m please",
        ),
        (Reply('{"experiments": [], "next_page_token": "again"}'), "page after page without end"),
    ],
    ids=lambda value: f"{value.status} {value.body[:20]}" if isinstance(value, Reply) else "",
)
def test_servers_that_are_not_mlflow(http_server, reply, message):
    url = http_server(lambda request: reply).url
    started = time.monotonic()
    with pytest.raises(ToolError, match=message) as caught:
        source(url).experiments()
    assert time.monotonic() - started < 10
    assert url in caught.value.message


def test_a_browser_address_and_credentials_work(http_server):
    seen = http_server(lambda request: json.dumps({"experiments": [{"experiment_id": "1", "name": "a\u202eb"}]}))
    url = seen.url.replace("http://", "http://me:secret@")
    store = source(f"{url}/#/experiments/1")
    assert [e.name for e in store.experiments()] == ["a b"]
    assert "secret" not in store.public_uri
    assert all(r.path == "/api/2.0/mlflow/experiments/search" for r in seen.requests)
    assert all(r.headers["Authorization"].startswith("Basic ") for r in seen.requests)
