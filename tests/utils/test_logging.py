from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

from copilot.utils.logging import get_logger, no_telemetry, set_up_logging


@pytest.fixture(autouse=True)
def _as_before():
    own, root = logging.getLogger("copilot"), logging.getLogger()
    before = own.handlers[:], own.propagate, own.level, root.level
    yield
    own.handlers[:], own.propagate = before[0], before[1]
    own.setLevel(before[2])
    root.setLevel(before[3])


def test_a_library_stays_silent_and_touches_no_one_elses_logging():
    code = (
        "import logging; from copilot.utils.logging import get_logger\n"
        "for _ in range(5): get_logger('copilot.x').warning('unheard', a=1)\n"
        "assert logging.getLogger().handlers == [] and logging.getLogger().level == logging.WARNING\n"
        "assert len(logging.getLogger('copilot').handlers) == 1"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_warnings_reach_stderr_and_details_only_with_debug(capsys):
    for debug, lines in ((False, ["told"]), (True, ["detail", "told"])):
        set_up_logging(debug)
        get_logger("copilot.test").debug("detail")
        get_logger("copilot.test").warning("told", runs=12)
        printed = capsys.readouterr()
        assert printed.out == ""
        assert [line for line in lines if line not in printed.err] == []
        assert printed.err.count("\n") == len(lines)
        assert "runs=12" in printed.err


def test_json_lines_for_machines(capsys, monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_LOG_FORMAT", "json")
    set_up_logging()
    try:
        raise ValueError("bad\nvalue")
    except ValueError as error:
        get_logger("copilot.test").error("it failed", exc_info=error, run="a\nb")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["run"]) == ("it failed", "error", "a\nb")
    assert "ValueError: bad" in entry["exception"]
    assert entry["timestamp"].endswith("Z")


def test_setting_up_twice_tells_a_line_once(capsys):
    set_up_logging()
    set_up_logging()
    get_logger("copilot.test").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_telemetry_is_off_unless_a_person_chose_otherwise(monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "chosen")
    no_telemetry()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["ANONYMIZED_TELEMETRY"] == "chosen"
