"""Objects fetched from DVC remotes, kept in our home folder by their hash: the project's own cache is never written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from copilot.integrations.dvc.files import is_hash

MAX_BYTES = 2_000_000_000
_CHECK_EVERY = 500  # writes between two looks at the size
_KEPT_SHARE = 0.8


class ObjectCache:
    """Contents by MD5 in `folder`, the oldest thrown out above `max_bytes`. Any file in it may vanish at any time.

    Each copy is checked against its name when read, so that a damaged one is as good as none.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._writes = 0

    def get(self, digest: str, limit: int) -> bytes | None:
        """The content, if there is a sound copy of at most `limit` bytes."""
        path = self._path(digest)
        try:
            if path.stat().st_size > limit:
                return None
            data = path.read_bytes()
        except OSError:
            return None
        if is_content_of(data, digest):
            return data
        path.unlink(missing_ok=True)
        return None

    def put(self, digest: str, data: bytes) -> None:
        """Keep `data` if it is what its hash says; a disk that is full or closed is no error."""
        if not is_content_of(data, digest):
            return
        path = self._path(digest)
        with contextlib.suppress(OSError):
            if self._writes % _CHECK_EVERY == 0:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # images may be private
                self._shrink()
            self._writes += 1
            path.parent.mkdir(exist_ok=True)
            written = path.with_name(f".{secrets.token_hex(8)}")
            try:
                written.write_bytes(data)
                os.replace(written, path)
            finally:
                written.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        if not is_hash(digest):  # never part of a path
            raise ValueError(digest)
        return self._folder / digest[:2] / digest[2:]

    def _shrink(self) -> None:
        files = []
        for folder in os.scandir(self._folder):
            for file in os.scandir(folder.path) if folder.is_dir() else ():
                with contextlib.suppress(OSError):
                    state = file.stat()
                    files.append((state.st_mtime, state.st_size, file.path))
        held = sum(size for _, size, _ in files)
        if held <= self._max_bytes:
            return
        for _, size, path in sorted(files):
            if held <= self._max_bytes * _KEPT_SHARE:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                held -= size


def is_content_of(data: bytes, digest: str) -> bool:
    """Whether `data` is what the hash names; not so for text that DVC 1 or 2 stored, whose hash is of other bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest() == digest[:32]
