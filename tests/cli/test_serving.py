"""dashboard, demo and worker: which port and address they take, and how they refuse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from copilot.cli import serving
from copilot.errors import InputError, ToolError


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--port", "99999"], ["--port", "65535"]),
        (["--port", "abc"], ["--port", "abc"]),
        (["--host", "203.0.113.7"], ["203.0.113.7", "127.0.0.1"]),
        (["--host", "no such host"], ["no such host"]),
        (["--config", "nope.yaml"], ["nope.yaml"]),
    ],
)
def test_bad_addresses_and_settings_are_one_line(run, options, named):
    run("dashboard", *options).fails(2, *named)


@pytest.mark.parametrize("command", ["dashboard", "demo"])
def test_a_port_that_is_taken_is_named_at_once(run, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run(command, "--port", port).fails(2, str(port), "--port 0")


def test_without_a_port_the_next_free_one_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = serving._choose_port("127.0.0.1", None, port)
        assert port < chosen < port + 20
        assert serving._choose_port("127.0.0.1", 0, port) not in (0, port)
        with pytest.raises(InputError, match=str(port)):
            serving._choose_port("127.0.0.1", port, 8501)


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]")]
)
def test_the_address_shown_can_be_opened(host, shown):
    assert serving._reachable(host) == shown


def test_a_server_that_ends_at_once_is_told_with_its_last_line(tmp_path):
    log = tmp_path / "dashboard.log"
    log.write_text("Traceback\nModuleNotFoundError: No module named 'x'\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(ToolError, match="No module named 'x'"):
        serving._wait_until_up(ended, "http://127.0.0.1:9", log)


def test_worker_and_demo_refuse_a_wrong_settings_file(run):
    run("worker", "--config", "nope.yaml").fails(2, "nope.yaml")
    run("demo", "--config", "nope.yaml").fails(2, "nope.yaml")


@pytest.mark.slow
def test_the_dashboard_starts_serves_and_stops(tmp_path, home):
    pytest.importorskip("streamlit")
    command = [sys.executable, "-m", "copilot.cli.main", "dashboard", "--port", "0", "--no-browser"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | {"MLOPS_COPILOT_HOME": str(home)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Dashboard: http://127.0.0.1:")
            with urllib.request.urlopen(line.split()[1], timeout=20) as page:
                assert page.status == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []
