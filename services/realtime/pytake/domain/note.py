"""A note: what colleagues tell each other beside a conversation. Customers never see one.

It is no message: it has no status, waits in no send queue, and moves nobody's view. It
stands among the messages of the conversation by its `seq`.
"""

from dataclasses import dataclass
from datetime import datetime

from pytake.domain.ids import ConversationId, NoteId, UserId
from pytake.domain.principal import Principal, Role

MAX_NOTE_LENGTH = 4_096


@dataclass(frozen=True, slots=True)
class Note:
    id: NoteId
    conversation_id: ConversationId
    seq: int
    author_id: UserId
    text: str
    created_at: datetime


def may_remove(principal: Principal, note: Note) -> bool:
    """Whether the principal may take the note back: who wrote it may, and admins."""
    return note.author_id == principal.user_id or principal.role is Role.ADMIN
