"""One virtual environment for each MLflow version, made when a test first needs it and kept beside the repository."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock
from uv import find_uv_bin

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".mlflow-versions"
OWN = "own"  # the version in the project's own environment
# The newest Python that each has binary packages for.
NEWEST_PYTHON = {"1.30.1": (3, 11), "2.9.2": (3, 12), "2.22.1": (3, 13)}
VERSIONS = (*NEWEST_PYTHON, OWN)
_OUT_OF_REACH = ("fetch", "network", "connect", "dns", "timed out", "offline")


class Unavailable(Exception):
    """The environment cannot be made on this machine; the text says why."""


def clean_environment(python: Path) -> dict[str, str]:
    """The environment variables for a program of that environment; its servers call `gunicorn` by name."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTHONPATH", "PYTHONDONTWRITE"))}
    return kept | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "SETUPTOOLS_USE_DISTUTILS": "stdlib",  # 1.30 asks for it
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }


@functools.cache
def python_of(version: str) -> Path:
    """The interpreter of a version's environment.

    Raises
    ------
    Unavailable
        No Python is old enough for it, or the package registry is out of reach.
    """
    if version == OWN:
        return Path(sys.executable)
    requirements = REPOSITORY / "requirements" / f"mlflow-{version}.txt"
    base = _base_python(version)
    key = hashlib.sha256(requirements.read_bytes() + str(base).encode() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"{version}-{key}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    CACHE.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            started = time.perf_counter()
            _uv("venv", "--clear", "--python", str(base), str(folder))
            # --no-deps: the file holds all that is needed, and leaves out what only other uses of MLflow need
            wanted = ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
            _uv("pip", "install", "--python", str(python), *wanted)
            (folder / "complete").write_text(f"{time.perf_counter() - started:.1f} s\n")
    return python


def _base_python(version: str) -> Path:
    newest = NEWEST_PYTHON[version]
    if sys.version_info[:2] <= newest:
        return Path(sys.executable)
    wanted = ".".join(map(str, newest))
    try:
        return Path(_uv("python", "find", "--no-python-downloads", wanted).strip())
    except (Unavailable, RuntimeError):
        raise Unavailable(f"MLflow {version} needs Python {wanted} or older, which is not on this machine") from None


def _uv(*arguments: str) -> str:
    environment = dict(os.environ)
    if os.environ.get("PIP_INDEX_URL"):
        environment.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])
    command = [find_uv_bin(), "--quiet", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    if done.returncode:
        told = " ".join(done.stderr.split())[-400:]
        if any(word in told.lower() for word in _OUT_OF_REACH):
            raise Unavailable(f"the package registry is out of reach: {told}")
        raise RuntimeError(f"uv {' '.join(arguments)}: {told}")
    return done.stdout
