"""Stores that each version writes, once for all workers, and its server over what it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from filelock import FileLock

from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings
from tests.mlflow_versions.environments import VERSIONS, clean_environment, python_of

KINDS = ("server", "sqlite", "folder")
EVERY = [pytest.param((version, kind), id=f"{version}-{kind}") for version in VERSIONS for kind in KINDS]
every_store = pytest.mark.parametrize("opened", EVERY, indirect=True)
writable_store = pytest.mark.parametrize("opened", [p for p in EVERY if "sqlite" not in p.id], indirect=True)
WRITER = Path(__file__).with_name("writer.py")
PATIENCE_S = 120


@dataclass(frozen=True)
class Written:
    """What one version wrote: ``sqlite/mlflow.db``, ``folder/mlruns`` and ``server/`` below `root`; ids by kind.

    `url` is that of the server that was written to, which still runs; None where another worker has it.
    """

    root: Path
    ids: dict[str, dict[str, str]]
    url: str | None = None


class Opened:
    """One store of one version: ours to read it, and what was written."""

    def __init__(self, uri: str, ids: dict[str, str], kind: str) -> None:
        self.uri, self.ids, self.kind = uri, ids, kind
        self.version = tuple(int(part) for part in ids["mlflow"].split(".")[:2])
        self.settings = MlflowSettings(tracking_uri=uri, timeout_s=30)
        self.source = MlflowSource(self.settings)


def write_stores(version: str, shared: Path, stack: contextlib.ExitStack) -> Written:
    """Write with the client of `version`, into an SQLite file, a folder, and over REST; only the first call does.

    The server that was written to stays up until `stack` is closed.
    """
    root, url = shared / f"mlflow-{version}", None
    with FileLock(f"{root}.lock"):
        if not (root / "ids.json").exists():
            shutil.rmtree(root, ignore_errors=True)
            ids, url = _write(version, root, stack)
            (root / "ids.json").write_text(json.dumps(ids))
    return Written(root, json.loads((root / "ids.json").read_text()), url)


@contextlib.contextmanager
def running_server(version: str, folder: Path, *, wait: bool = True) -> Iterator[str]:
    """The server of `version` over ``mlflow.db`` and ``artifacts`` in `folder`; its URL."""
    python = python_of(version)
    port = _free_port()
    command = [str(python.parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=clean_environment(python), stdout=output, stderr=output, cwd=folder, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        if wait:
            wait_for(url, log)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _write(version: str, root: Path, stack: contextlib.ExitStack) -> tuple[dict[str, dict[str, str]], str]:
    for kind in (*KINDS, "live"):
        (root / kind).mkdir(parents=True)
    database = root / "sqlite" / "mlflow.db"
    with _writer(version, root / "sqlite") as write:
        write(f"sqlite:///{database}", None)  # the tables are made once: that takes the client seconds
        shutil.copy(database, root / "live" / "mlflow.db")
        url = stack.enter_context(running_server(version, root / "live", wait=False))
        ids = {"sqlite": write(f"sqlite:///{database}", root / "sqlite" / "beside")}
        ids["folder"] = write((root / "folder" / "mlruns").as_uri(), root / "folder" / "beside")
        wait_for(url, root / "live" / "server.log")
        ids["server"] = write(url, root / "beside")
        shutil.copytree(root / "live", root / "server", dirs_exist_ok=True)
    return ids, url


@contextlib.contextmanager
def _writer(version: str, folder: Path) -> Iterator[Callable[[str, Path | None], dict[str, str]]]:
    """A function that has the version's client write into a store; relative paths count from `folder`."""
    python = python_of(version)
    with (folder.parent / "writer.log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), str(WRITER)],
            env=clean_environment(python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            text=True,
        )

        def write(uri: str, artifacts: Path | None) -> dict[str, str]:
            process.stdin.write(f"{uri}\t{artifacts.as_uri() if artifacts else ''}\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("@"):
                    return json.loads(line[1:])
            raise RuntimeError(f"MLflow {version} cannot write {uri}: {_end_of(folder.parent / 'writer.log')}")

        try:
            yield write
        finally:
            process.kill()
            process.wait()


def wait_for(url: str, log: Path) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/health", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server at {url} does not start: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
