"""``python -m copilot.jobs``: the worker that `WorkerProcess` starts; its settings are in the environment."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from copilot.errors import CopilotError
from copilot.jobs.worker import run_worker
from copilot.utils.config import Settings
from copilot.utils.logging import set_up_logging
from copilot.utils.validators import home_folder, without_credentials


class CleanStream:
    """A text stream that lets no password pass, whoever writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(without_credentials(text))

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m copilot.jobs")
    parser.add_argument("--parent", type=int, help="process whose end ends the worker")
    sys.stdout, sys.stderr = CleanStream(sys.stdout), CleanStream(sys.stderr)
    set_up_logging()
    try:
        run_worker(Settings(), parent_pid=parser.parse_args().parent, log_file=home_folder() / "worker.log")
    except CopilotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
