"""What is kept between sessions: analyses, background jobs, conversations and feedback, in SQLite or PostgreSQL."""

from __future__ import annotations

from copilot.store.analyses import AnalysisRecords
from copilot.store.conversations import ConversationRecords
from copilot.store.database import Database
from copilot.store.job_records import JobRecords
from copilot.store.records import AnalysisRow, Conversation, Feedback, Job, JobState, Message


class Store(AnalysisRecords, JobRecords, ConversationRecords, Database):
    """The store: opened, brought up to date and ready; safe for several processes and threads at once.

    Parameters
    ----------
    url : str, optional
        SQLAlchemy address (``settings.store.url``): ``sqlite:///file`` or ``postgresql://user:password@host/name``.
        Default: ``store.db`` in the home folder.

    Raises
    ------
    InputError
        The address is not valid, or the file or database is not ours.
    ToolError
        The database is out of reach, damaged, or was written by a newer version.
    """


__all__ = ["AnalysisRow", "Conversation", "Feedback", "Job", "JobState", "Message", "Store"]
