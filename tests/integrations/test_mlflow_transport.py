"""Requests to tracking servers: bounded against hostile ones, signed in as MLflow is, in one line when they fail."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from urllib3.exceptions import InsecureRequestWarning

from copilot.errors import ConfigError, NotFoundError, ToolError
from copilot.integrations.mlflow import transport
from copilot.integrations.mlflow.records import iso_time
from copilot.integrations.mlflow.transport import MissingEndpointError, Transport
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings, Settings, load_settings
from tests.conftest import Reply

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\n"
QUICK = {"timeout_s": 0.6, "max_retries": 1}
QUICK_END_S = 4.0
RUN = "a" * 32


def opened(url: str, **settings) -> Transport:
    return Transport(url, url, MlflowSettings(**(QUICK | settings)))


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket, int], None]], str]]:
    """Start servers that speak bytes: ``raw_server(talk)``; talk gets each connection, once asked, and its number."""
    listening: list[socket.socket] = []

    def start(talk: Callable[[socket.socket, int], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)

        def serve() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection, number), daemon=True).start()
                number += 1

        def answer(connection: socket.socket, number: int) -> None:
            with connection:
                try:
                    read_request(connection)
                    talk(connection, number)
                except OSError:
                    pass  # the client has hung up, as it should

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listening:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """One request with its body, empty when the client has gone."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = connection.recv(65536)
        if not part:
            return b""
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head


def drip(start: bytes, byte: bytes, pause_s: float = 0.02) -> Callable[[socket.socket, int], None]:
    def talk(connection: socket.socket, number: int) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(byte)
            time.sleep(pause_s)

    return talk


def flood(start: bytes, block: bytes) -> Callable[[socket.socket, int], None]:
    return drip(start, block, 0)


def once(answer: bytes, reset: bool = False) -> Callable[[socket.socket, int], None]:
    def talk(connection: socket.socket, number: int) -> None:
        connection.sendall(answer)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return talk


FULL = "more than 64 MB|did not answer within"  # whichever comes first
MB = b" " * 1_000_000
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def bomb() -> bytes:
    packed = gzip.compress(b" " * 300_000_000, 9)
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


