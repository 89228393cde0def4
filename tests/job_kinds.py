"""Kinds of job for the tests, and a worker that knows them: ``python tests/job_kinds.py --parent PID``."""

import os
import sys
import time
from pathlib import Path

from copilot.errors import InputError
from copilot.jobs import JOB_KINDS


def count(settings, *, progress, steps, pause=0.02):
    for step in range(steps):
        progress(step / steps, f"step {step} of {steps}")
        time.sleep(pause)
    return {"steps": steps, "pid": os.getpid(), "path": Path("a/b"), "gap": float("nan")}


def echo(settings, *, progress, **payload):
    return {
        "payload": payload,
        "experiment": settings.mlflow.experiment_name,
        "workers": settings.executor.workers,
        "address_length": len(settings.mlflow.tracking_uri or ""),
        "has_key": settings.research.semantic_scholar_key is not None,
    }


def deaf(settings, *, progress, seconds):
    time.sleep(seconds)


def fail(settings, *, progress, how):
    sys.stdout.write("printed https://ann:hunter2@host/\n")
    sys.stdout.flush()
    if how == "input":
        raise InputError("The run is not there.", "Pick another.")
    if how == "exit":
        sys.exit(5)
    if how == "object":
        return object()
    raise RuntimeError(f"at https://ann:hunter2@host/\n{how}")


KINDS = {"count": count, "echo": echo, "deaf": deaf, "fail": fail}

if __name__ == "__main__":
    JOB_KINDS.update(KINDS)
    from copilot.jobs.__main__ import main

    sys.exit(main())
