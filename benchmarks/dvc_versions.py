"""Data versions at scale: list, compare and read old revisions of a DVC project, from a folder and from an S3 server.

    PYTHONPATH=. .venv/bin/python benchmarks/dvc_versions.py [--files 20000] [--revisions 5] [--skip-s3] [--keep FOLDER]

Makes a project of small PNG files in ten classes, with one tag a revision. Its objects are written as DVC lays them
out, which is faster than `dvc add`, and `dvc status` then says whether DVC agrees. The project's own cache is taken
away, so that every object has to come from the remote; the S3 server is moto's, in a process of its own on this
machine, with keys that DVC's configuration holds. DVC's lock is held all the while by another process, and every file
of the project, those of .git and .dvc/tmp too, is compared by hash and time of its last change before and after.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

CLASSES = 10
KEY, SECRET = "benchmark-key", "benchmark-secret"
CLASS_READ = "images/train/class_3"
START_S = 60
_HOLD = """
import sys
from dvc.repo import Repo
with Repo(sys.argv[1]) as repo, repo.lock:
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Row:
    """What was done, how long it took, and how many objects came from the remote."""

    what: str
    seconds: float
    fetched: int
    result: str


def git(folder: Path, *arguments: str) -> str:
    """Run git with an identity of its own and no hooks."""
    settings = ["user.name=B", "user.email=b@example.invalid", "commit.gpgsign=false", f"core.hooksPath={os.devnull}"]
    options = [part for setting in settings for part in ("-c", setting)]
    command = ["git", *options, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def build_project(folder: Path, files: int, revisions: int) -> Path:
    """A project in `folder`/project with tags v1, v2, ..., whose last revision is in the working tree.

    Each revision after the first replaces 1 % of the images, and takes another 1 % out of class 0. All objects lie in
    the cache.
    """
    project = folder / "project"
    project.mkdir(parents=True)
    git(project, "init", "-q", "-b", "main")
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)
    Repo.init(str(project)).close()
    random, cache = np.random.default_rng(0), project / ".dvc" / "cache" / "files" / "md5"
    held: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for number in range(1, revisions + 1):
        for name in _changes(files, number, random):
            contents[name] = _picture(random)
            held[name] = _keep(cache, contents[name])
        if number > 1:
            gone = [name for name in held if name.startswith("train/class_0/")][: max(files // 100, 1)]
            for name in gone:
                del held[name], contents[name]
        rows = [{"md5": digest, "relpath": name} for name, digest in sorted(held.items())]
        listing = json.dumps(rows).encode()
        digest = _keep(cache, listing, ".dir")
        size = sum(map(len, contents.values()))
        out = f"outs:\n- md5: {digest}.dir\n  size: {size}\n  nfiles: {len(held)}\n  hash: md5\n  path: images\n"
        (project / "images.dvc").write_text(out)
        (project / ".gitignore").write_text("/images\n")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", f"Revision {number}")
        git(project, "tag", f"v{number}")
    for name, data in contents.items():
        path = project / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return project


def dvc_agrees(project: Path) -> bool:
    """Whether `dvc status` finds nothing that differs from the working tree and the cache."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        return repo.status() == {}


def move_to_folder(project: Path, remote: Path) -> None:
    """Make the cache a remote folder, and leave the project without a cache."""
    shutil.move(project / ".dvc" / "cache", remote)
    config = f'[core]\n    remote = far\n[remote "far"]\n    url = {remote}\n'
    (project / ".dvc" / "config").write_text(config)


def move_to_s3(project: Path, remote: Path, url: str) -> float:
    """Send what lies in a remote folder to the bucket `data` of an S3 server, to be read from there; seconds taken."""
    import boto3
    from botocore.config import Config

    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=url, config=Config(max_pool_connections=16), **keys)
    client.create_bucket(Bucket="data")
    started = time.perf_counter()

    def send(path: Path) -> None:
        client.put_object(Bucket="data", Key=str(path.relative_to(remote)), Body=path.read_bytes())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, [path for path in remote.rglob("*") if path.is_file()]))
    config = f'[core]\n    remote = far\n[remote "far"]\n    url = s3://data\n    endpointurl = {url}\n'
    (project / ".dvc" / "config").write_text(config)
    keys = f'[remote "far"]\n    access_key_id = {KEY}\n    secret_access_key = {SECRET}\n    region = us-east-1\n'
    (project / ".dvc" / "config.local").write_text(keys)
    return time.perf_counter() - started


def measure(project: Path, last: int) -> list[Row]:
    """What people ask of old revisions, each by a manager of its own; the home folder should be empty at first."""
    from copilot.integrations.dvc_manager import DvcManager

    rows = []

    def timed(what: str, work: Callable[[DvcManager], str]) -> None:
        manager, started = DvcManager(project), time.perf_counter()
        result = work(manager)
        rows.append(Row(what, time.perf_counter() - started, manager.n_fetched, result))

    def read_class(manager: DvcManager) -> str:
        names = [f"{CLASS_READ}/{name}" for name in manager.list_files(CLASS_READ, "v1")]
        found = dict(manager.read_many(names, "v1"))
        sound = [data for data in found.values() if isinstance(data, bytes)]
        return f"{len(sound):,} of {len(names):,} files, {sum(map(len, sound)) / 1e6:.1f} MB"

    timed("list the revisions of the data set", lambda m: f"{len(m.versions('images'))} revisions")
    timed("compare the first with the last", lambda m: m.compare("images", "v1", f"v{last}").summary.split(";")[0])
    timed("list the revisions of one class", lambda m: f"{len(m.versions(CLASS_READ))} revisions")
    timed("read one class of the first revision", read_class)
    timed("read it again, from our copies", read_class)
    return rows


def snapshot(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below a folder: hash of its content, time of its last change in nanoseconds, and mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = hashlib.blake2b(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = content, state.st_mtime_ns, state.st_mode
    return found


@contextmanager
def held_lock(project: Path) -> Iterator[None]:
    """DVC's lock of the project, held by another process."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(project)], **pipes) as process:
        if process.stdout.readline().strip() != "held":
            raise RuntimeError("DVC gave no lock.")
        try:
            yield
        finally:
            process.communicate("")


@contextmanager
def s3_server() -> Iterator[str]:
    """Moto's server in a process of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", start], **quiet) as process:
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _changes(files: int, number: int, random: np.random.Generator) -> list[str]:
    if number == 1:
        return [f"train/class_{n % CLASSES}/{n:06d}.png" for n in range(files)]
    chosen = random.choice(np.arange(files), max(files // 100, 1), replace=False)
    return [f"train/class_{n % CLASSES}/{n:06d}.png" for n in chosen if n % CLASSES]


def _picture(random: np.random.Generator) -> bytes:
    return cv2.imencode(".png", random.integers(0, 256, (16, 16), dtype=np.uint8))[1].tobytes()


def _keep(cache: Path, data: bytes, ending: str = "") -> str:
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    path = cache / digest[:2] / f"{digest[2:]}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def _report(where: str, project: Path, last: int) -> bool:
    with TemporaryDirectory() as home, held_lock(project):
        os.environ["MLOPS_COPILOT_HOME"] = home
        before = snapshot(project)
        rows = measure(project, last)
        same = snapshot(project) == before
    print(f"\n{where}\n{'':38}{'s':>8}{'fetched':>9}")
    for row in rows:
        print(f"{row.what:38}{row.seconds:8.2f}{row.fetched:9,}  {row.result}")
    print(f"{len(before):,} files and folders of the project, its lock held: {'as before' if same else 'CHANGED'}")
    return same


def main() -> int:
    """Build, measure, print; fail when a file of the project changed or DVC does not agree with what was built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--revisions", type=int, default=5)
    parser.add_argument("--skip-s3", action="store_true")
    parser.add_argument("--keep", type=Path, help="make the project here, and leave it")
    chosen = parser.parse_args()
    print(f"{date.today()}  {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", end="")
    print(f", dvc {version('dvc')}; {chosen.files:,} files, {chosen.revisions} revisions")
    with TemporaryDirectory() as made:
        folder = chosen.keep or Path(made)
        project, remote = build_project(folder, chosen.files, chosen.revisions), folder / "remote"
        agrees = dvc_agrees(project)
        print(f"dvc status: {'agrees' if agrees else 'DIFFERS'}")
        move_to_folder(project, remote)
        same = [_report("a folder as remote", project, chosen.revisions)]
        if not chosen.skip_s3:
            with s3_server() as url:
                print(f"\nsent to S3 in {move_to_s3(project, remote, url):.0f} s")
                same.append(_report("an S3 server as remote", project, chosen.revisions))
    return 0 if agrees and all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
