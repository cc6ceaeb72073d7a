"""Notes of conversations, and the words that conversations are labelled with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, select, update

from pytake.application.ports import Committed, Page
from pytake.contract.present import note_body
from pytake.domain.errors import Conflict
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ConversationId, NoteId, OrganizationId, UserId
from pytake.domain.note import Note
from pytake.store.log import Draft, append
from pytake.store.rows import note_of, to_json
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import events, labels, notes
from pytake.store.writing import ConversationWriter, message_by_id

MAX_LIMIT = 200
TAKEN_BACK = {"text": "", "removed": True}
"""What is left in the log of a note that was taken back."""


class NoteWriter(ConversationWriter):
    """The part of the store that is `NoteStore`."""

    async def add_note(
        self,
        organization_id: OrganizationId,
        conversation_id: ConversationId,
        *,
        note_id: NoteId,
        author_id: UserId,
        text: str,
        now: datetime,
    ) -> tuple[Note, Committed]:
        """Store a note with the next `seq` and its `note:new`; the same again changes nothing."""
        async with self._locked(organization_id, conversation_id) as (connection, conversation):
            last = await message_by_id(connection, conversation["last_message_id"])
            assignee = conversation["assigned_to"]
            query = select(notes).where(notes.c.id == note_id)
            found = (await connection.execute(query)).mappings().one_or_none()
            if found is not None:
                known = note_of(found)
                if (known.conversation_id, known.author_id, known.text) != (
                    conversation_id,
                    author_id,
                    text,
                ):
                    raise Conflict(detail="This id was used for another note.")
                return known, self._committed(
                    conversation, last, is_new=False, previous_assignee=assignee
                )
            seq = conversation["last_seq"] + 1
            note = Note(note_id, conversation_id, seq, author_id, text, now)
            row = _values(organization_id, note)
            made = insert_or_ignore(connection, notes, row).returning(notes.c.id)
            if (await connection.execute(made)).one_or_none() is None:
                raise Conflict(detail="This id was used for another note.")
            body = note_body(note)
            del body["seq"]
            stored = await append(
                connection, conversation, [Draft(DurableEvent.NOTE_NEW, body)], now=now
            )
        return note, self._committed(conversation, last, events=stored, previous_assignee=assignee)

    async def remove_note(
        self, organization_id: OrganizationId, note: Note, *, now: datetime
    ) -> Committed:
        """Take a note back: its text is gone, from the log too, and `note:removed` tells."""
        of_event = (events.c.conversation_id == note.conversation_id) & (events.c.seq == note.seq)
        async with self._locked(organization_id, note.conversation_id) as (connection, row):
            gone = await connection.execute(
                delete(notes).where(notes.c.id == note.id).returning(notes.c.id)
            )
            stored: tuple[ConversationEvent, ...] = ()
            if gone.one_or_none() is not None:
                told = await connection.execute(select(events.c.data).where(of_event))
                data = told.scalar_one_or_none()
                if data is not None:  # older ones may be past retention
                    left = to_json(orjson.loads(data) | TAKEN_BACK)
                    await connection.execute(update(events).where(of_event).values(data=left))
                body = {"conversation_id": note.conversation_id, "id": note.id}
                draft = Draft(DurableEvent.NOTE_REMOVED, body)
                stored = await append(connection, row, [draft], now=now)
            last = await message_by_id(connection, row["last_message_id"])
        return self._committed(
            row, last, events=stored, is_new=bool(stored), previous_assignee=row["assigned_to"]
        )

    async def note(self, conversation_id: ConversationId, note_id: NoteId) -> Note | None:
        """Return one note of the conversation."""
        query = select(notes).where(
            notes.c.id == note_id, notes.c.conversation_id == conversation_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else note_of(row)

    async def notes(
        self, conversation_id: ConversationId, *, before_seq: int | None, limit: int
    ) -> Page[Note]:
        """Return the newest page below `before_seq`, in `seq` order."""
        limit = max(1, min(limit, MAX_LIMIT))
        query = select(notes).where(notes.c.conversation_id == conversation_id)
        if before_seq is not None:
            query = query.where(notes.c.seq < before_seq)
        async with self._database.read() as connection:
            newest = query.order_by(notes.c.seq.desc()).limit(limit + 1)
            rows = (await connection.execute(newest)).mappings().all()
        items = tuple(note_of(row) for row in reversed(rows[:limit]))
        return Page(items, str(items[0].seq) if len(rows) > limit else None)

    async def label_names(self, organization_id: OrganizationId) -> Sequence[str]:
        """Return the labels that the organization uses, sorted."""
        query = select(labels.c.name).where(labels.c.organization_id == organization_id).distinct()
        async with self._database.read() as connection:
            names = (await connection.execute(query)).scalars().all()
        return sorted(names)


def _values(organization_id: OrganizationId, note: Note) -> dict[str, Any]:
    return {
        "id": note.id,
        "organization_id": organization_id,
        "conversation_id": note.conversation_id,
        "author_id": note.author_id,
        "text": note.text,
        "seq": note.seq,
        "created_at": note.created_at,
    }
