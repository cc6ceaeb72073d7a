"""The durable events of a conversation: what its log consists of.

Each takes the next `seq` of its conversation in the transaction that stores it.
The log has no holes and no repeats, so `seq` alone tells a reader what is missing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pytake.domain.ids import ConversationId, OrganizationId


class DurableEvent(StrEnum):
    MESSAGE_NEW = "message:new"
    MESSAGE_STATUS = "message:status"
    CONVERSATION_UPDATED = "conversation:updated"
    NOTE_NEW = "note:new"
    NOTE_REMOVED = "note:removed"


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """One row of the event log, ready to be sent.

    `data` is the event's JSON object exactly as clients get it, `seq` included,
    already encoded: it is spliced into the packet and never parsed on the way.
    The two versions are those under which the event was committed: whoever
    emits it must have checked its readers under at least these.
    `published_at` and `received_at` (seconds since 1970) are when it was handed to the broker
    and when this pod heard it from there; `committed_at` is `created_at` as the broker carries
    it, for those who count in seconds. All are 0 where it came another way.
    """

    organization_id: OrganizationId
    conversation_id: ConversationId
    seq: int
    name: str
    data: bytes
    created_at: datetime
    acl_version: int
    organization_acl_version: int
    traceparent: str | None = None
    published_at: float = field(default=0.0, compare=False)
    received_at: float = field(default=0.0, compare=False)
    committed_at: float = field(default=0.0, compare=False)
