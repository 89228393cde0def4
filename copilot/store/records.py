"""What the store hands out: frozen records, free of any database object."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

JobState = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
Role = Literal["user", "assistant"]
ACTIVE: tuple[JobState, ...] = ("queued", "running")


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class AnalysisRow(Record):
    """One saved analysis without its document, as tables show it."""

    id: int
    kind: str
    run_id: str | None
    run_name: str | None
    experiment: str | None
    tracking_uri: str | None
    verdict: str
    severity: str
    confidence: float
    analyzed_at: str


class Job(Record):
    """One background job. ``progress`` is a fraction from 0 to 1; ``result`` is JSON and left out of lists."""

    id: str
    kind: str
    payload: dict[str, Any]
    settings: dict[str, Any]
    state: JobState
    progress: float
    message: str
    result: Any = None
    error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    pid: int | None
    host: str

    @property
    def active(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in ACTIVE


class Message(Record):
    """One message of a conversation; ``feedback`` is 1, -1 or None."""

    id: int
    conversation_id: str
    role: Role
    text: str
    citations: list[Any]
    created_at: datetime
    feedback: int | None = None


class Conversation(Record):
    id: str
    run_id: str | None
    title: str
    created_at: datetime


class Feedback(Record):
    """What a person thought of an answer: ``value`` 1 (helpful) or -1 (not), and a note."""

    message_id: int
    value: int
    note: str
    created_at: datetime