HOSTILE = {
    "never answers": (drip(b"", b"", 0.1), "did not answer within"),
    "drips the status line": (drip(b"HTTP/1.1 200 ", b"O"), "did not answer within"),
    "drips headers": (drip(HEAD, b"X-A: b\r\n"), "did not answer within|broke off"),
    "drips one header": (drip(HEAD + b"X-A: ", b"b"), "did not answer within"),
    "drips a body": (drip(HEAD + b"Content-Length: 1000000\r\n\r\n{", b" "), "did not answer within"),
    "drips chunks": (drip(CHUNKED, b"1\r\n \r\n"), "did not answer within"),
    "drips a chunk's size": (drip(CHUNKED, b"0"), "did not answer within"),
    "drips the end of chunks": (drip(CHUNKED + b"2\r\n{}\r\n0\r\n", b"x"), "did not answer within"),
    "says continue for ever": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "did not answer within"),
    "floods a header": (flood(HEAD + b"X-A: ", MB), "broke off|no MLflow"),
    "floods headers": (flood(HEAD, b"X-A: b\r\n" * 1000), "broke off|no MLflow"),
    "floods a body": (flood(HEAD + b"Content-Length: 100000000000\r\n\r\n", MB), FULL),
    "floods a body without length": (flood(HEAD + b"\r\n", MB), FULL),
    "floods chunks": (flood(CHUNKED, b"f4240\r\n" + MB + b"\r\n"), FULL),
    "floods a chunk's size": (flood(CHUNKED, b"0" * 1_000_000), "broke off|no MLflow|did not answer"),
    "floods trailers": (flood(CHUNKED + b"2\r\n{}\r\n0\r\n", MB), "did not answer within|broke off"),
    "sends a gzip bomb": (once(bomb()), FULL),
    "sends broken gzip": (once(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), "broke off"),
    "floods a redirect": (flood(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", MB), FULL),
    "floods an error": (flood(b"HTTP/1.1 500 Sorry\r\n\r\n", MB), FULL),
    "hangs up": (once(b""), "broke off"),
    "resets": (once(b"", reset=True), "broke off"),
    "hangs up in the body": (once(HEAD + b"Content-Length: 100\r\n\r\n{"), "broke off"),
    "resets in the body": (once(HEAD + b"Content-Length: 100\r\n\r\n{", reset=True), "broke off"),
    "hangs up in a chunk": (once(CHUNKED + b"ff\r\n{"), "broke off"),
    "answers in another protocol": (once(b"SSH-2.0-OpenSSH_9.6\r\n"), "broke off"),
    "sends nothing": (once(HEAD + b"Content-Length: 0\r\n\r\n"), "no MLflow tracking server"),
    "sends no content": (once(b"HTTP/1.1 204 No Content\r\n\r\n"), r"no MLflow tracking server \(HTTP 204\)"),
    "sends a length that is none": (once(HEAD + b"Content-Length: many\r\n\r\nno"), "no MLflow|broke off"),
    "sends UTF-16 halves": (once(HEAD + b"Content-Length: 3\r\n\r\n\xff\xfe\xd8"), "no MLflow tracking server"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_ends_in_one_line_in_bounded_time_and_memory(name, raw_server):
    talk, message = HOSTILE[name]
    url = raw_server(talk)
    tracemalloc.start()
    try:
        started = time.monotonic()
        with pytest.raises(ToolError, match=message) as caught:
            opened(url, max_retries=1)
        took, peak = time.monotonic() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < QUICK_END_S
    assert peak < 200e6, "one answer's limit, once in parts and once joined"
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name, (_, message) in HOSTILE.items() if message == FULL])
def test_an_answer_has_a_limit_in_bytes(name, raw_server, monkeypatch):
    monkeypatch.setattr(transport, "MAX_BYTES", 3_000_000)
    with pytest.raises(ToolError, match="sent more than 3 MB at once"):
        opened(raw_server(HOSTILE[name][0]), timeout_s=30)


EMPTY = '{"experiments": []}'
ONE_EXPERIMENT = '{"experiments": [{"experiment_id": "1", "name": "one"}]}'


def answers(by_path: dict[str, object]) -> Callable:
    """A server that passes for MLflow; `by_path` gives what it answers below the API, text or a function."""

    def answer(request):
        reply = by_path.get(request.path.rpartition("/mlflow/")[2], EMPTY)
        return reply(request) if callable(reply) else reply

    return answer


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(status=302, headers={"Location": "http://evil.example/api"}),
            "redirects to http://evil.example .HTTP 302",
        ),
        (Reply(status=307, headers={"Location": "http://me:pw@evil.example"}), "redirects to http://evil.example"),
        (Reply(status=301, headers={"Location": "https://127.0.0.1/x"}), "Write https://127.0.0.1 in the tracking URI"),
        (Reply(status=308, headers={"Location": "/api/2.0/mlflow/experiments/search"}), "redirects to http://127"),
        (Reply(status=302, headers={"Location": "http://[bad"}), "redirects to an address that is malformed"),
        (Reply(status=303), "redirects to http://127"),
        (Reply("slow down", 429), r"is too busy \(HTTP 429\)"),
        (Reply('{"error_code": "INTERNAL_ERROR", "message": "x"}', 500), "out of order"),
        (Reply("{}", 418), "no MLflow tracking server .HTTP 418"),
        (Reply('{"error_code": 7, "message": {"a": 1}}', 400), "refused the request: {'a': 1}"),
        (Reply('{"experiments": [{"experiment_id": ' + "9" * 5000 + ', "name": "a"}]}'), "no MLflow"),
        (Reply('{"experiments": [' + "[]," * 3_100_000 + "1]}"), "no MLflow"),
    ],
)
def test_answers_that_are_refused(http_server, reply, message):
    server = http_server(lambda request: reply)
    url = server.url.replace("//", "//me:secret@")
    started = time.monotonic()
    with pytest.raises(ToolError, match=message) as caught:
        MlflowSource(MlflowSettings(tracking_uri=url)).experiments()
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)
    assert time.monotonic() - started < 10


def test_a_name_that_is_a_deep_list_is_text(http_server):
    deep = '{"experiments": [{"experiment_id": 1, "name": ' + "[" * 900 + "]" * 900 + "}]}"
    source = MlflowSource(MlflowSettings(tracking_uri=http_server(lambda request: deep).url))
    assert [e.experiment_id for e in source.experiments()] == ["1"]


