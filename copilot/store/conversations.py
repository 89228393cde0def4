"""Conversations, their messages, and what people thought of the answers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select

from copilot.errors import InputError, NotFoundError
from copilot.store.database import Database, storable, storable_name, storable_text
from copilot.store.models import ConversationTable, FeedbackTable, MessageTable
from copilot.store.records import Conversation, Feedback, Message, Role
from copilot.utils.validators import clean_text

MAX_TEXT = 100_000


class ConversationRecords(Database):
    """Keep conversations."""

    def create_conversation(self, run_id: str | None = None, title: str = "") -> str:
        """Begin a conversation, about a run or none; returns its id."""
        row = ConversationTable(
            id=uuid.uuid4().hex, run_id=storable_name(run_id) if run_id else None, title=storable_name(title, 120)
        )
        with self._writing() as session:
            session.add(row)
        return row.id

    def list_conversations(self, run_id: str | None = None, limit: int = 50) -> list[Conversation]:
        """Conversations, newest first; with `run_id`, only those about that run."""
        query = select(ConversationTable).order_by(ConversationTable.created_at.desc()).limit(limit)
        if run_id is not None:
            query = query.where(ConversationTable.run_id == storable_name(run_id))
        with self._reading() as session:
            return [Conversation.model_validate(row) for row in session.scalars(query)]

    def get_conversation(self, conversation_id: str) -> Conversation:
        """The conversation with that id, or NotFoundError."""
        with self._reading() as session:
            return Conversation.model_validate(
                _existing(session.get(ConversationTable, storable_name(conversation_id)))
            )

    def rename_conversation(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title, or NotFoundError."""
        with self._writing() as session:
            _existing(session.get(ConversationTable, storable_name(conversation_id))).title = storable_name(title, 120)

    def delete_conversation(self, conversation_id: str) -> None:
        """Remove a conversation with its messages and their feedback. Nothing happens if there is none."""
        with self._writing() as session:
            session.execute(delete(ConversationTable).where(ConversationTable.id == storable_name(conversation_id)))

    def add_message(self, conversation_id: str, role: Role, text: str, citations: Sequence[Any] = ()) -> int:
        """Add a message to a conversation.

        Parameters
        ----------
        conversation_id : str
        role : {"user", "assistant"}
        text : str
            At most 100,000 characters are kept.
        citations : sequence, optional
            JSON values, one for each source that the text cites.

        Returns
        -------
        int
            The message's id; ids grow in the order of the conversation.

        Raises
        ------
        InputError
            The role is neither user nor assistant.
        NotFoundError
            There is no such conversation.
        """
        if role not in ("user", "assistant"):
            raise InputError(f"A message is of 'user' or 'assistant', not of {clean_text(role, 20)!r}.")
        row = MessageTable(
            conversation_id=storable_name(conversation_id),
            role=role,
            text=storable_text(text, MAX_TEXT),
            citations=storable(list(citations)),
        )
        with self._writing() as session:
            _existing(session.get(ConversationTable, row.conversation_id))
            session.add(row)
            session.flush()
            return row.id

    def list_messages(self, conversation_id: str) -> list[Message]:
        """The messages of a conversation in order, each with its feedback."""
        query = (
            select(MessageTable, FeedbackTable.value)
            .outerjoin(FeedbackTable, FeedbackTable.message_id == MessageTable.id)
            .where(MessageTable.conversation_id == storable_name(conversation_id))
            .order_by(MessageTable.id)
        )
        with self._reading() as session:
            found = session.execute(query).all()
        return [Message.model_validate(row).model_copy(update={"feedback": value}) for row, value in found]

    def save_feedback(self, message_id: int, value: int, note: str = "") -> None:
        """Keep what a person thought of a message: 1 or -1; a second time replaces the first, 0 removes it."""
        if value not in (-1, 0, 1):
            raise InputError("Feedback is 1 (helpful), -1 (not helpful) or 0 (none).")
        with self._writing() as session:
            if session.get(MessageTable, message_id) is None:
                raise NotFoundError(f"There is no message {message_id}.", "Reload the conversation.")
            session.execute(delete(FeedbackTable).where(FeedbackTable.message_id == message_id))
            if value:
                session.add(FeedbackTable(message_id=message_id, value=value, note=storable_text(note, 2000)))

    def list_feedback(self, limit: int = 100) -> list[Feedback]:
        """What people thought of answers, newest first."""
        query = select(FeedbackTable).order_by(FeedbackTable.created_at.desc()).limit(limit)
        with self._reading() as session:
            return [Feedback.model_validate(row) for row in session.scalars(query)]


def _existing(row: ConversationTable | None) -> ConversationTable:
    if row is None:
        raise NotFoundError("There is no such conversation.", "It may have been deleted; begin a new one.")
    return row
