"""Names for the things that are known by a UUID.

Ids are canonical lower-case UUID *strings*: they are made once, travel as text
through JSON, rooms and channels, and are compared far more often than parsed.
"""

import re
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

_CANONICAL = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_FOREIGN_IDS = UUID("6f1c1d3e-7d0c-5b0a-9a53-0d7c2f6f3b11")


def parse_uuid(value: object) -> str | None:
    """Return the canonical form of a UUID, or None if the value is not one.

    Only the 36-character form with hyphens counts; braces, URNs and bare hex
    digits, which `uuid.UUID` would also take, are refused.
    """
    # A pattern, since every event of a client comes through here: UUID() takes ten times as long.
    if not isinstance(value, str) or not _CANONICAL(lowered := value.lower()):
        return None
    return lowered


def uuid_of_foreign_id(issuer: str, value: str) -> str:
    """Return the UUIDv5 that stands for another identity provider's id.

    The same issuer and value give the same UUID for ever, on every pod.
    """
    return str(uuid5(_FOREIGN_IDS, f"{issuer}\n{value}"))
