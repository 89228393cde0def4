"""Background jobs with a real queue, a real store and real worker processes."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from copilot import jobs
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.jobs import WorkerProcess
from copilot.jobs.handover import with_secrets_of, worker_environment
from copilot.jobs.kinds import VERBS, as_json
from copilot.jobs.queue import Queue
from copilot.store import Store
from copilot.utils.config import Settings
from tests.job_kinds import KINDS
from tests.test_store import HOSTILE, analysis

WORKER = [sys.executable, str(Path(__file__).parent / "job_kinds.py")]


@pytest.fixture(autouse=True)
def _test_kinds(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, kind in KINDS.items():
        monkeypatch.setitem(jobs.JOB_KINDS, name, kind)


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.03)
    return value


@pytest.fixture
def start():
    started = []

    def start_worker(settings=None, command=WORKER):
        started.append(WorkerProcess(settings or Settings(), command))
        started[-1].start()
        until(jobs.worker_pid)
        return started[-1]

    yield start_worker
    for worker in started:
        worker.stop()


def running(job_id):
    return until(lambda: (job := jobs.status(job_id)).state == "running" and job)


def logged(home):
    return (home / "worker.log").read_text()


def test_the_life_of_jobs_in_one_worker(home, start):
    """Done, failed, cancelled and waiting jobs, the lock, settings and a clean stop share one worker."""
    secret = Settings(
        mlflow={"tracking_uri": "https://ann:hunter2@host/", "experiment_name": "worker's"},
        research={"semantic_scholar_key": "hunter3"},
    )
    early = jobs.submit("count", {"steps": 40}, secret)
    assert jobs.status(early).state == "queued"
    worker = start(secret)

    seen = set()
    until(lambda: seen.add((job := jobs.status(early)).message) or not job.active)
    done = jobs.status(early)
    assert (done.state, done.progress, done.error) == ("done", 1.0, "")
    assert done.result == {"steps": 40, "pid": worker.pid, "path": "a/b", "gap": None}
    assert len([line for line in seen if line.startswith("step ")]) >= 2
    assert done.pid == worker.pid == jobs.worker_pid()

    # the job's own settings, with the worker's secrets; nothing secret is written down
    theirs = secret.model_copy(update={"executor": secret.executor.model_copy(update={"workers": 1})})
    theirs.mlflow.experiment_name = "job's"
    echoed = jobs.wait(jobs.submit("echo", {"n": [1, {"a": "é\u202e"}], "file": Path("x.csv")}, theirs)).result
    assert echoed["payload"] == {"n": [1, {"a": "é\u202e"}], "file": "x.csv"}
    assert (echoed["experiment"], echoed["workers"]) == ("job's", 1)
    assert (echoed["address_length"], echoed["has_key"]) == (len("https://ann:hunter2@host/"), True)
    other = Settings(mlflow={"tracking_uri": "https://ann:hunter4@elsewhere/"})
    refused = jobs.wait(jobs.submit("echo", {}, other))
    assert refused.state == "failed"
    assert "does not know the password or key in mlflow.tracking_uri" in refused.error

    # failures are one line, and the worker goes on
    for how, says in (
        ("input", "The run is not there. Pick another."),
        ("surprise", "RuntimeError: at https://***@host/ surprise"),
        ("exit", "SystemExit: 5"),
        ("object", "a object cannot be kept"),
    ):
        failed = jobs.wait(jobs.submit("fail", {"how": how}))
        assert (failed.state, failed.result) == ("failed", None)
        assert says in failed.error
        assert "\n" not in failed.error
    assert jobs.wait(jobs.submit("echo", {"steps": 1})).state == "done"
    wrong = jobs.wait(jobs.submit("count", {"stepz": 1}))
    assert "unexpected keyword argument 'stepz'" in wrong.error

    # cancel: a running job within two seconds, a waiting one before it starts
    slow = [jobs.submit("count", {"steps": 1000}) for _ in range(3)]
    for job_id in slow[:2]:
        running(job_id)
    assert jobs.status(slow[2]).state == "queued"
    assert {job.id for job in jobs.list_jobs(active_only=True)} == set(slow)
    assert jobs.cancel(slow[2])
    asked = time.monotonic()
    assert jobs.cancel(slow[0])
    assert jobs.status(slow[0]).state == "cancelled"
    assert jobs.wait(jobs.submit("echo", {}), 5).state == "done"  # its thread is free again
    assert time.monotonic() - asked < 2
    assert jobs.status(slow[2]).started_at is None
    assert not jobs.cancel(slow[0])

    # one worker only
    second = subprocess.run([*WORKER, "--parent", str(os.getpid())], capture_output=True, text=True, timeout=60)
    assert (second.returncode, "already runs" in second.stderr, f"process {worker.pid}" in second.stderr) == (
        2,
        True,
        True,
    )
    another = WorkerProcess(secret, WORKER)
    another.start()
    assert not another.running

    # SIGTERM ends it within five seconds, a deaf job notwithstanding
    deaf = jobs.submit("deaf", {"seconds": 60})
    jobs.cancel(slow[1])
    running(deaf)
    asked = time.monotonic()
    worker.stop()
    assert time.monotonic() - asked < 5
    assert (jobs.status(deaf).state, jobs.worker_pid()) == ("lost", None)
    assert "Retry" in jobs.status(deaf).error

    files = [path for path in home.iterdir() if path.is_file()]
    assert {"store.db", "queue.db", "worker.log"} <= {path.name for path in files}
    assert not [path.name for path in files if b"hunter" in path.read_bytes()]
    assert "https://***@host/" in logged(home)


def test_a_killed_worker_loses_one_job_and_no_other(home, start):
    first = start(Settings(executor={"workers": 1}))
    held = jobs.submit("count", {"steps": 100_000})
    waiting = jobs.submit("count", {"steps": 2})
    running(held)
    os.kill(first.pid, signal.SIGKILL)
    first._child.wait()

    lost = jobs.status(held)
    assert (lost.state, lost.active, lost.finished_at is None) == ("lost", False, False)
    assert lost.error == "The worker stopped while it ran this job. Start it again with Retry."
    assert [job.state for job in jobs.list_jobs()] == ["queued", "lost"]

    with sqlite3.connect(home / "queue.db") as queue:  # a crash can also take a job out of the queue
        assert queue.execute("DELETE FROM task").rowcount >= 1
    second = start()
    assert jobs.wait(waiting, 20).result["pid"] == second.pid
    again = jobs.retry(held)
    assert running(again).payload == {"steps": 100_000}
    with pytest.raises(InputError, match="has not ended"):
        jobs.retry(again)
    jobs.cancel(again)


PARENT = """
import os, subprocess, sys, time
print(subprocess.Popen([*sys.argv[1:], "--parent", str(os.getpid())]).pid, flush=True)
time.sleep(60)
"""


def test_a_worker_ends_with_its_parent(home):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *WORKER], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    until(jobs.worker_pid)
    parent.kill()
    parent.wait()
    child.wait(5)
    assert jobs.worker_pid() is None


def test_the_real_worker_runs_real_verbs_only(home, start):
    """Starts ``python -m copilot.jobs`` itself: a kind that only the test knows is refused there."""
    (Path.cwd() / "copilot").mkdir()
    (Path.cwd() / "copilot" / "__init__.py").write_text("raise SystemExit('a file in the working folder ran')")
    start(command=None)
    refused = jobs.wait(jobs.submit("echo", {}))
    assert refused.state == "failed"
    assert "knows no job of kind 'echo'" in refused.error
    partial = jobs.wait(jobs.submit("compare_data", {"rev_a": "v1"}))
    assert "cannot run with these arguments: missing a required argument: 'rev_b'" in partial.error
    with Store() as store:
        saved = store.save_analysis(analysis(HOSTILE))
    written = jobs.wait(jobs.submit("report", {"analysis_id": saved, "formats": ["json"], "output_dir": Path.cwd()}))
    assert (written.state, written.error) == ("done", "")
    assert json.loads(Path(written.result[0]).read_text())["subject"]["run_id"] == HOSTILE


def test_a_worker_that_cannot_start_says_why(home):
    worker = WorkerProcess(Settings(store={"url": "sqlite:////nowhere/store.db"}))
    worker.start()
    until(lambda: not worker.running)
    with pytest.raises(ToolError, match=r"The worker stopped: The store /nowhere/store\.db cannot be opened"):
        worker.start()


def test_a_silent_worker_is_taken_for_lost(home):
    with Store() as store:
        quiet, alive = store.add_job("echo", {}), store.add_job("echo", {})
        for job_id in (quiet, alive):
            store.claim_job(job_id, os.getpid(), jobs.queue.host_name())
    with sqlite3.connect(home / "store.db") as raw:
        raw.execute("UPDATE jobs SET heartbeat_at = datetime('now', '-20 seconds') WHERE id = ?", (quiet,))
    assert (jobs.status(quiet).state, jobs.status(alive).state) == ("lost", "running")


# submitting


def test_bad_submissions_are_refused():
    for kind, payload, says in (
        ("analyze_modle", {}, "Did you mean 'analyze_model'?"),
        ("os.system", {"command": "id"}, "no job of kind 'os.system'"),
        ("scan", {"x": object()}, "takes plain values only"),
        ("scan", {"settings": {}}, "without settings and progress"),
        ("scan", ["x"], "keyword arguments"),
        ("scan", {"x": "y" * 1_000_001}, "too large"),
        ("scan", {"x": [{"uri": "https://ann:hunter2@host"}]}, "hold a password or key"),
    ):
        with pytest.raises(InputError) as error:
            jobs.submit(kind, payload, Settings())
        assert says in str(error.value)
        assert "hunter2" not in str(error.value)
    assert jobs.list_jobs() == []
    with pytest.raises(NotFoundError):
        jobs.status("nothing")
    with pytest.raises(NotFoundError):
        jobs.cancel("nothing")


def test_the_queue_is_json_and_never_pickle(home):
    job_id = jobs.submit("scan", {"experiment": "digits"}, Settings())
    with sqlite3.connect(home / "queue.db") as raw:
        (data,) = raw.execute("SELECT data FROM task").fetchone()
        assert json.loads(data)[6] == [job_id]
        raw.execute("UPDATE task SET data = ?", (b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",))
    with Queue() as queue:
        assert queue.waiting() == set()  # a message that is not JSON is no job, and nothing ran
    assert not Path("/tmp/owned").exists()


def test_a_broken_queue_file_is_one_line(home):
    (home / "queue.db").write_text("not a queue " * 1000)
    with pytest.raises(ToolError, match=r"queue\.db cannot be used: file is not a database"):
        jobs.submit("scan", {}, Settings())


def test_waiting_ends_at_its_timeout():
    job_id = jobs.submit("scan", {}, Settings())
    started = time.monotonic()
    assert jobs.wait(job_id, 0.3).state == "queued"
    assert 0.25 < time.monotonic() - started < 2


# settings and results


def test_a_child_gets_exactly_these_settings(monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_MLFLOW__TRACKING_URI", "http://inherited")
    monkeypatch.setenv("MLOPS_COPILOT_LOG_FORMAT", "json")
    settings = Settings(
        mlflow={"tracking_uri": "https://ann:hunter2@host/", "experiment_name": None},
        detection={"thresholds": {"train_val_gap": 0.2}, "ignore": ["OVF101"], "metrics": ["f1", "loss"]},
        research={"semantic_scholar_key": "hunter3"},
    )
    environment = worker_environment(settings)
    assert environment["MLOPS_COPILOT_LOG_FORMAT"] == "json"
    for key in [key for key in os.environ if key.startswith("MLOPS_COPILOT_")]:
        monkeypatch.delenv(key)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert Settings() == settings


def test_settings_of_another_version_are_an_input_error():
    public = Settings().public() | {"mlflow": {"invented": 1}}
    with pytest.raises(InputError, match="does not know the setting invented"):
        with_secrets_of(Settings(), public)


def test_results_become_json():
    class Result:
        def to_json(self):
            return '{"verdict": "healthy", "gap": NaN}'

    assert as_json([Result(), Settings().chat, Path("a"), (1, 2.5, True, None, float("inf"))]) == [
        {"verdict": "healthy", "gap": None},
        {"suggestions": 4},
        "a",
        [1, 2.5, True, None, None],
    ]
    with pytest.raises(TypeError, match="a set cannot be kept"):
        as_json({"x": {1}})


def test_every_verb_is_a_kind():
    data = {"compare_data", "data_drift", "describe_data", "inspect_data"}
    assert set(VERBS) == {"analyze_model", "scan", "validate", "research", "report"} | data
    assert set(VERBS) | set(KINDS) == set(jobs.JOB_KINDS)
