"""Long work in the background: submit, follow, cancel, retry; a worker process runs it and may crash without loss.

The store knows every job and its state; the huey queue in the home folder only carries job ids, as JSON.
"""

from __future__ import annotations

from copilot.jobs.kinds import JOB_KINDS
from copilot.jobs.process import WorkerProcess, worker_pid
from copilot.jobs.queue import cancel, list_jobs, retry, status, submit, wait
from copilot.jobs.worker import run_worker
from copilot.store import Job

__all__ = [
    "JOB_KINDS",
    "Job",
    "WorkerProcess",
    "cancel",
    "list_jobs",
    "retry",
    "run_worker",
    "status",
    "submit",
    "wait",
    "worker_pid",
]
