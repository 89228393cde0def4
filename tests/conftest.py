"""What every test may use: a home folder of its own, the demo project, given data, free ports, loopback web servers."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from copilot.utils.logging import no_telemetry

REPOSITORY = Path(__file__).resolve().parent.parent

# Before any test module imports NumPy or PyTorch: one thread a worker, since the workers share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
no_telemetry()
for _name in [
    name for name in os.environ if name.startswith(("MLOPS_COPILOT_", "MLFLOW_")) and "TELEMETRY" not in name
]:
    del os.environ[_name]


@pytest.fixture(scope="session", autouse=True)
def _run_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The home folder of this test run: nothing that belongs to the person who runs the tests is read or written."""
    os.environ["MLOPS_COPILOT_HOME"] = str(tmp_path_factory.mktemp("home"))
    return os.environ["MLOPS_COPILOT_HOME"]


@pytest.fixture(autouse=True)
def home(_run_home: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder for this test; a folder that a wider fixture has set stays."""
    if os.environ.get("MLOPS_COPILOT_HOME", _run_home) == _run_home:
        monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path_factory.mktemp("home")))
    return Path(os.environ["MLOPS_COPILOT_HOME"])


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory):
    """The whole demo project (its `DemoPaths`), built once for all workers. Read it, do not change it."""
    from filelock import FileLock

    from copilot.demo.build import build_demo

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / "demo.lock"):
        return build_demo(shared / "demo")


@dataclass(frozen=True)
class CrossValidation:
    """An SQLite MLflow store with the folds of a cross-validation; run ids by what they are."""

    uri: str
    runs: dict[str, str]


@pytest.fixture(scope="session")
def cross_validation(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    """A store that MLflow's own client wrote. Read it, do not change it."""
    from tests.integrations.mlflow_stores import write_cross_validation

    uri = f"sqlite:///{tmp_path_factory.mktemp('folds') / 'mlflow.db'}"
    return CrossValidation(uri, write_cross_validation(uri))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published histories, images and MLflow stores that may lie beside the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the reference data is not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium on this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium here: apt-get install chromium")


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that names a loopback port on which nothing listens."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@dataclass(frozen=True)
class Request:
    """What a client sent to a loopback server."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What a loopback server answers."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoopbackServer:
    """A running server: where it is, and what it was asked so far."""

    url: str
    requests: list[Request]


@pytest.fixture
def http_server() -> Iterator[Callable[[Callable[[Request], Reply | bytes | str]], LoopbackServer]]:
    """Start loopback web servers: ``http_server(lambda request: "text")``; they stop when the test ends."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[Request], Reply | bytes | str]) -> LoopbackServer:
        seen: list[Request] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, seen))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return LoopbackServer(f"http://127.0.0.1:{server.server_port}", seen)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def _handler(answer: Callable[[Request], Reply | bytes | str], seen: list[Request]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                self.command, parts.path, parse_qs(parts.query), dict(self.headers), self.rfile.read(length)
            )
            seen.append(request)
            reply = answer(request)
            reply = reply if isinstance(reply, Reply) else Reply(reply)
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

    return Handler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the demo come first: one worker builds it while the others run the rest."""
    items.sort(key=lambda item: "demo" not in getattr(item, "fixturenames", ()))
