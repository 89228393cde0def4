"""What the tests of MLflow's versions share: the stores that each wrote, and its server."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integrations.mlflow_stores import fingerprint
from tests.mlflow_versions.environments import VERSIONS, Unavailable
from tests.mlflow_versions.stores import Opened, Written, running_server, write_stores


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Written]]:
    """What a version's client wrote, by version. Read it, do not change it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as pool:  # the next is written while tests of one run
        coming = {version: pool.submit(write_stores, version, shared, stack) for version in VERSIONS}

        def get(version: str) -> Written:
            try:
                return coming[version].result()
            except Unavailable as reason:
                pytest.skip(str(reason))

        yield get


@pytest.fixture(scope="session")
def server_of(written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The URL of a version's server, by version; this worker's own, over a copy where another has the first."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(version: str) -> str:
            if url := written(version).url:
                return url
            folder = tmp_path_factory.mktemp(f"server-{version}") / "copy"
            shutil.copytree(written(version).root / "server", folder)
            return stack.enter_context(running_server(version, folder))

        yield start


@pytest.fixture(scope="session")
def store_of(written, server_of, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[str, Path]]:
    """A tracking URI and the folder it is in, by version and kind of store; files are a copy of the caller's own."""

    def get(version: str, kind: str) -> tuple[str, Path]:
        root = written(version).root
        if kind == "server":
            return server_of(version), root
        folder = tmp_path_factory.mktemp(f"{kind}-{version}") / kind
        shutil.copytree(root / kind, folder)
        return (f"sqlite:///{folder / 'mlflow.db'}" if kind == "sqlite" else str(folder / "mlruns")), folder

    return get


@pytest.fixture(scope="session")
def opened(request, written, store_of) -> Iterator[Opened]:
    """The store; on disk it is as it was once the tests have read it."""
    version, kind = request.param
    uri, folder = store_of(version, kind)
    before = fingerprint(folder) if kind != "server" else {}
    yield Opened(uri, written(version).ids[kind], kind)
    if kind != "server":
        assert fingerprint(folder) == before
