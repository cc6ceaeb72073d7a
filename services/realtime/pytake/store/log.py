"""Appending to the log of a conversation whose row is locked.

Number, event and whatever else changes become visible together, or not at all: rows are
inserted first and the head is moved last, in the one transaction that the caller holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.contract.present import message_body
from pytake.contract.times import wire_time
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ConversationId, OrganizationId
from pytake.domain.message import Message, NewMessage
from pytake.store.rows import event_of, from_json, to_json
from pytake.store.tables import (
    contacts,
    conversations,
    events,
    organizations,
    outbox,
    read_positions,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no number yet; `data` is its object without `seq`."""

    name: DurableEvent
    data: Mapping[str, Any]


def stored_message(new: NewMessage, seq: int) -> Message:
    """Return a new message as it is kept under its number."""
    return Message(
        id=new.id,
        conversation_id=new.conversation_id,
        seq=seq,
        direction=new.direction,
        sender_type=new.sender_type,
        sender_id=new.sender_id,
        message_type=new.message_type,
        content=new.content,
        status=new.status,
        created_at=new.created_at,
        whatsapp_message_id=new.whatsapp_message_id,
        client_message_id=new.client_message_id,
        retry_of=new.retry_of,
    )


def author_of(message: Message) -> str:
    """Return who counts as the author for `stale_view`: the user, or else the kind of sender."""
    return message.sender_id or message.sender_type.value


def message_draft(message: Message) -> Draft:
    """Return the `message:new` of a message; the number that the message has is left out."""
    body = message_body(message)
    del body["seq"]
    return Draft(DurableEvent.MESSAGE_NEW, body)


def status_draft(message: Message, timestamp: datetime) -> Draft:
    """Return the `message:status` of a message as it is now."""
    data: dict[str, Any] = {
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "status": message.status.value,
        "timestamp": wire_time(timestamp),
    }
    if message.error is not None:
        data["error"] = dict(message.error)
    return Draft(DurableEvent.MESSAGE_STATUS, data)


def update_draft(conversation: Mapping[str, Any]) -> Draft:
    """Return the `conversation:updated` of a row of `conversations`."""
    data = {
        "conversation_id": conversation["id"],
        "assigned_to": conversation["assigned_to"],
        "status": conversation["status"],
        "labels": from_json(conversation["labels"]),
    }
    return Draft(DurableEvent.CONVERSATION_UPDATED, data)


def inbound_read_by_anybody() -> ColumnElement[Any]:
    """How many messages of the customer somebody has read, for a row of `conversations`."""
    return (
        select(func.coalesce(func.max(read_positions.c.inbound_read), 0))
        .where(read_positions.c.conversation_id == conversations.c.id)
        .scalar_subquery()
        .label("inbound_read")
    )


def _organization_version(connection: AsyncConnection) -> ColumnElement[Any]:
    if connection.dialect.name == "postgresql":
        version: ColumnElement[Any] = func.pytake_organization_version(
            conversations.c.organization_id
        )
    else:
        version = (
            select(organizations.c.acl_version)
            .where(organizations.c.id == conversations.c.organization_id)
            .scalar_subquery()
        )
    return version.label("organization_acl_version")


async def locked(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    conversation_id: ConversationId,
) -> dict[str, Any] | None:
    """Lock a conversation and return its row with contact and versions.

    `last_message` is not part of it: after a wait for the lock the row is the newest,
    but whatever was joined to it is as old as the statement.
    """
    query = (
        select(
            conversations,
            contacts.c.name.label("contact_name"),
            contacts.c.phone.label("contact_phone"),
            contacts.c.marketing_opt_out_at.label("contact_opted_out_at"),
            inbound_read_by_anybody(),
            _organization_version(connection),
        )
        .join(contacts, contacts.c.id == conversations.c.contact_id)
        .where(
            and_(
                conversations.c.id == conversation_id,
                conversations.c.organization_id == organization_id,
            )
        )
        .with_for_update(of=conversations)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else dict(row)


async def append(
    connection: AsyncConnection,
    conversation: dict[str, Any],
    drafts: Sequence[Draft],
    *,
    now: datetime,
    traceparent: str | None = None,
) -> tuple[ConversationEvent, ...]:
    """Number and store events, and move the head of the locked conversation.

    `conversation` is the row as `locked` gave it, changed in place by the caller (all
    changes are stored) and here (`last_seq`).
    """
    rows = [
        {
            "conversation_id": conversation["id"],
            "seq": conversation["last_seq"] + number,
            "organization_id": conversation["organization_id"],
            "name": draft.name.value,
            "data": to_json(draft.data),
            "created_at": now,
            "acl_version": conversation["acl_version"],
            "organization_acl_version": conversation["organization_acl_version"],
            "traceparent": traceparent,
        }
        for number, draft in enumerate(drafts, start=1)
    ]
    if rows:
        await connection.execute(insert(events), rows)
        conversation["last_seq"] = rows[-1]["seq"]
        await connection.execute(_fell_behind(conversation, now))
    await connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation["id"])
        .values({name: conversation[name] for name in _CHANGEABLE})
    )
    return tuple(event_of(row) for row in rows)


_CHANGEABLE = (
    "status",
    "assigned_to",
    "last_seq",
    "inbound_count",
    "last_message_id",
    "last_author",
    "last_author_seq",
    "other_author_seq",
    "acl_version",
    "window_expires_at",
    "labels",
    "updated_at",
)


def _fell_behind(conversation: Mapping[str, Any], now: datetime) -> Any:
    is_up_to_date = outbox.c.published_seq >= outbox.c.last_seq
    return (
        update(outbox)
        .where(outbox.c.conversation_id == conversation["id"])
        .values(
            last_seq=conversation["last_seq"],
            pending_since=case((is_up_to_date, now), else_=outbox.c.pending_since),
        )
    )
