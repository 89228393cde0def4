"""What is run once for all processes that share the tests: Deepchecks takes seconds to load."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock


def once(tmp_path_factory, name: str, run: Callable[[], Any]) -> Any:
    """What `run()` gives, as JSON; run by one of the processes that share the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    file = Path(shared, f"{name}.json")
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            file.write_text(json.dumps(run()))
    return json.loads(file.read_text())
