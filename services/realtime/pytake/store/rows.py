"""From rows to the things of the domain, and from them to the JSON that is stored.

Rows come from SQLAlchemy or from the driver itself; both are read by column name.
"""

from datetime import datetime
from typing import Any, Protocol

import orjson

from pytake.application.ports import Channel, RightsChange, User
from pytake.domain.conversation import Access, Contact, Conversation, ConversationStatus
from pytake.domain.errors import InvalidPayload
from pytake.domain.events import ConversationEvent
from pytake.domain.message import Direction, Message, MessageType, SenderType
from pytake.domain.note import Note
from pytake.domain.principal import Role
from pytake.domain.status import MessageStatus, StatusTimes


class Row(Protocol):
    """What is read by the name of a column."""

    def __getitem__(self, column: str, /) -> Any: ...


def to_json(value: object) -> str:
    """Return the text that a JSON column holds.

    Raises:
        InvalidPayload: The value is no JSON: half of a surrogate pair, a number beyond 64 bits.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidPayload(detail="A value cannot be written as JSON.") from error


def from_json(value: str | None) -> Any:
    """Return what a JSON column holds."""
    return None if value is None else orjson.loads(value)


def spliced(data: str, seq: int) -> bytes:
    """Return an event's object with its `seq` put in front, without parsing it."""
    return b'{"seq":%d,%s' % (seq, data[1:].encode())


def event_of(row: Row) -> ConversationEvent:
    return ConversationEvent(
        organization_id=row["organization_id"],
        conversation_id=row["conversation_id"],
        seq=row["seq"],
        name=row["name"],
        data=spliced(row["data"], row["seq"]),
        created_at=row["created_at"],
        acl_version=row["acl_version"],
        organization_acl_version=row["organization_acl_version"],
        traceparent=row["traceparent"],
    )


def message_of(row: Row, prefix: str = "") -> Message:
    return Message(
        id=row[prefix + "id"],
        conversation_id=row[prefix + "conversation_id"],
        seq=row[prefix + "seq"],
        direction=Direction(row[prefix + "direction"]),
        sender_type=SenderType(row[prefix + "sender_type"]),
        sender_id=row[prefix + "sender_id"],
        message_type=MessageType(row[prefix + "message_type"]),
        content=from_json(row[prefix + "content"]),
        status=MessageStatus(row[prefix + "status"]),
        created_at=row[prefix + "created_at"],
        sent_at=row[prefix + "sent_at"],
        error=from_json(row[prefix + "error"]),
        whatsapp_message_id=row[prefix + "whatsapp_message_id"],
        client_message_id=row[prefix + "client_message_id"],
        retry_of=row[prefix + "retry_of"],
        status_times=_times_of(row[prefix + "status_times"]),
    )


def _times_of(value: str | None) -> StatusTimes | None:
    if value is None:
        return None
    stored = orjson.loads(value)
    return StatusTimes(
        {MessageStatus(name): datetime.fromisoformat(at) for name, at in stored["at"].items()},
        frozenset(MessageStatus(name) for name in stored["implied"]),
    )


def times_json(times: StatusTimes | None) -> str | None:
    """Return the text that `status_times` holds."""
    if times is None:
        return None
    return to_json(
        {
            "at": {status.value: moment.isoformat() for status, moment in times.at.items()},
            "implied": sorted(status.value for status in times.implied),
        }
    )


def conversation_of(row: Row, *, epoch: str, last_message: Message | None) -> Conversation:
    """Read a row of `conversations` with contact and `inbound_read` (of whoever asks)."""
    return Conversation(
        id=row["id"],
        organization_id=row["organization_id"],
        contact=Contact(
            row["contact_id"],
            row["contact_name"],
            row["contact_phone"],
            row["contact_opted_out_at"],
        ),
        channel_id=row["channel_id"],
        status=ConversationStatus(row["status"]),
        assigned_to=row["assigned_to"],
        unread_count=max(0, row["inbound_count"] - (row["inbound_read"] or 0)),
        inbound_count=row["inbound_count"],
        last_message=last_message,
        last_seq=row["last_seq"],
        acl_version=row["acl_version"],
        epoch=epoch,
        window_expires_at=row["window_expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        labels=tuple(from_json(row["labels"])),
    )


def note_of(row: Row) -> Note:
    return Note(
        id=row["id"],
        conversation_id=row["conversation_id"],
        seq=row["seq"],
        author_id=row["author_id"],
        text=row["text"],
        created_at=row["created_at"],
    )


def access_of(row: Row) -> Access:
    return Access(
        organization_id=row["organization_id"],
        assigned_to=row["assigned_to"],
        acl_version=row["acl_version"],
        organization_acl_version=row["organization_acl_version"],
        head=row["last_seq"],
    )


def user_of(row: Row) -> User:
    return User(
        id=row["id"],
        organization_id=row["organization_id"],
        role=Role(row["role"]),
        name=row["name"],
        email=row["email"],
        is_active=row["is_active"],
    )


def rights_change_of(row: Row) -> RightsChange:
    return RightsChange(
        id=row["id"],
        user_id=row["user_id"],
        organization_id=row["organization_id"],
        changed_at=row["changed_at"],
        role=None if row["role"] is None else Role(row["role"]),
        token_id=row["token_id"],
    )


def channel_of(row: Row) -> Channel:
    return Channel(
        id=row["id"],
        organization_id=row["organization_id"],
        name=row["name"],
        phone_number_id=row["phone_number_id"],
        is_active=row["is_active"],
        stopped_because=row["stopped_because"],
        account_id=row["account_id"],
        display_phone_number=row["display_phone_number"],
        verified_name=row["verified_name"],
        quality_rating=row["quality_rating"],
        messaging_limit=row["messaging_limit"],
        sends_read_marks=row["sends_read_marks"],
        sends_typing=row["sends_typing"],
    )