def test_credentials_do_not_travel_with_a_redirect(http_server):
    other = http_server(lambda request: EMPTY)
    first = http_server(lambda request: Reply(status=307, headers={"Location": f"{other.url}/api"}))
    with pytest.raises(ToolError, match="redirects to"):
        opened(first.url.replace("//", "//me:secret@"))
    assert first.requests[0].headers["Authorization"]
    assert other.requests == []


def numbered(extra: str = "", pause_s: float = 0.0) -> Callable:
    count = iter(range(10**9))

    def reply(request):
        time.sleep(pause_s)
        return f'{{"runs": [{extra}], "next_page_token": "{next(count)}"}}'

    return reply


@pytest.mark.parametrize(
    ("limits", "reply"),
    [
        ({"MAX_PAGES": 50}, numbered()),
        ({"MAX_LISTING_BYTES": 1_000_000}, numbered(f'"{"x" * 100_000}"')),
        ({"MAX_LISTING_S": 0.5}, numbered(pause_s=0.05)),
        ({}, lambda request: json.dumps({"next_page_token": "x" * 20_000})),
        ({}, lambda request: '{"next_page_token": {"a": 1}}'),
    ],
    ids=["pages", "bytes", "seconds", "long token", "odd token"],
)
def test_endless_pages_end(http_server, monkeypatch, limits, reply):
    for name, value in limits.items():
        monkeypatch.setattr(transport, name, value)
    server = http_server(answers({"runs/search": reply}))
    connection = opened(server.url)
    started = time.monotonic()
    with pytest.raises(ToolError, match="page after page without end"):
        list(connection.pages("POST", "runs/search", {}))
    assert time.monotonic() - started < 3
    assert len(server.requests) <= 52


def test_endless_pages_of_runs_end(http_server, monkeypatch):
    monkeypatch.setattr(transport, "MAX_PAGES", 40)

    def offsets(request):
        token = json.loads(request.body).get("page_token")
        start = json.loads(base64.b64decode(token))["offset"] if token else 0
        following = base64.b64encode(json.dumps({"offset": start + 500}).encode()).decode()
        return json.dumps({"runs": [], "next_page_token": following})

    server = http_server(answers({"runs/search": offsets, "experiments/search": ONE_EXPERIMENT}))
    with pytest.raises(ToolError, match="page after page without end"):
        MlflowSource(MlflowSettings(tracking_uri=server.url)).runs("1")
    assert len(server.requests) < 50


def test_a_server_that_dies_between_pages_and_comes_back(http_server):
    alive = threading.Event()
    alive.set()

    def reply(request):
        if b"page_token" in request.body and not alive.is_set():
            raise ConnectionAbortedError  # the connection is closed without an answer
        return json.dumps({"runs": [1]} | ({} if b"page_token" in request.body else {"next_page_token": "t"}))

    connection = opened(http_server(answers({"runs/search": reply})).url)
    alive.clear()
    pages = connection.pages("POST", "runs/search", {})
    assert next(pages)["runs"] == [1]
    with pytest.raises(ToolError, match="broke off the connection"):
        next(pages)
    alive.set()
    assert len(list(connection.pages("POST", "runs/search", {}))) == 2


@pytest.mark.parametrize("failure", [Reply("busy", 503), Reply("wait", 429), None])
def test_a_request_that_failed_once_is_sent_again(http_server, failure):
    failed = []

    def reply(request):
        if not failed:
            failed.append(1)
            if failure is None:
                raise ConnectionAbortedError
            return failure
        return '{"fine": true}'

    connection = opened(http_server(answers({"runs/get": reply})).url)
    assert connection.call("GET", "runs/get", {}) == {"fine": True}


def test_a_missing_endpoint_is_told_apart_from_a_missing_run(http_server):
    gone = Reply('{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}', 404)
    paths = {
        "get-history-bulk": Reply("<html>", 404),
        "b": Reply('{"error_code": "ENDPOINT_NOT_FOUND"}', 404),
        "c": gone,
    }
    server = http_server(answers(paths))
    connection = opened(server.url)
    for path in ("get-history-bulk", "b"):
        with pytest.raises(MissingEndpointError, match=f"does not know {path} .HTTP 404"):
            connection.call("GET", path, {"run_id": ["a", "b"]}, api="/ajax-api/2.0/mlflow/")
    with pytest.raises(NotFoundError, match="no run"):
        connection.call("GET", "c", {})
    assert server.requests[1].path == "/ajax-api/2.0/mlflow/get-history-bulk"
    assert server.requests[1].query == {"run_id": ["a", "b"]}


