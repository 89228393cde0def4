"""What tests of data versions share: small real Git and DVC repositories."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path

from PIL import Image


def git(repo: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, "-C", str(repo), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), value).save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: Path, split: str, label: str, values: range) -> None:
    target = folder / "images" / split / label
    target.mkdir(parents=True, exist_ok=True)
    for value in values:
        (target / f"{value:03d}.png").write_bytes(picture(value))


def track(project: Path, target: str = "images", push: bool = True) -> None:
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        repo.add(str(project / target))
        if push:
            repo.push()


def start(folder: Path) -> Path:
    from dvc.repo import Repo

    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    Repo.init(str(folder)).close()
    return folder


def commit(repo: Path, message: str, tag: str | None = None) -> str:
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    if tag:
        git(repo, "tag", "-a", tag, "-m", tag)
    return git(repo, "rev-parse", "HEAD")


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below a folder, Git's and DVC's own included, by hash and time of its last change."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
