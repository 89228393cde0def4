"""The worker: one for each home folder; runs jobs in one or two threads, and says so by a heartbeat."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from copilot.errors import CopilotError, InputError, JobCancelled
from copilot.jobs.handover import with_secrets_of
from copilot.jobs.kinds import JOB_KINDS, as_json
from copilot.jobs.process import pid_file, worker_pid
from copilot.jobs.queue import LOST, Queue, host_name, mark_orphans, queue_name
from copilot.store import Job, Store
from copilot.utils.config import Settings, load_settings
from copilot.utils.logging import get_logger, no_telemetry
from copilot.utils.validators import clean_text, home_folder, without_credentials

TICK_S = 0.5
BEAT_S = 2.0
PROGRESS_S = 0.2
STOP_S = 3.0
LOG_BYTES = 2_000_000
log = get_logger(__name__)


def run_worker(
    settings: Settings | None = None, *, parent_pid: int | None = None, log_file: Path | None = None
) -> None:
    """Run jobs until SIGTERM, SIGINT or the end of the parent; for the main thread of a process.

    Parameters
    ----------
    settings : Settings, optional
        The worker's own: where the store is, how many jobs run at once (1 or 2), and the secrets that jobs leave out.
    parent_pid : int, optional
        Stop when this process has gone.
    log_file : Path, optional
        The file that this process's output goes to; it is kept below 2 MB.

    Raises
    ------
    InputError
        Another worker runs for this home folder.
    """
    no_telemetry()
    with _only_worker():
        _Worker(settings or load_settings(), parent_pid, log_file).run()


class _Progress:
    """What a job calls to say how far it is: written to the store at most five times a second."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id, self._written = store, job_id, 0.0
        self.stopping = False

    def __call__(self, fraction: float, message: str = "") -> None:
        if self.stopping:
            raise JobCancelled("The worker is stopping.")
        if time.monotonic() - self._written < PROGRESS_S and fraction < 1:
            return
        self._written = time.monotonic()
        share = min(1.0, max(0.0, fraction)) if math.isfinite(fraction) else 0.0
        try:
            wanted = self._store.report_progress(self._job_id, os.getpid(), share, without_credentials(str(message)))
        except CopilotError:  # a store that is out of reach for a moment is no reason to lose the work
            return
        if not wanted:
            raise JobCancelled("The job was cancelled.")


class _Worker:
    def __init__(self, settings: Settings, parent_pid: int | None, log_file: Path | None) -> None:
        self._settings, self._log_file = settings, log_file
        self._parent = _process(parent_pid)
        self._orphaned = parent_pid is not None and self._parent is None
        self._running: dict[str, _Progress] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        with Store(self._settings.store.url) as self._store, Queue(self._execute) as self._queue:
            self._take_over()
            consumer = self._queue.huey.create_consumer(
                workers=1 if self._settings.executor.workers == 1 else 2,
                worker_type="thread",
                periodic=False,
                initial_delay=0.05,
                max_delay=0.25,
                scheduler_interval=60,
            )
            with _handlers_kept():
                consumer.start()
                for number in _SIGNALS:  # huey has set its own, which wait for jobs without end
                    signal.signal(number, lambda *_: self._stop.set())
                self._watch(consumer.check_worker_health)
                consumer.stop()
                self._end_jobs()

    def _watch(self, check_threads: Callable[[], Any]) -> None:
        next_beat = next_sweep = time.monotonic()
        while not self._stop.wait(TICK_S) and not self._parent_gone():
            with contextlib.suppress(CopilotError):  # a store that is out of reach for a while
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + BEAT_S
                    if running := list(self._running):
                        self._store.beat(running, os.getpid())
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + 5 * BEAT_S
                    mark_orphans(self._store, self._store.list_jobs(active_only=True))
                    self._put_back_waiting()
                    check_threads()
                    _cap_log(self._log_file)

    def _parent_gone(self) -> bool:
        if self._parent is None:
            return self._orphaned
        with contextlib.suppress(psutil.Error):
            return not self._parent.is_running() or self._parent.status() == psutil.STATUS_ZOMBIE
        return True

    def _take_over(self) -> None:
        """Nobody else works here, so what is said to run does not, and what waits must be in the queue."""
        active = self._store.list_jobs(active_only=True, limit=10_000, queue=queue_name())
        self._store.mark_lost([job.id for job in active if job.state == "running"], LOST)
        self._put_back_waiting()
        self._store.prune_jobs()

    def _put_back_waiting(self) -> None:
        """A crash between two databases can leave a job out of the queue. A double is harmless: one claim wins."""
        active = self._store.list_jobs(active_only=True, limit=10_000, queue=queue_name())
        queued = self._queue.waiting()
        for job in reversed(active):
            if job.state == "queued" and job.id not in queued:
                self._queue.put(job.id)

    def _execute(self, job_id: str) -> None:
        if self._stop.is_set() or (job := self._store.claim_job(job_id, os.getpid(), host_name())) is None:
            return
        progress = self._running[job_id] = _Progress(self._store, job_id)
        try:
            ending = self._outcome(job, progress)
        finally:
            self._running.pop(job_id, None)
        self._store.finish_job(job_id, os.getpid(), **ending)

    def _outcome(self, job: Job, progress: _Progress) -> dict[str, Any]:
        try:
            if job.kind not in JOB_KINDS:
                raise InputError(
                    f"This worker knows no job of kind {job.kind!r}.", "Restart it: it runs another version."
                )
            settings = with_secrets_of(self._settings, job.settings)
            return {"state": "done", "result": as_json(JOB_KINDS[job.kind](settings, progress=progress, **job.payload))}
        except JobCancelled as error:
            return (
                {"state": "lost", "error": LOST} if progress.stopping else {"state": "cancelled", "error": str(error)}
            )
        except CopilotError as error:
            return {"state": "failed", "error": without_credentials(str(error))}
        except (Exception, SystemExit) as error:
            log.error("a job failed", job=job.id, kind=job.kind, trace=without_credentials(traceback.format_exc()))
            line = clean_text(without_credentials(f"{type(error).__name__}: {error}"), 300)
            return {"state": "failed", "error": f"The {job.kind} job met an unexpected error: {line}"}

    def _end_jobs(self) -> None:
        for progress in list(self._running.values()):
            progress.stopping = True
        deadline = time.monotonic() + STOP_S
        while self._running and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self._running:
            return
        self._store.mark_lost(list(self._running), LOST)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
        pid_file().unlink(missing_ok=True)
        os._exit(0)  # a thread that does not listen cannot be ended in any other way


@contextlib.contextmanager
def _only_worker() -> Iterator[None]:
    """Hold the home folder's lock. SQLite's locks work on every system and end with the process."""
    lock = sqlite3.connect(home_folder() / "worker.lock", timeout=1.0, isolation_level=None)
    with contextlib.closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise InputError(
                f"A worker already runs for {home_folder()} (process {worker_pid() or 'unknown'}).",
                "One is enough; stop it first.",
            ) from error
        me = psutil.Process()
        pid_file().write_text(json.dumps({"pid": me.pid, "created": me.create_time()}))
        try:
            yield
        finally:
            pid_file().unlink(missing_ok=True)


_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid is not None else None
    except psutil.Error:
        return None


def _cap_log(path: Path | None) -> None:
    with contextlib.suppress(OSError):
        if path and path.stat().st_size > LOG_BYTES:
            shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)
