"""Messages in one statement each and one round trip together, for PostgreSQL.

The update takes the row lock and the number, the inserts follow. A duplicate that the
update cannot see yet (it was committed while this one waited for the lock) fails on the
unique constraint and takes number and all back with it: no hole is left.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import OrganizationId
from pytake.domain.message import Direction, NewMessage
from pytake.store import search_text
from pytake.store.engine import LOCK_TIMEOUT
from pytake.store.log import message_draft, stored_message
from pytake.store.rows import spliced, to_json

_APPEND = """
WITH settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', $21, true) AS lock_timeout,
           pytake_organization_version($2) AS organization_acl_version
), moved AS (
    UPDATE conversations AS c
    SET last_seq = c.last_seq + 1,
        inbound_count = c.inbound_count + $19,
        last_message_id = $3,
        other_author_seq = CASE WHEN c.last_author = $4
            THEN c.other_author_seq ELSE c.last_author_seq END,
        last_author = $4,
        last_author_seq = c.last_seq + 1,
        updated_at = greatest(c.updated_at, $14::timestamptz)
    FROM settings
    WHERE c.id = $1 AND c.organization_id = $2
        AND ($5::bigint IS NULL OR $5 >= CASE WHEN c.last_author = $4
            THEN c.other_author_seq ELSE c.last_author_seq END)
        AND ($6::text IS NULL OR NOT EXISTS (
            SELECT FROM messages AS m
            WHERE m.conversation_id = $1 AND m.sender_id = $7 AND m.client_message_id = $6))
    RETURNING c.*, settings.organization_acl_version
), message AS (
    INSERT INTO messages (id, organization_id, conversation_id, seq, direction, sender_type,
        sender_id, message_type, content, search_text, status, whatsapp_message_id,
        client_message_id, retry_of, inbound_count, created_at)
    SELECT $3, $2, $1, last_seq, $8, $9, $7, $10, $11, $12, $13, $15, $6, $16, inbound_count, $14
    FROM moved
), event AS (
    INSERT INTO events (conversation_id, seq, organization_id, name, data, created_at,
        acl_version, organization_acl_version, traceparent)
    SELECT $1, last_seq, $2, 'message:new', $17, $20::timestamptz, acl_version,
        organization_acl_version, $18
    FROM moved
), behind AS (
    UPDATE outbox AS o
    SET last_seq = moved.last_seq,
        pending_since = CASE WHEN o.published_seq < o.last_seq
            THEN o.pending_since ELSE $20::timestamptz END
    FROM moved WHERE o.conversation_id = $1
), queued AS (
    INSERT INTO send_queue (message_id, organization_id, channel_id, conversation_id, seq,
        next_attempt_at, traceparent)
    SELECT $3, $2, channel_id, $1, last_seq, $14, $18
    FROM moved WHERE channel_id IS NOT NULL AND $8 = 'outbound' AND $13 = 'pending'
)
SELECT moved.*, contacts.name AS contact_name, contacts.phone AS contact_phone,
    (SELECT max(inbound_read) FROM read_positions WHERE conversation_id = $1) AS inbound_read
FROM moved JOIN contacts ON contacts.id = moved.contact_id
"""


Stored = tuple[dict[str, Any], ConversationEvent]
"""The conversation's row after the commit, and the event."""


async def append(
    connection: Any, wanted: Sequence[tuple[OrganizationId, NewMessage]], now: datetime
) -> list[Stored | None]:
    """Store messages with their numbers and events: all of them, or none if this raises.

    Returns:
        For each the conversation's row with its contact, and the event; None where
        nothing was stored: no such conversation, a stale view, or a message that is
        there already.

    Raises:
        UniqueViolationError: One of them is there already; none was stored.
    """
    data = [to_json(message_draft(stored_message(new, seq=0)).data) for _, new in wanted]
    arguments = [
        _arguments(organization_id, new, text, now)
        for (organization_id, new), text in zip(wanted, data, strict=True)
    ]
    rows = await connection.fetchmany(_APPEND, arguments)
    conversations = {row["last_message_id"]: dict(row) for row in rows}
    return [
        _stored(conversations.get(new.id), new, text, now)
        for (_, new), text in zip(wanted, data, strict=True)
    ]


def _arguments(
    organization_id: OrganizationId, new: NewMessage, data: str, now: datetime
) -> tuple[Any, ...]:
    return (
        new.conversation_id,
        organization_id,
        new.id,
        new.sender_id or new.sender_type.value,
        new.based_on_seq,
        new.client_message_id,
        new.sender_id,
        new.direction.value,
        new.sender_type.value,
        new.message_type.value,
        to_json(dict(new.content)),
        search_text.of_message(new.content),
        new.status.value,
        new.created_at,
        new.whatsapp_message_id,
        new.retry_of,
        data,
        new.traceparent,
        int(new.direction is Direction.INBOUND),
        now,
        LOCK_TIMEOUT,
    )


def _stored(
    conversation: dict[str, Any] | None, new: NewMessage, data: str, now: datetime
) -> Stored | None:
    if conversation is None:
        return None
    event = ConversationEvent(
        organization_id=conversation["organization_id"],
        conversation_id=new.conversation_id,
        seq=conversation["last_seq"],
        name=DurableEvent.MESSAGE_NEW.value,
        data=spliced(data, conversation["last_seq"]),
        created_at=now,
        acl_version=conversation["acl_version"],
        organization_acl_version=conversation["organization_acl_version"],
        traceparent=new.traceparent,
    )
    return conversation, event
