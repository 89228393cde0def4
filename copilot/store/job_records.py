"""Background jobs in the store: every change of state is one guarded UPDATE, so two workers never disagree."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, or_, select, update

from copilot.errors import NotFoundError
from copilot.store.database import Database, storable, storable_name, storable_text
from copilot.store.models import JobTable, now
from copilot.store.records import ACTIVE, Job, JobState
from copilot.utils.validators import clean_text

_LISTED = [getattr(JobTable, name) for name in Job.model_fields if name != "result"]


class JobRecords(Database):
    """Keep jobs. People use `copilot.jobs`; these are the pieces that it is made of."""

    def add_job(
        self, kind: str, payload: dict[str, Any], *, settings: dict[str, Any] | None = None, queue: str = ""
    ) -> str:
        """Write down a job that waits; returns its id."""
        row = JobTable(
            id=uuid.uuid4().hex, kind=kind, payload=storable(payload), settings=storable(settings or {}), queue=queue
        )
        with self._writing() as session:
            session.add(row)
        return row.id

    def get_job(self, job_id: str) -> Job:
        """The job with that id and its result, or NotFoundError."""
        with self._reading() as session:
            row = session.get(JobTable, storable_name(job_id))
            if row is None:
                raise NotFoundError(
                    f"There is no job {clean_text(job_id, 40)}.", "Finished jobs are removed after a while."
                )
            return Job.model_validate(row)

    def list_jobs(self, active_only: bool = False, limit: int = 50, *, queue: str | None = None) -> list[Job]:
        """Jobs, newest first, without their results; with `active_only`, those that wait or run."""
        query = select(*_LISTED).order_by(JobTable.created_at.desc()).limit(limit)
        if active_only:
            query = query.where(JobTable.state.in_(ACTIVE))
        if queue is not None:
            query = query.where(JobTable.queue == queue)
        with self._reading() as session:
            return [Job.model_validate(row) for row in session.execute(query).all()]

    def claim_job(self, job_id: str, pid: int, host: str) -> Job | None:
        """Take a waiting job to run it; None if it no longer waits."""
        values = {"state": "running", "pid": pid, "host": host, "started_at": now(), "heartbeat_at": now()}
        with self._writing() as session:
            query = update(JobTable).where(JobTable.id == job_id, JobTable.state == "queued").values(**values)
            if session.execute(query).rowcount != 1:
                return None
            return Job.model_validate(session.get(JobTable, job_id))

    def report_progress(self, job_id: str, pid: int, progress: float, message: str) -> bool:
        """Note how far a running job is; False if it was cancelled."""
        values = {"progress": progress, "message": storable_name(message, 200), "heartbeat_at": now()}
        return self._update_own(job_id, pid, values)

    def beat(self, job_ids: Sequence[str], pid: int) -> None:
        """Note that the worker `pid` still runs these jobs."""
        with self._writing() as session:
            query = update(JobTable).where(JobTable.id.in_(list(job_ids)), _runs_in(pid))
            session.execute(query.values(state="running", heartbeat_at=now(), finished_at=None, error=""))

    def finish_job(self, job_id: str, pid: int, state: JobState, *, result: Any = None, error: str = "") -> bool:
        """Close a running job; False if it was cancelled before."""
        values = {"state": state, "result": result, "error": storable_text(error, 2000), "finished_at": now()}
        return self._update_own(job_id, pid, values | ({"progress": 1.0} if state == "done" else {}))

    def cancel_job(self, job_id: str) -> bool:
        """Cancel a job that waits or runs; False if it had ended."""
        query = update(JobTable).where(JobTable.id == storable_name(job_id), JobTable.state.in_(ACTIVE))
        with self._writing() as session:
            return session.execute(query.values(state="cancelled", finished_at=now())).rowcount == 1

    def mark_lost(self, job_ids: Sequence[str], line: str) -> None:
        """Close running jobs whose worker is gone, with a line that says so."""
        query = update(JobTable).where(JobTable.id.in_(list(job_ids)), JobTable.state == "running")
        with self._writing() as session:
            session.execute(query.values(state="lost", error=line, finished_at=now()))

    def prune_jobs(self, keep: int = 500) -> int:
        """Remove all but the newest `keep` jobs that have ended; returns how many went."""
        ended = select(JobTable.id).where(JobTable.state.not_in(ACTIVE)).order_by(JobTable.created_at.desc())
        with self._writing() as session:
            old = list(session.scalars(ended.offset(keep)))
            for start in range(0, len(old), 500):
                session.execute(delete(JobTable).where(JobTable.id.in_(old[start : start + 500])))
        return len(old)

    def _update_own(self, job_id: str, pid: int, values: dict[str, Any]) -> bool:
        with self._writing() as session:
            query = update(JobTable).where(JobTable.id == job_id, _runs_in(pid)).values(**values)
            return session.execute(query).rowcount == 1


def _runs_in(pid: int):
    """Running in `pid`. A job taken for lost while the machine slept is still its worker's own."""
    return (JobTable.pid == pid) & or_(JobTable.state == "running", JobTable.state == "lost")
