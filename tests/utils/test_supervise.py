"""The supervised child: limits, cancel, errors, environment and what is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil
import pytest

from copilot.errors import InputError, JobCancelled, MissingExtraError, NotFoundError, ToolError
from copilot.utils.supervise import in_supervised_child, run_supervised

STEPS = """
import os, subprocess, sys, time
from copilot.errors import MissingExtraError, NotFoundError
from copilot.utils.supervise import in_supervised_child

def double(payload, progress):
    print("a library prints to stdout")
    progress(0.5, "half\\x1b[31m way")
    time.sleep(0.5)
    return {"value": 2 * payload["value"], "supervised": in_supervised_child(), "cwd": os.getcwd()}

def environment(payload, progress):
    return {"env": dict(os.environ)}

def sleep(payload, progress):
    progress(0.1, "sleeping")
    open(payload["pid"], "w").write(str(os.getpid()))
    time.sleep(60)

def grow(payload, progress):
    hold = []
    while True:
        hold.append(bytearray(os.urandom(1) * 20_000_000))
        time.sleep(0.02)

def die(payload, progress):
    os.kill(os.getpid(), payload["signal"])

def crash(payload, progress):
    raise RuntimeError("no such \\x1b[2Jthing at http://user:hunter2@host/")

def missing_file(payload, progress):
    raise NotFoundError("Image folder not found: x", "Pass a folder.")

def missing_extra(payload, progress):
    raise MissingExtraError("Deepchecks suites", "deepchecks")

def family(payload, progress):
    code = "import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    open(payload["pid"], "w").write(str(child.pid))
    if payload["stay"]:
        time.sleep(60)
    time.sleep(0.6)
    return {}
"""


@pytest.fixture(scope="module", autouse=True)
def steps(tmp_path_factory):
    """Steps that the child finds inside the package, because its start-up file adds a folder to it."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "steps_for_tests.py").write_text(STEPS)
    (folder / "sitecustomize.py").write_text(f"import copilot\ncopilot.__path__.append({str(folder)!r})\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


def run(name, payload=None, *, timeout_s=30.0, memory_limit_gb=2.0, **options):
    target = f"copilot.steps_for_tests:{name}"
    return run_supervised(target, payload or {}, timeout_s=timeout_s, memory_limit_gb=memory_limit_gb, **options)


def wait_gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def our_children():
    """Supervised children of this process; another test's worker pool does not count."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("supervise" in word for word in child.cmdline()) or child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_result_and_progress_come_back_and_library_output_does_not():
    seen = []
    result = run("double", {"value": 21}, progress=lambda *step: seen.append(step))
    assert result["value"] == 42
    assert result["supervised"] is True
    assert not os.path.exists(result["cwd"])  # its folder goes with it
    assert seen[0] == (0.0, "Starting")
    assert seen[-1] == (0.5, "half [31m way")
    assert not in_supervised_child()


def test_environment_is_an_allow_list(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("WANTED", "yes")
    monkeypatch.setenv("MLOPS_COPILOT_HOME", "/tmp/home")
    env = run("environment", pass_env=["WANTED", "NOT_THERE"])["env"]
    assert "hunter2" not in str(env)
    assert env["WANTED"] == "yes"
    assert env["MLOPS_COPILOT_HOME"] == "/tmp/home"
    assert env["TMPDIR"].startswith(tempfile.gettempdir())
    assert not os.path.exists(env["TMPDIR"])  # what the child leaves there goes with it
    assert env["DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY"] == "True"
    assert "NOT_THERE" not in env


def test_timeout_stops_the_child_and_names_the_setting(tmp_path):
    begin = time.monotonic()
    with pytest.raises(ToolError) as caught:
        run("sleep", {"pid": str(tmp_path / "pid")}, timeout_s=1.5, section="deepchecks")
    assert time.monotonic() - begin < 6
    assert "1.5 s" in caught.value.message
    assert "deepchecks.timeout_s" in caught.value.hint
    assert wait_gone(int((tmp_path / "pid").read_text()))
    assert our_children() == []


def test_memory_limit_stops_the_child_and_names_the_setting():
    with pytest.raises(ToolError) as caught:
        run("grow", memory_limit_gb=0.2, section="deepchecks")
    assert "0.2 GB" in caught.value.message
    assert "deepchecks.memory_limit_gb" in caught.value.hint
    assert our_children() == []


def test_cancel_kills_a_silent_child_at_once(tmp_path):
    file = tmp_path / "pid"
    stop = threading.Event()

    def progress(fraction, text):
        if stop.is_set():
            raise JobCancelled("Stopped.")
        if file.is_file():
            stop.set()

    with pytest.raises(JobCancelled):
        run("sleep", {"pid": str(file)}, progress=progress)
    assert wait_gone(int(file.read_text()), seconds=1.0)
    assert our_children() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_child_is_a_tool_error(number):
    with pytest.raises(ToolError, match=signal.Signals(number).name):
        run("die", {"signal": int(number)})


def test_a_crash_is_one_clean_line_with_the_rest_in_a_note():
    with pytest.raises(ToolError) as caught:
        run("crash")
    assert "RuntimeError: no such [2Jthing" in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" in caught.value.__notes__[0]
    assert "hunter2" not in caught.value.__notes__[0]


def test_our_errors_cross_as_the_same_class():
    with pytest.raises(NotFoundError, match="Image folder not found: x") as caught:
        run("missing_file")
    assert caught.value.hint == "Pass a folder."
    with pytest.raises(MissingExtraError) as caught:
        run("missing_extra")
    assert caught.value.exit_code == 3
    assert "mlops-copilot[deepchecks]" in caught.value.hint


@pytest.mark.parametrize("target", ["os:system", "copilot", "copilot.utils.supervise", "copilotx.a:b", "copilot.a:b.c"])
def test_only_functions_of_the_package_run(target):
    with pytest.raises(InputError):
        run_supervised(target, {}, timeout_s=5, memory_limit_gb=1)


def test_a_name_that_a_module_only_imported_does_not_run():
    with pytest.raises(InputError):
        run_supervised("copilot.utils.supervise:clean_text", {}, timeout_s=30, memory_limit_gb=1)


def test_grandchildren_in_a_session_of_their_own_are_ended_too(tmp_path):
    for name, stay in (("a", True), ("b", False)):
        file = tmp_path / name
        if stay:
            with pytest.raises(ToolError):
                run("family", {"pid": str(file), "stay": True}, timeout_s=2.0)
        else:
            run("family", {"pid": str(file), "stay": False})
        assert wait_gone(int(file.read_text()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel call is Linux's")
def test_the_child_dies_with_its_parent(tmp_path):
    file = tmp_path / "pid"
    code = (
        "from copilot.utils.supervise import run_supervised\n"
        f"run_supervised('copilot.steps_for_tests:sleep', {{'pid': {str(file)!r}}}, timeout_s=60, memory_limit_gb=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})
    end = time.monotonic() + 20
    while not (file.is_file() and file.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert wait_gone(int(file.read_text()))
