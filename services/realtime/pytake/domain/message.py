"""A message: what an agent or a customer wrote, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pytake.domain.ids import ConversationId, MessageId
from pytake.domain.status import MessageStatus, StatusTimes

MAX_TEXT_CHARACTERS = 4096
"""WhatsApp's own limit for the body of a text."""

MAX_CAPTION_CHARACTERS = 1024


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class SenderType(StrEnum):
    CONTACT = "contact"
    AGENT = "agent"
    BOT = "bot"


class MessageType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACTS = "contacts"
    REACTION = "reaction"
    INTERACTIVE = "interactive"
    TEMPLATE = "template"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as stored.

    `content` is JSON of the shape that the type asks for (`text`, `caption`,
    `media_id`, …). `error` is `{code, title, detail?, next_step?}` once a send
    failed or could not be confirmed. `seq` is that of the event that announced it.
    `status_times` is None until the provider reports something.
    """

    id: MessageId
    conversation_id: ConversationId
    seq: int
    direction: Direction
    sender_type: SenderType
    sender_id: str | None
    message_type: MessageType
    content: Mapping[str, Any]
    status: MessageStatus
    created_at: datetime
    sent_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    whatsapp_message_id: str | None = None
    client_message_id: str | None = None
    retry_of: MessageId | None = None
    status_times: StatusTimes | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is about to be stored; the store adds `seq`.

    `client_message_id` is unique per sender and conversation, `whatsapp_message_id`
    per organization: storing the same again gives the message that is there.
    `based_on_seq` is the newest `seq` that the author had seen, if the author said so.
    """

    id: MessageId
    conversation_id: ConversationId
    direction: Direction
    sender_type: SenderType
    sender_id: str | None
    message_type: MessageType
    content: Mapping[str, Any]
    created_at: datetime
    status: MessageStatus = MessageStatus.PENDING
    whatsapp_message_id: str | None = None
    client_message_id: str | None = None
    retry_of: MessageId | None = None
    based_on_seq: int | None = None
    traceparent: str | None = field(default=None, compare=False)