def test_connections_are_kept_and_shared_by_threads(raw_server):
    seen: list[int] = []

    def talk(connection: socket.socket, number: int) -> None:
        connection.sendall(GOOD)
        while head := read_request(connection):
            seen.append(number)
            wanted = b'{"n": %d}' % len(head)
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(wanted) + wanted)

    connection = opened(raw_server(talk), timeout_s=5)
    for _ in range(50):
        connection.call("GET", "runs/get", {"run_id": "a"})
    assert set(seen) == {0}, "many calls go over one connection"
    lengths: dict[int, set[int]] = {}

    def ask(n: int) -> None:
        got = [connection.call("GET", "runs/get", {"run_id": "b" * n}) for _ in range(30)]
        lengths[n] = {answer["n"] for answer in got if answer}  # the first on a connection is empty

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    base = next(iter(lengths[1])) - 1
    assert lengths == {n: {base + n} for n in range(1, 9)}, "each thread gets its own answers"
    assert len(set(seen)) <= 9


def test_a_kept_connection_that_the_server_closed_is_opened_again(raw_server):
    def talk(connection: socket.socket, number: int) -> None:
        connection.sendall(GOOD)  # and closed, though the answer does not say so

    connection = opened(raw_server(talk), max_retries=0)
    for _ in range(5):
        time.sleep(0.02)
        assert connection.call("GET", "runs/get", {}) == {}


def test_one_thread_s_deadline_is_not_another_s(http_server):
    def answer(request):
        time.sleep(1.5 if "slow" in request.path else 0)
        return "{}"

    url = http_server(answer).url
    impatient, patient = opened(url, timeout_s=0.3, max_retries=0), opened(url, timeout_s=5)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(patient.call("GET", "slow", {})))
    thread.start()
    with pytest.raises(ToolError, match=r"did not answer within 0\.3 s"):
        impatient.call("GET", "slow", {})
    assert impatient.call("GET", "quick", {}) == {}
    thread.join()
    assert got == [{}]


# What answers hold.

MISSHAPEN = [None, True, 3, 1e308, "text", [], [[]], [None], {}, {"a": None}, [{}], float("nan"), -1, 10**400]


@pytest.mark.parametrize("wrong", MISSHAPEN, ids=repr)
def test_wrong_types_at_any_level_are_one_line(http_server, wrong):
    def run(**info):
        return {"info": {"run_id": RUN, "experiment_id": "0", "status": "FINISHED"} | info, "data": {}}

    fields = ["run_id", "run_name", "status", "start_time", "end_time", "artifact_uri", "experiment_id"]
    shapes = [{"run": wrong}, {"run": {"info": wrong, "data": {}}}, {"run": {**run(), "data": wrong}}]
    shapes += [{"run": run(**{name: wrong})} for name in fields]
    for part in ("params", "tags", "metrics"):
        shapes += [
            {"run": {**run(), "data": {part: value}}} for value in (wrong, [wrong], [{"key": wrong, "value": 1}])
        ]
        shapes += [{"run": {**run(), "data": {part: [{"key": "k", "value": wrong}]}}}]
    shapes += [{"run": {**run(), "inputs": wrong}}, {"run": {**run(), "inputs": {"dataset_inputs": [wrong]}}}]
    shapes += [{"run": {**run(), "outputs": wrong}}, {"run": {**run(), "outputs": {"model_outputs": [wrong]}}}]
    left = iter(shapes)
    server = http_server(answers({"runs/get": lambda request: json.dumps(next(left))}))
    source = MlflowSource(MlflowSettings(tracking_uri=server.url))
    outcomes = []
    for _ in shapes:
        try:
            outcomes.append(source.run(RUN).run_id)
        except ToolError as error:
            outcomes.append(str(error))
    assert len(outcomes) == len(shapes)
    assert all("no MLflow tracking server" in o or len(o) < 500 for o in outcomes)


