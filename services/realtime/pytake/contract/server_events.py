"""What the server sends over the socket: one model per event."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from pytake.contract.bodies import (
    Answer,
    CannedReplyBody,
    ConversationBody,
    MessageBody,
    NoteBody,
    Time,
    Uuid,
)
from pytake.domain.conversation import ConversationStatus
from pytake.domain.status import MessageStatus


class EventClass(StrEnum):
    """What happens to an event that could not be delivered."""

    DURABLE = "durable"
    """Carries `seq`, is stored, replayed, and comes in order without holes."""
    LIST = "list"
    """A change of the inbox list: no `seq`; `resync` follows when some may be lost."""
    EPHEMERAL = "ephemeral"
    """Lost is lost: the next one replaces it. Shed first for slow readers."""
    ANSWER = "answer"
    """Sent to one connection, in answer to what it did or about the connection itself."""


class Connected(Answer):
    message: str
    user_id: Uuid
    sid: str
    server_time: Time
    expires_at: Time


class JoinedConversation(Answer):
    """`seq` is the head at this moment; `replayed` events follow, then live ones."""

    conversation_id: Uuid
    message: str
    seq: int
    epoch: str
    recovered: bool
    replayed: int


class LeftConversation(Answer):
    conversation_id: Uuid
    reason: Literal["forbidden"] | None = None


class MessageStatusChanged(Answer):
    conversation_id: Uuid
    message_id: Uuid
    seq: int
    status: MessageStatus
    timestamp: Time
    error: dict[str, Any] | None = None


class MessageStatusBatch(Answer):
    """Replaces the single statuses from `first_seq` to `last_seq`, all of them."""

    conversation_id: Uuid
    first_seq: int
    last_seq: int
    updates: list[MessageStatusChanged]


class ConversationUpdated(Answer):
    conversation_id: Uuid
    seq: int
    assigned_to: Uuid | None
    status: ConversationStatus
    labels: list[str] = Field(default_factory=list)


class NoteRemoved(Answer):
    """A note was taken back; its text is gone from the log, too."""

    conversation_id: Uuid
    id: Uuid
    seq: int


class CannedRepliesChanged(Answer):
    """A canned reply of the organization was written or changed, or it is gone."""

    reply: CannedReplyBody | None = None
    removed_id: Uuid | None = None


class InboxUpdated(Answer):
    conversation: ConversationBody


class InboxRemoved(Answer):
    """The row is gone as of `seq`; an `inbox:updated` that is older comes too late to count."""

    conversation_id: Uuid
    seq: int


class ConversationRead(Answer):
    conversation_id: Uuid
    seq: int
    unread_count: int


class Resync(Answer):
    scope: Literal["inbox"]


class UserTyping(Answer):
    conversation_id: Uuid
    user_id: Uuid
    typing: bool


class Viewer(Answer):
    user_id: Uuid
    name: str


class PresenceUpdate(Answer):
    """Who has the conversation open: at most 50 by name, and how many in all."""

    conversation_id: Uuid
    viewers: list[Viewer]
    count: int


class TokenExpiring(Answer):
    expires_at: Time


class ServerDraining(Answer):
    reconnect_after_ms: int


class ErrorEvent(Answer):
    message: str
    code: str
    retryable: bool
    retry_after_ms: int | None = None
    event: str | None = None
    trace_id: str | None = None


class Pong(Answer):
    timestamp: Time
    t: Any = None


SERVER_EVENTS: dict[str, tuple[type[Answer], EventClass]] = {
    "connected": (Connected, EventClass.ANSWER),
    "joined_conversation": (JoinedConversation, EventClass.ANSWER),
    "left_conversation": (LeftConversation, EventClass.ANSWER),
    "message:new": (MessageBody, EventClass.DURABLE),
    "message:status": (MessageStatusChanged, EventClass.DURABLE),
    "message:status_batch": (MessageStatusBatch, EventClass.DURABLE),
    "conversation:updated": (ConversationUpdated, EventClass.DURABLE),
    "note:new": (NoteBody, EventClass.DURABLE),
    "note:removed": (NoteRemoved, EventClass.DURABLE),
    "inbox:updated": (InboxUpdated, EventClass.LIST),
    "inbox:removed": (InboxRemoved, EventClass.LIST),
    "conversation:read": (ConversationRead, EventClass.LIST),
    "canned_replies:changed": (CannedRepliesChanged, EventClass.LIST),
    "resync": (Resync, EventClass.LIST),
    "user_typing": (UserTyping, EventClass.EPHEMERAL),
    "presence:update": (PresenceUpdate, EventClass.EPHEMERAL),
    "token:expiring": (TokenExpiring, EventClass.ANSWER),
    "server:draining": (ServerDraining, EventClass.ANSWER),
    "error": (ErrorEvent, EventClass.ANSWER),
    "pong": (Pong, EventClass.ANSWER),
}
"""Every event that the server sends, by its name on the wire, with its class."""
