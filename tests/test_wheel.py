"""The wheel, as a person gets it: installed into an empty environment and started from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from zipfile import ZipFile

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def _run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built with the installed backend."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY, cwd=folder)
    return next(folder.glob("*.whl"))


def _install(wheel: Path, extra: str, folder: Path) -> Path:
    """Install the wheel into a new environment, out of uv's cache if it can; returns its folder of commands."""
    uv = (sys.executable, "-m", "uv")
    _run(*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    binaries = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    command = (*uv, "pip", "install", "--quiet", "--python", binaries / "python")
    command = (*command, "-c", REPOSITORY / "requirements" / "dev.txt", f"{wheel}{extra}")
    if subprocess.run([*command, "--offline"], cwd=folder, capture_output=True).returncode:
        _run(*command, cwd=folder)
    return binaries


def _environment(home: Path) -> dict[str, str]:
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in hidden} | {"MLOPS_COPILOT_HOME": str(home)}


def _source_files(folder: str) -> Iterator[str]:
    for path in (REPOSITORY / folder).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(REPOSITORY).as_posix()


def test_wheel_carries_the_package_and_the_dashboard(wheel: Path):
    carried = set(ZipFile(wheel).namelist())
    expected = {*_source_files("copilot"), "mlops_copilot.py"}
    outside = ["app.py", ".streamlit/config.toml", *_source_files("pages"), *_source_files("prompts")]
    expected |= {f"copilot/_app/{name}" for name in outside}
    assert expected <= carried
    rest = {name for name in carried - expected if ".dist-info/" not in name}
    assert rest == set()


def test_base_install_answers_without_any_extra(wheel: Path, home: Path, tmp_path: Path):
    binaries = _install(wheel, "", tmp_path)
    env, empty = _environment(home), tmp_path / "empty"
    empty.mkdir()
    assert _run(binaries / "mlops-copilot", "--version", cwd=empty, env=env).split()[-1] == wheel.name.split("-")[1]
    assert "analyze" in _run(binaries / "mlops-copilot", "--help", cwd=empty, env=env)
    code = "import copilot; from mlops_copilot import CopilotAnalyzer as A; print(copilot.__file__, A.__module__)"
    where, home_of_analyzer = _run(binaries / "python", "-c", code, cwd=empty, env=env).split()
    assert Path(where).is_relative_to(tmp_path)
    assert home_of_analyzer == "copilot.analyzer"
    assert list(empty.iterdir()) == []


@contextmanager
def _dashboard(binaries: Path, port: int, cwd: Path, env: dict[str, str]) -> Iterator[str]:
    """The running dashboard's address; afterwards it is asked to stop, and every process it started must be gone."""
    log = cwd.parent / "dashboard.log"
    with log.open("w") as output:
        command = [binaries / "mlops-copilot", "dashboard", "--port", str(port), "--no-browser"]
        process = psutil.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        family = [process, *process.children(recursive=True)] if process.poll() is None else []
        if family:
            process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        for left in alive:
            left.kill()
    assert not alive, f"still running after the dashboard was stopped: {alive}\n{log.read_text()}"


def _wait_until_healthy(address: str, process: psutil.Popen, log: Path, limit: float = 60.0) -> None:
    ends = time.monotonic() + limit
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the dashboard did not start\n{log.read_text()}")


@pytest.mark.browser
def test_dashboard_starts_from_the_wheel_in_an_empty_folder(
    wheel: Path, home: Path, tmp_path: Path, chromium: str, free_port: Callable[[], int]
):
    from playwright.sync_api import expect, sync_playwright

    binaries = _install(wheel, "[dashboard]", tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with _dashboard(binaries, free_port(), empty, _environment(home)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_test_id("stMain").get_by_test_id("stVerticalBlock").first).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
        assert page.get_by_test_id("stException").all_inner_texts() == [], (tmp_path / "dashboard.log").read_text()
        assert "MLOps Copilot" in page.title() + page.get_by_test_id("stApp").inner_text()
        browser.close()
    assert list(empty.iterdir()) == []