def test_numbers_as_servers_write_them(http_server):
    values = ["0.5", 0.25, "NaN", "Infinity", "-Infinity", 1.797e308, "-1", 7]
    points = [{"key": "train_loss", "value": v, "step": str(i), "timestamp": i - 3} for i, v in enumerate(values)]
    metric = {"key": "train_loss", "value": "NaN", "timestamp": "1", "step": 1}
    info = {"run_id": RUN, "experiment_id": "0", "status": "FINISHED", "start_time": "-5", "end_time": 10**30}
    run = {"info": info, "data": {"metrics": [metric]}}
    paths = {"runs/get": json.dumps({"run": run}), "metrics/get-history": json.dumps({"metrics": points})}
    source = MlflowSource(MlflowSettings(tracking_uri=http_server(answers(paths)).url))
    assert source.run(RUN).start_time == -0.005
    assert iso_time(source.run(RUN).end_time) is None
    (pair,) = source.history(RUN).pairs
    assert pair.train[:2].tolist() == [0.5, 0.25]
    assert pair.bad_train.tolist() == [False, False, True, True, True, True, False, False]
    assert pair.train[6:].tolist() == [-1, 7]


@pytest.mark.parametrize("step", ["NaN", "Infinity", 10**300, -(10**300), "1e999", 10**400, None, {}])
def test_steps_that_are_no_steps(http_server, step):
    points = [{"key": "train_loss", "value": 1, "step": s, "timestamp": 1} for s in (0, step, 2)]
    info = {"run_id": RUN, "experiment_id": "0", "status": "FINISHED"}
    run = {"info": info, "data": {"metrics": [{"key": "train_loss", "value": 1}]}}
    paths = {"runs/get": json.dumps({"run": run}), "metrics/get-history": json.dumps({"metrics": points})}
    source = MlflowSource(MlflowSettings(tracking_uri=http_server(answers(paths)).url))
    try:
        outcome = source.history(RUN).n_epochs
    except ToolError as error:
        outcome = str(error)
    assert outcome in (2, 3) or "no MLflow tracking server" in outcome


# Signing in, and TLS.


def encoded(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("variables", "user", "sent"),
    [
        ({}, "", None),
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "s3cret"}, "", encoded("me", "s3cret")),
        ({"MLFLOW_TRACKING_TOKEN": "s3cret"}, "", "Bearer s3cret"),
        ({}, "me:s3cret%40@", encoded("me", "s3cret@")),
        ({}, "s3cret@", encoded("s3cret", "")),
        ({"MLFLOW_TRACKING_TOKEN": "other"}, "me:s3cret@", encoded("me", "s3cret")),
    ],
    ids=["nothing", "name and password", "token", "in the URL", "a name alone in the URL", "the URL wins"],
)
def test_sign_in(http_server, monkeypatch, caplog, variables, user, sent):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("DEBUG")

    def answer(request):
        given, at = request.headers.get("Authorization"), "@" if "%40" in user else ""
        told = {"error_code": "INVALID_PARAMETER_VALUE", "message": f"you sent {given}, s3cret{at}"}
        return Reply(json.dumps(told), 400) if "runs/get" in request.path else EMPTY

    server = http_server(answer)
    url = server.url.replace("//", f"//{user}") + "/team/mlflow/"
    source = MlflowSource(MlflowSettings(tracking_uri=url))
    assert source.experiments() == []
    assert server.requests[0].headers.get("Authorization") == sent
    assert server.requests[0].path == "/team/mlflow/api/2.0/mlflow/experiments/search"
    with pytest.raises(ToolError, match="refused the request: you sent") as caught:
        source.run(RUN)
    if sent:
        assert "s3cret" not in caplog.text + str(caught.value)
        assert sent.split()[1] not in caplog.text + str(caught.value)


