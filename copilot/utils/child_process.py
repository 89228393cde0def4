"""A child process with its readers: what it says while it runs, what it uses, and the end of all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

from copilot.utils.validators import clean_text

STARTING: tuple[float, str] = (0.0, "Starting")
_TAIL_BYTES = 64_000
_LINE_BYTES = 10_000


class Child:
    """The child process, its last progress and the tail of its stderr; leaving the context kills the whole tree."""

    def __init__(self, task: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-P", "-m", "copilot.utils.supervise", str(task.parent), str(os.getpid())]
        with task.open("rb") as stdin:
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=task.parent,
                start_new_session=True,
            )
        self.last = STARTING
        self.errors = b""
        self.tree: set[psutil.Process] = set()
        self._readers = [
            threading.Thread(target=self._read_progress, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self.drain()

    def drain(self) -> None:
        """Read what an ended child has written; a grandchild that keeps the pipes open is not waited for."""
        for reader in self._readers:
            reader.join(timeout=0.5)

    def memory_bytes(self) -> int:
        """Resident bytes of the child and all its descendants; remembers them, to end them all later."""
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            self.tree.update(root.children(recursive=True))
            for process in (root, *self.tree):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def pids(self) -> list[int]:
        """Numbers of the child and of its descendants as `memory_bytes` last found them."""
        return [self.process.pid, *(process.pid for process in self.tree)]

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the child at most so long; whether it has ended."""
        if not hasattr(os, "waitid"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
            return self.process.returncode is not None
        end = time.monotonic() + seconds
        while self.process.returncode is None:
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                self._kill_group()  # before its number is free for others
                self.process.wait()
            elif (left := end - time.monotonic()) <= 0:
                return False
            else:
                time.sleep(min(0.02, left))
        return True

    def _kill_group(self) -> None:
        """All that the child started; an isolated one cannot leave the group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _kill(self) -> None:
        self.memory_bytes()
        if not self.wait(0):
            if hasattr(os, "killpg"):
                self._kill_group()
            self.process.kill()
        for process in self.tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()

    def _read_progress(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LINE_BYTES):
                with contextlib.suppress(ValueError, TypeError, OverflowError, RecursionError):
                    fraction, text = json.loads(line)
                    self.last = (max(0.0, min(1.0, float(fraction))), clean_text(text))  # NaN becomes 1

    def _read_errors(self, stream: IO[bytes]) -> None:
        with stream:
            while block := stream.read1(_TAIL_BYTES):
                self.errors = (self.errors + block)[-_TAIL_BYTES:]
