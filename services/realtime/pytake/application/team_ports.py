"""What colleagues keep for each other: notes beside conversations, labels, canned replies."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pytake.application.ports import Committed, Page
from pytake.domain.canned_reply import CannedReply
from pytake.domain.ids import CannedReplyId, ConversationId, NoteId, OrganizationId, UserId
from pytake.domain.note import Note


class NoteStore(Protocol):
    """Notes of conversations, each with a `seq` and an event as messages have. Store
    attribute: `conversations`.

    Nothing here touches `messages` or the send queue: a note has no way to a customer.
    """

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
        """Store a note with the next `seq` and its `note:new`.

        Safe to repeat: the same id, author and text give the stored note, with `is_new` False.

        Raises:
            NotFound: No such conversation in this organization.
            Conflict: The id is that of another note.
        """
        ...

    async def remove_note(
        self, organization_id: OrganizationId, note: Note, *, now: datetime
    ) -> Committed:
        """Take a note back: its text is gone, from the log too, and `note:removed` tells."""
        ...

    async def note(self, conversation_id: ConversationId, note_id: NoteId) -> Note | None: ...

    async def notes(
        self, conversation_id: ConversationId, *, before_seq: int | None, limit: int
    ) -> Page[Note]:
        """Return the newest page below `before_seq`, in `seq` order."""
        ...

    async def label_names(self, organization_id: OrganizationId) -> Sequence[str]:
        """Return the labels that the organization uses, sorted."""
        ...


class CannedReplies(Protocol):
    """The canned replies of organizations. Store attribute: `canned_replies`."""

    async def canned_replies(self, organization_id: OrganizationId) -> Sequence[CannedReply]:
        """Return all of them, by shortcut."""
        ...

    async def put(self, reply: CannedReply, *, now: datetime) -> None:
        """Store a reply, or the new state of the one that has this id.

        Raises:
            Conflict: Another reply has the shortcut.
        """
        ...

    async def remove(self, organization_id: OrganizationId, reply_id: CannedReplyId) -> bool:
        """Remove a reply; False if there is none."""
        ...