def test_credentials_file(http_server, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text("[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = pw\n")
    server = http_server(lambda request: EMPTY)
    opened(server.url)
    assert server.requests[0].headers["Authorization"] == encoded("me", "pw")
    file.write_text("pw pw pw")
    with pytest.raises(ToolError, match=r"MLflow cannot sign in.*credentials cannot be read") as caught:
        opened(server.url)
    assert "pw" not in str(caught.value)


def test_headers_of_the_settings_and_of_plugins(http_server, monkeypatch):
    from mlflow.tracking.request_header import registry
    from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider

    class Provider(RequestHeaderProvider):
        def in_context(self):
            return True

        def request_headers(self):
            return {"X-Plugin": "from a plugin"}

    known = registry._request_header_provider_registry
    monkeypatch.setattr(known, "_registry", [*known._registry, Provider()])
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "old")
    mine = {"X-Api-Key": "s3cret", "User-Agent": "ours", "Authorization": "Custom s3cret", "Cookie": "sso=s3cret"}
    server = http_server(lambda request: Reply(EMPTY, headers={"Set-Cookie": "a=b"}))
    settings = Settings(mlflow={"headers": mine, "tracking_uri": server.url})
    Transport(server.url, server.url, settings.mlflow).call("GET", "runs/get", {})
    for request in server.requests:
        assert {name: request.headers[name] for name in mine} == mine
        assert request.headers["X-Plugin"] == "from a plugin"
    assert "s3cret" not in json.dumps(settings.public())
    assert "s3cret" not in repr(settings)
    opened(server.url)
    assert "X-Api-Key" not in server.requests[-1].headers


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "s3cret\r\nX-B: 1"}, {"X A": "s3cret"}, {"X-A": ""}, {"X-A": "s3crét"}, {"X-A": ["s3cret"]}, "s3cret"],
)
def test_headers_that_cannot_be_sent(headers):
    with pytest.raises(ConfigError, match=r"mlflow\.headers") as caught:
        load_settings(overrides={"mlflow": {"headers": headers}})
    assert "s3cr" not in str(caught.value)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem, own = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, own, serialization.NoEncryption()))
    return file


