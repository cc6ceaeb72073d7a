"""Somebody of the team notes something beside a conversation, or takes a note back."""

from uuid import uuid4

from pytake.application.ports import Clock, Committed, ConversationReader
from pytake.application.send_message import Announce
from pytake.application.team_ports import NoteStore
from pytake.application.visible import visible_conversation
from pytake.domain.errors import NotFound, Refused
from pytake.domain.ids import ConversationId, NoteId
from pytake.domain.note import Note, may_remove
from pytake.domain.principal import Principal


class WriteNote:
    """Stores and removes notes, and announces both. Nothing of it goes to the customer."""

    def __init__(
        self, reader: ConversationReader, store: NoteStore, announce: Announce, clock: Clock
    ) -> None:
        self._reader = reader
        self._store = store
        self._announce = announce
        self._clock = clock

    async def __call__(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        text: str,
        note_id: NoteId | None = None,
    ) -> tuple[Note, bool]:
        """Store the note; returns it, and whether it is new.

        Raises:
            NotFound: No such conversation for this principal.
            Conflict: The `note_id` is that of another note.
        """
        await visible_conversation(self._reader, principal, conversation_id)
        note, committed = await self._store.add_note(
            principal.organization_id,
            conversation_id,
            note_id=note_id or NoteId(str(uuid4())),
            author_id=principal.user_id,
            text=text,
            now=self._clock(),
        )
        await self._announce(committed)
        return note, committed.is_new

    async def remove(
        self, principal: Principal, conversation_id: ConversationId, note_id: NoteId
    ) -> Committed:
        """Take a note back: its text is gone for good.

        Raises:
            NotFound: No such conversation for this principal, or no such note in it.
            Refused: `forbidden`: neither its author nor an admin.
        """
        await visible_conversation(self._reader, principal, conversation_id)
        note = await self._store.note(conversation_id, note_id)
        if note is None:
            raise NotFound
        if not may_remove(principal, note):
            raise Refused(detail="Only its author or an admin may remove a note.")
        committed = await self._store.remove_note(
            principal.organization_id, note, now=self._clock()
        )
        await self._announce(committed)
        return committed
