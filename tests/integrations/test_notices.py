"""Webhooks and commands: what they get, and that every failure is one line without a secret."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from copilot.errors import InputError, ToolError
from copilot.integrations.notices import check_command, check_webhook, post, run_command
from tests.conftest import Reply

TEXT = '{"kind": "stop"}'
SECRET = "s3cr3t-t0ken"


def test_a_webhook_gets_the_json(http_server):
    server = http_server(lambda request: "thanks")
    post(check_webhook(f"{server.url}/hook?token={SECRET}"), TEXT, 5.0)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook", TEXT.encode())
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_one_line(http_server, status):
    elsewhere = http_server(lambda request: "caught")
    server = http_server(lambda request: Reply(b"no", status, {"Location": elsewhere.url}))
    with pytest.raises(ToolError, match=f"127.0.0.1 answered HTTP {status}") as raised:
        post(f"{server.url}/{SECRET}?token={SECRET}", TEXT, 5.0)
    assert SECRET not in str(raised.value)
    assert elsewhere.requests == []


def test_a_webhook_out_of_reach_or_slow_is_one_line(http_server, free_port):
    with pytest.raises(ToolError, match="could not be reached") as raised:
        post(f"http://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}", TEXT, 5.0)
    assert SECRET not in str(raised.value)
    slow = http_server(lambda request: time.sleep(1) or "late")
    with pytest.raises(ToolError, match=r"did not answer within 0\.2 s"):
        post(slow.url, TEXT, 0.2)


@pytest.mark.parametrize(
    "url", ["", "hooks.example.org/x", "ftp://example.org", "http://", "http://a:99999", "file:///x"]
)
def test_a_webhook_must_be_a_web_address(url):
    with pytest.raises(InputError, match="no web address"):
        check_webhook(url)


def test_a_wrong_address_is_shown_without_its_password():
    with pytest.raises(InputError, match="no web address") as raised:
        check_webhook(f"ftp://me:{SECRET}@host")
    assert SECRET not in str(raised.value)


def _python(code: str, *arguments: str) -> str:
    return shlex.join([sys.executable, "-c", code, *arguments])


def test_a_command_gets_json_and_environment_and_no_shell_sees_it(tmp_path: Path):
    code = (
        "import json, os, sys; own = {k: v for k, v in os.environ.items() if k.startswith('MLOPS_COPILOT_RE')};"
        "json.dump([sys.stdin.read(), own, sys.argv[2:]], open(sys.argv[1], 'w'))"
    )
    hostile = "$(touch pwned) `id` ; rm -rf / \n\x00\x1b[2J"
    words = check_command(_python(code, str(tmp_path / "got"), "$HOME; $(id)"))
    run_command(words, TEXT, {"reason": hostile, "report": None}, 20.0)
    stdin, own, arguments = json.loads((tmp_path / "got").read_text())
    assert stdin == TEXT
    assert own == {"MLOPS_COPILOT_REASON": "$(touch pwned) `id` ; rm -rf / [2J"}
    assert arguments == ["$HOME; $(id)"]
    assert not (tmp_path / "pwned").exists()


def test_a_command_that_fails_is_one_line():
    words = check_command(_python("import sys; print('first\\nno room', file=sys.stderr); sys.exit(3)"))
    with pytest.raises(ToolError, match="ended with code 3: no room"):
        run_command(words, TEXT, {}, 20.0)
    with pytest.raises(ToolError, match=r"took longer than 0\.2 s"):
        run_command(check_command(_python("import time; time.sleep(20)")), TEXT, {}, 0.2)
    run_command(check_command(_python("pass")), TEXT * 100_000, {}, 20.0)  # it may leave stdin unread


def test_a_command_is_checked_beforehand(tmp_path: Path):
    with pytest.raises(InputError, match="Close every quote"):
        check_command("notify 'me")
    for nothing in ("", "no-such-program --x", "echo;ls"):
        with pytest.raises(InputError, match="There is no program"):
            check_command(nothing)
    plain = tmp_path / "plain.txt"
    plain.write_text("not a program")
    plain.chmod(0o755)
    with pytest.raises(ToolError, match="cannot be started"):
        run_command([str(plain)], TEXT, {}, 5.0)