@pytest.fixture
def https_server(certificates) -> Iterator[Callable[..., str]]:
    """Start HTTPS servers that pass for MLflow: ``https_server(client=True)`` asks for the client's certificate."""
    running: list[ThreadingHTTPServer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(GOOD)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Handshakes that fail are what the tests are about."""

    def start(client: bool = False) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates)
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificates)
        server = Quiet(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return f"https://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_tls(https_server, certificates, monkeypatch, tmp_path):
    url, strict = https_server(), https_server(client=True)
    with pytest.raises(ToolError, match="certificate that is not trusted"):
        opened(url)
    with pytest.raises(ToolError, match="broke off"):
        opened(url.replace("https", "http"))
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificates))
    assert opened(url).call("POST", "x", {}) == {}
    with pytest.raises(ToolError, match=r"broke off.*ask for a certificate of yours.*MLFLOW_TRACKING_CLIENT_CERT_PATH"):
        opened(strict)
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(certificates))
    assert opened(strict).call("POST", "x", {}) == {}
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(tmp_path / "none.pem"))
    with pytest.raises(ToolError, match="certificate file that MLflow's variables name is not there"):
        opened(strict)
    monkeypatch.delenv("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "none.pem"))
    with pytest.raises(ToolError, match="certificate file that MLflow's variables name is not there"):
        opened(url)
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with pytest.raises(ToolError, match=r"cannot sign in.*MLFLOW_TRACKING_INSECURE_TLS"):
        opened(url)
    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
    with pytest.warns(InsecureRequestWarning):
        assert opened(url).call("POST", "x", {}) == {}


def test_https_to_a_server_without_it(http_server):
    with pytest.raises(ToolError, match=r"does not speak HTTPS. Write http://"):
        opened(http_server(lambda request: EMPTY).url.replace("http", "https"))


def test_an_authentication_plugin(http_server, monkeypatch):
    from mlflow.tracking.request_auth import registry

    class Auth:
        def get_name(self):
            return "ours"

        def get_auth(self):
            def sign(request):
                request.headers["Authorization"] = "Signed 1"
                return request

            return sign

    monkeypatch.setattr(registry._request_auth_provider_registry, "_registry", [Auth()])
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "ours")
    server = http_server(lambda request: EMPTY)
    opened(server.url)
    assert server.requests[0].headers["Authorization"] == "Signed 1"


@pytest.mark.parametrize("uri", ["databricks", "databricks://team"])
def test_databricks(http_server, monkeypatch, tmp_path, uri):
    server = http_server(lambda request: EMPTY)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(ToolError, match=f"No way to sign in at {uri} was found. Set DATABRICKS_HOST"):
        MlflowSource(MlflowSettings(tracking_uri=uri)).experiments()
    if uri == "databricks":
        monkeypatch.setenv("DATABRICKS_HOST", server.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-s3cret")
    else:
        (tmp_path / ".databrickscfg").write_text(f"[team]\nhost = {server.url}\ntoken = dapi-s3cret\n")
    assert MlflowSource(MlflowSettings(tracking_uri=uri)).experiments() == []
    asked = [r for r in server.requests if r.path == "/api/2.0/mlflow/experiments/search"]
    assert len(asked) == 2
    assert all(r.headers["Authorization"] == "Bearer dapi-s3cret" for r in asked)


def test_a_server_that_fell_silent_does_not_hold_up_a_scan(http_server):
    silent, back = threading.Event(), threading.Event()

    def reply(request):
        if silent.is_set():
            back.wait(10)
        return EMPTY

    connection = opened(http_server(reply).url, timeout_s=0.2, max_retries=0)
    silent.set()
    started, told = time.monotonic(), []
    for _ in range(300):
        with pytest.raises(ToolError) as caught:
            connection.call("GET", "runs/get", {})
        told.append(str(caught.value))
    assert time.monotonic() - started < 3
    assert "did not answer within 0.2 s" in told[0]
    assert "does not answer any more" in told[-1]
    silent.clear()
    back.set()
    time.sleep(transport.DOWN_S)
    for _ in range(5):
        assert connection.call("GET", "runs/get", {}) == json.loads(EMPTY)


@pytest.mark.slow
def test_a_real_server_that_asks_for_a_name_and_password(tmp_path, free_port, monkeypatch):
    pytest.importorskip("flask_wtf", reason="mlflow[auth] is not installed")
    url = f"http://127.0.0.1:{free_port()}"
    backend = f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{tmp_path}/auth.db\n"
        "admin_username = chief\nadmin_password = password-of-the-chief\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {"MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--backend-store-uri", backend]
    command += ["--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, env=os.environ | variables, start_new_session=True
        )
    try:
        told, until = "Nothing listens", time.monotonic() + 120
        while "Nothing listens" in told and time.monotonic() < until:
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            with pytest.raises(ToolError) as caught:
                opened(url, timeout_s=30, max_retries=0)
            told = str(caught.value)
            time.sleep(0.2)
        assert "refused access (HTTP 401). Set MLFLOW_TRACKING_USERNAME" in told
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "chief")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-password")
        with pytest.raises(ToolError, match=r"refused access \(HTTP 401\)") as caught:
            opened(url, timeout_s=30)
        assert "wrong-password" not in str(caught.value)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "password-of-the-chief")
        source = MlflowSource(MlflowSettings(tracking_uri=url, timeout_s=30))
        assert [e.name for e in source.experiments()] == ["Default"]
        monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
        monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
        signed = url.replace("//", "//chief:password-of-the-chief@")
        assert len(MlflowSource(MlflowSettings(tracking_uri=signed, timeout_s=30)).experiments()) == 1
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (KeyError("s3cret"), "MLflow cannot sign in at .*: KeyError. Set MLFLOW_TRACKING_USERNAME"),
        (ModuleNotFoundError("s3cret", name="kerberos"), "needs kerberos, which cannot be imported"),
    ],
    ids=["an error", "a package that is not there"],
)
def test_an_authentication_plugin_that_fails(http_server, monkeypatch, failure, message):
    from mlflow.tracking.request_auth import registry

    class Auth:
        def get_name(self):
            return "ours"

        def get_auth(self):
            raise failure

    monkeypatch.setattr(registry._request_auth_provider_registry, "_registry", [Auth()])
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "ours")
    with pytest.raises(ToolError, match=message) as caught:
        opened(http_server(lambda request: EMPTY).url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://.example", "http://a..b:5000", "http://*.example", "http://[::1%25x]:5000"])
def test_host_names_that_are_none(url):
    started = time.monotonic()
    with pytest.raises(ToolError, match="is malformed"):
        opened(url)
    assert time.monotonic() - started < QUICK_END_S


def test_through_a_proxy(http_server, free_port, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy = http_server(lambda request: EMPTY)
    monkeypatch.setenv("http_proxy", proxy.url)
    assert opened("http://tracking.invalid").call("GET", "runs/get", {}) == json.loads(EMPTY)
    assert proxy.requests[0].headers["Host"] == "tracking.invalid"
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ToolError, match="through this machine's proxy"):
        opened("http://tracking.invalid")
