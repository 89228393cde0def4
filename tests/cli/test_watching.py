"""``mlops-copilot watch`` on a real MLflow store that another process writes meanwhile."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.runs_folder import EXPERIMENT, RUNS

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
# A training script that overfits; each line on stdin lets it go on: `epochs`, then `end`.
TRAINING = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("vision")
with mlflow.start_run(run_name="night run; $(id)") as run:
    mlflow.log_metrics({"train_loss": 2.0, "val_loss": 2.1}, step=0)
    print(run.info.run_id, flush=True)
    sys.stdin.readline()
    for epoch in range(1, 45):
        val = 2.1 - 0.08 * min(epoch, 20) + 0.03 * max(epoch - 20, 0) + 0.002 * (-1) ** epoch
        mlflow.log_metrics({"train_loss": 2.0 / (1 + 0.1 * epoch), "val_loss": val}, step=epoch)
    print("logged", flush=True)
    sys.stdin.readline()
"""
NOTIFY = """
import json, os, sys
own = {k: os.environ[f"MLOPS_COPILOT_{k}"] for k in ("RUN_ID", "RUN_NAME", "KIND", "REASON")}
open(sys.argv[1], "a").write(json.dumps([own, json.load(sys.stdin)]) + "\\n")
"""


@contextmanager
def training(store: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    command = [sys.executable, "-c", TRAINING, f"sqlite:///{store}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=store.parent, env=ENVIRONMENT, stderr=subprocess.DEVNULL, **pipes) as writer:
        try:
            yield writer, writer.stdout.readline().strip()
        finally:
            writer.kill()


def tell(writer: subprocess.Popen) -> None:
    writer.stdin.write("\n")
    writer.stdin.flush()


def watcher(uri: str, experiment: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "copilot.cli.main", "watch", "--experiment", experiment]
    command += ["--tracking-uri", uri, "--interval", "0.2", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=ENVIRONMENT, **pipes)


@pytest.mark.slow
def test_a_running_run_is_watched_until_it_ends(tmp_path, http_server):
    hook = http_server(lambda request: "thanks")
    heard = tmp_path / "heard.jsonl"
    command = shlex.join([sys.executable, "-c", NOTIFY, str(heard)])
    with training(tmp_path / "mlflow.db") as (writer, run_id):
        sinks = ("--format", "json", "--webhook", hook.url, "--command", command)
        watch = watcher(f"sqlite:///{tmp_path / 'mlflow.db'}", "vision", "--until-finished", *sinks)
        assert watch.stderr.readline() == "Watching. Ctrl+C stops it.\n"
        tell(writer)
        assert writer.stdout.readline() == "logged\n"
        told = [json.loads(watch.stdout.readline())]
        while told[-1]["kind"] != "stop":  # it comes while the run still runs
            told.append(json.loads(watch.stdout.readline()))
        stop = told[-1]
        assert writer.poll() is None
        tell(writer)
        told += [json.loads(line) for line in watch.stdout]  # communicate() would lose what readline() has buffered
        assert (watch.wait(timeout=60), watch.stderr.read()) == (0, "")
    assert {alert["run_id"] for alert in told} == {run_id}
    assert len({alert["kind"] for alert in told}) == len(told)
    assert stop["best_epoch"] in (20, 21)
    assert [json.loads(request.body) for request in hook.requests] == told
    lines = [json.loads(line) for line in heard.read_text().splitlines()]
    assert [document for _, document in lines] == told
    own = next(values for values, document in lines if document == stop)
    assert (own["RUN_ID"], own["KIND"], own["REASON"]) == (run_id, "stop", stop["reason"])
    assert own["RUN_NAME"] == "night run; $(id)"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_being_stopped_is_its_ordinary_end_and_a_dead_webhook_is_a_line(name, store, free_port):
    _set_running(store)
    watch = watcher(str(store), EXPERIMENT, "--webhook", f"http://127.0.0.1:{free_port()}/secret-path")
    line = watch.stdout.readline()
    while " stop: " not in line:
        line = watch.stdout.readline()
    watch.send_signal(getattr(signal, name))
    out, err = watch.stdout.read(), watch.stderr.read()
    assert watch.wait(timeout=30) == 0
    assert " stop: " not in out
    assert f"climbing ({RUNS['climbing'][:8]})" in line
    assert "Traceback" not in err
    assert "secret-path" not in err
    assert "The webhook at 127.0.0.1 could not be reached. Check the address." in err.splitlines()


def test_a_look_at_runs_that_are_over_says_nothing(run, store):
    ended = run("watch", "--experiment", EXPERIMENT, "--tracking-uri", store, "--once")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended = run("watch", "--experiment", EXPERIMENT, "--tracking-uri", store, "--until-finished", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def _set_running(store: Path) -> None:
    for meta in store.glob("*/*/meta.yaml"):
        meta.write_text(meta.read_text().replace("status: 3", "status: 1"))


def test_one_look_prints_lines_or_writes_a_file(run, store, tmp_path):
    _set_running(store)
    common = ("watch", "--experiment", EXPERIMENT, "--tracking-uri", store, "--once")
    ended = run(*common)
    assert ended.code == 0
    assert any("climbing (bbbbbbbb)  stop: Validation loss has risen" in line for line in ended.out.splitlines())
    assert "steady" not in ended.out
    written = run(*common, "--format", "json", "--output", tmp_path / "alerts.jsonl")
    assert (written.code, written.out) == (0, "")
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert "stop" in {alert["kind"] for alert in alerts}


def test_what_is_wrong_is_told_at_once(run, store, tmp_path, free_port):
    base = ("watch", "--experiment", EXPERIMENT, "--tracking-uri", store)
    run(*base, "--webhook", "hooks.example.org").fails(2, "no web address")
    run(*base, "--command", "no-such-program").fails(2, "no-such-program")
    run(*base, "--once", "--output", tmp_path / "none" / "x").fails(2, "cannot be written")
    run("watch", "--experiment", "visoin", "--tracking-uri", store, "--once").fails(2, "visoin")
    run("watch", "--tracking-uri", store, "--once").fails(2, "No experiment was named", EXPERIMENT)
    run("watch", "--once", "--experiment", "x").fails(2, "No MLflow tracking URI")
    address = f"http://127.0.0.1:{free_port()}"
    run("watch", "--once", "--experiment", "x", "--tracking-uri", address).fails(3, address)
    assert run(*base, "--interval", "0").code == 2
