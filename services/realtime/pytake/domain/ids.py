"""Names for the things that are known by a UUID.

Ids are canonical lower-case UUID *strings*: they are made once, travel as text
through JSON, rooms and channels, and are compared far more often than parsed.
"""

from typing import NewType
from uuid import UUID, uuid5

OrganizationId = NewType("OrganizationId", str)
UserId = NewType("UserId", str)
ConversationId = NewType("ConversationId", str)
ContactId = NewType("ContactId", str)
ChannelId = NewType("ChannelId", str)
MessageId = NewType("MessageId", str)
NoteId = NewType("NoteId", str)
CannedReplyId = NewType("CannedReplyId", str)
ConnectionId = NewType("ConnectionId", str)
"""The Socket.IO session id of one connection (not a UUID: it names its pod)."""

_FOREIGN_IDS = UUID("6f1c1d3e-7d0c-5b0a-9a53-0d7c2f6f3b11")


def parse_uuid(value: object) -> str | None:
    """Return the canonical form of a UUID, or None if the value is not one.

    Only the 36-character form with hyphens counts; braces, URNs and bare hex
    digits, which `uuid.UUID` would also take, are refused.
    """
    if not isinstance(value, str) or len(value) != 36:
        return None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def uuid_of_foreign_id(issuer: str, value: str) -> str:
    """Return the UUIDv5 that stands for another identity provider's id.

    The same issuer and value give the same UUID for ever, on every pod.
    """
    return str(uuid5(_FOREIGN_IDS, f"{issuer}\n{value}"))
