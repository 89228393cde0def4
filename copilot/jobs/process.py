"""The worker as a child process: the dashboard starts one, and it ends with the dashboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from copilot.errors import ToolError
from copilot.jobs.handover import worker_environment
from copilot.utils.config import Settings
from copilot.utils.validators import clean_text, home_folder

RESTART_S = 10.0


def pid_file() -> Path:
    return home_folder() / "worker.pid"


def worker_pid() -> int | None:
    """The process id of the worker that runs for this home folder, whoever started it, or None."""
    try:
        noted = json.loads(pid_file().read_text())
        process = psutil.Process(noted["pid"])
        alive = abs(process.create_time() - noted["created"]) < 2 and process.status() != psutil.STATUS_ZOMBIE
        return process.pid if alive else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


class WorkerProcess:
    """A worker in a child process, its output in ``worker.log`` of the home folder.

    Parameters
    ----------
    settings : Settings
        Handed to the child by its environment, secrets included; nothing of it is on its command line.
    command : sequence of str, optional
        What to run instead of ``python -m copilot.jobs``.
    """

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self._settings = settings
        # -P: a file in the working folder must not pass for one of our modules
        self._command = list(command or [sys.executable, "-P", "-m", "copilot.jobs"])
        self._child: subprocess.Popen | None = None
        self._started = 0.0

    @property
    def running(self) -> bool:
        """Whether our child runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self.running else None

    def start(self) -> None:
        """Start the worker unless one runs for this home folder. Returns at once; cheap enough for every page.

        Raises
        ------
        ToolError
            The last child ended by itself a moment ago; the message has its last line.
        """
        if self.running or worker_pid():
            return
        if self._child is not None and self._child.returncode and time.monotonic() - self._started < RESTART_S:
            raise ToolError(f"The worker stopped: {_last_line()}", f"See {home_folder() / 'worker.log'}.")
        self._started = time.monotonic()
        with (home_folder() / "worker.log").open("ab") as output:
            self._child = subprocess.Popen(
                [*self._command, "--parent", str(os.getpid())],
                env=worker_environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, timeout: float = 5.0) -> None:
        """Stop our child: politely, and after `timeout` seconds by force. Its running jobs become lost."""
        if not self.running:
            return
        self._child.terminate()
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> WorkerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _last_line() -> str:
    try:
        lines = (home_folder() / "worker.log").read_bytes()[-4000:].decode("utf-8", "replace").split("\n")
    except OSError:
        return "it left no log"
    return clean_text(next((line for line in reversed(lines) if line.strip()), "it left no log"))
