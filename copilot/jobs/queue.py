"""Submit jobs and follow them, from any process."""

from __future__ import annotations

import contextlib
import difflib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

import psutil
from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from copilot.errors import InputError, ToolError
from copilot.jobs.handover import has_credentials
from copilot.jobs.kinds import JOB_KINDS
from copilot.store import Job, Store
from copilot.utils.config import Settings, load_settings
from copilot.utils.validators import clean_text, home_folder

STALE_S = 15.0
MAX_PAYLOAD_BYTES = 1_000_000
LOST = "The worker stopped while it ran this job. Start it again with Retry."


class JsonSerializer(Serializer):
    """Queue messages as JSON: reading a queue never runs code."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(data))


class Queue:
    """The huey queue of this home folder. It carries job ids; ``run(job_id)`` is what a worker does with one."""

    def __init__(self, run: Callable[[str], None] | None = None) -> None:
        path = home_folder() / "queue.db"
        with self._plain_errors():
            self.huey = SqliteHuey("jobs", filename=str(path), results=False, serializer=JsonSerializer())

        @self.huey.task(name="run_job")
        def run_job(job_id: str) -> None:
            if run:
                run(job_id)

        self._task = run_job

    def put(self, job_id: str) -> None:
        with self._plain_errors():
            self._task(job_id)

    def waiting(self) -> set[str]:
        """The ids of the jobs that no worker has taken."""
        with self._plain_errors():
            return {task.args[0] for task in self.huey.pending()}

    def close(self) -> None:
        self.huey.storage.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise ToolError(
                f"The job queue {home_folder() / 'queue.db'} cannot be used: {clean_text(error, 100)}.",
                "Stop the worker and delete that file: waiting jobs come back from the store.",
            ) from error


def submit(kind: str, payload: dict[str, Any], settings: Settings | None = None) -> str:
    """Put a job in the queue.

    Parameters
    ----------
    kind : str
        A name in `JOB_KINDS`.
    payload : dict
        Keyword arguments of that kind: JSON values and paths, at most 1 MB, without passwords or keys.
    settings : Settings, optional
        What the job runs with. Secrets in it are not written down: the worker uses its own.

    Returns
    -------
    str
        The job's id.

    Raises
    ------
    InputError
        The kind is not known, or the payload cannot be kept.
    ToolError
        The store or the queue cannot be written.
    """
    settings = settings or load_settings()
    plain = _checked_payload(kind, payload)
    with Store(settings.store.url) as store, Queue() as queue:
        job_id = store.add_job(kind, plain, settings=settings.public(), queue=queue_name())
        queue.put(job_id)
    return job_id


def status(job_id: str, settings: Settings | None = None) -> Job:
    """The job as it stands, with its result when it is done; NotFoundError if there is none."""
    with _opened(settings) as store:
        job = store.get_job(job_id)
        return store.get_job(job_id) if mark_orphans(store, [job]) else job


def list_jobs(active_only: bool = False, settings: Settings | None = None, *, limit: int = 50) -> list[Job]:
    """Jobs, newest first, without their results; with `active_only`, those that wait or run."""
    with _opened(settings) as store:
        jobs = store.list_jobs(active_only, limit)
        return store.list_jobs(active_only, limit) if mark_orphans(store, jobs) else jobs


def cancel(job_id: str, settings: Settings | None = None) -> bool:
    """Cancel a job: one that waits never starts, one that runs ends at its next step. False if it had ended."""
    with _opened(settings) as store:
        store.get_job(job_id)
        return store.cancel_job(job_id)


def retry(job_id: str, settings: Settings | None = None) -> str:
    """Submit a job that has ended once more, as it was; returns the new job's id."""
    with _opened(settings) as store, Queue() as queue:
        old = store.get_job(job_id)
        if old.active and not mark_orphans(store, [old]):
            raise InputError(f"Job {old.id} has not ended.", "Cancel it first.")
        new = store.add_job(old.kind, old.payload, settings=old.settings, queue=queue_name())
        queue.put(new)
    return new


def wait(job_id: str, timeout: float = 60.0, settings: Settings | None = None) -> Job:
    """Wait until a job has ended, at most `timeout` seconds; returns it as it then stands (see ``Job.active``)."""
    deadline, pause = time.monotonic() + timeout, 0.05
    while (job := status(job_id, settings)).active and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(0.5, pause * 1.3)
    return job


def mark_orphans(store: Store, jobs: list[Job]) -> bool:
    """Close those running jobs whose worker is gone: no such process here, or no sign of life for 15 seconds."""
    orphans = [job.id for job in jobs if job.state == "running" and _is_orphan(job)]
    if orphans:
        store.mark_lost(orphans, LOST)
    return bool(orphans)


def queue_name() -> str:
    """Which queue a job waits in: several machines may share one store, each with a queue of its own."""
    return f"{host_name()}:{home_folder().resolve()}"


def host_name() -> str:
    import platform

    return platform.node()


def _is_orphan(job: Job) -> bool:
    if job.host == host_name() and job.pid and not psutil.pid_exists(job.pid):
        return True
    return job.heartbeat_at is None or datetime.now(UTC) - job.heartbeat_at > timedelta(seconds=STALE_S)


def _opened(settings: Settings | None) -> Store:
    return Store((settings or load_settings()).store.url)


def _checked_payload(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    if kind not in JOB_KINDS:
        near = difflib.get_close_matches(str(kind), JOB_KINDS, n=1, cutoff=0.0)
        raise InputError(f"There is no job of kind {clean_text(kind, 40)!r}.", f"Did you mean {near[0]!r}?")
    try:
        text = json.dumps(payload, default=_path_as_text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"A {kind} job takes plain values only: {clean_text(error, 80)}.", "Pass names, not objects."
        ) from error
    if len(text) > MAX_PAYLOAD_BYTES:
        raise InputError(f"The arguments of this {kind} job are too large.", "Save them to a file and pass its path.")
    plain = json.loads(text)
    if not isinstance(plain, dict) or {"settings", "progress"} & plain.keys():
        raise InputError(f"A {kind} job takes keyword arguments, without settings and progress.")
    if has_credentials(plain):
        raise InputError(
            f"The arguments of this {kind} job hold a password or key.", "Put it in the settings or the environment."
        )
    return plain


def _path_as_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is not a plain value")
