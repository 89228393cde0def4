"""The command itself: help, wrong usage, exit codes, and errors as one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from copilot import __version__
from copilot.analyzer import CopilotAnalyzer
from copilot.cli.main import _COMMANDS
from tests.runs_folder import curves_of, write_csv

HEAVY = (
    "numpy", "scipy", "pandas", "pydantic", "mlflow", "torch", "streamlit", "deepchecks", "dvc", "chromadb", "plotly",
    "sqlalchemy", "rich", "yaml", "structlog", "weasyprint", "huey",
)  # fmt: skip


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom copilot.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("LOADED []\n")
    assert [name for name in _COMMANDS if f"  {name} " not in ended.stdout] == []


def test_importing_the_package_loads_nothing_heavy_and_both_names_are_one_module():
    code = (
        "import sys, mlops_copilot, copilot\nassert mlops_copilot is copilot\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])\n"
        "from mlops_copilot import CopilotAnalyzer\nassert CopilotAnalyzer.__module__ == 'copilot.analyzer'"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_version(run):
    assert run("--version").out == f"mlops-copilot, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], ["No command", "mlops-copilot demo"]),
        (["frobnicate"], ["'frobnicate'", "mlops-copilot --help"]),
        (["analyse"], ["'analyse'", "'analyze'"]),
        (["--nope"], ["--nope"]),
        (["analyze", "--nope"], ["--nope", "mlops-copilot analyze --help"]),
        (["analyze", "--history"], ["--history"]),
        (["analyze", "--format", "docx"], ["--format", "docx", "sarif"]),
        (["config"], ["`mlops-copilot config`", "check, init, show"]),
        (["checks"], ["`mlops-copilot checks`", "explain, list"]),
        (["data"], ["`mlops-copilot data`", "check, describe, diff"]),
        (["checks", "lst"], ["'lst'", "'list'"]),
        (["x\n\x1b[31m\u202ey"], ["Unknown command 'x [31m y'"]),
        (["frob" * 50], ["Unknown command"]),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, named):
    run(*arguments).fails(2, *named)


def test_a_fault_of_ours_is_one_line_and_exit_3(run, monkeypatch):
    def broken(self):
        raise RuntimeError("first\nsecond " + "x" * 5000)

    monkeypatch.setattr(CopilotAnalyzer, "health", broken)
    ended = run("doctor")
    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert ended.err.startswith("Error: Unexpected RuntimeError: first second")
    assert "--debug" in ended.err
    assert len(ended.err) < 400


def test_ctrl_c_ends_without_a_traceback(run, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(CopilotAnalyzer, "health", interrupted)
    assert run("doctor").err.splitlines()[-1] == "Error: Stopped."


def test_debug_shows_where_and_keeps_the_exit_code(run):
    ended = run("analyze", "--history", "nope.csv", "--debug")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Traceback (most recent call last)")
    assert "history_files.py" in ended.err
    assert ended.err.splitlines()[-1] == "Error: nope.csv does not exist. Check the path."


def test_a_reader_that_has_left_does_not_change_the_exit_code(tmp_path):
    curves = write_csv(tmp_path / "run.csv", curves_of("climbing"))
    command = [sys.executable, "-m", "copilot.cli.main", "analyze", "--history", str(curves), "--fail-on", "medium"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
