"""Messages in one statement each and one round trip together, for PostgreSQL.

The update takes the row lock and the number, the inserts follow. A duplicate that the
update cannot see yet (it was committed while this one waited for the lock) fails on the
unique constraint and takes number and all back with it: no hole is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytake.application.ports import InboundMessage
from pytake.domain.events import ConversationEvent, DurableEvent
from pytake.domain.ids import ContactId, ConversationId, OrganizationId
from pytake.domain.message import Direction, Message
from pytake.store import search_text
from pytake.store.engine import LOCK_TIMEOUT
from pytake.store.log import author_of, message_draft
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
        updated_at = greatest(c.updated_at, $14::timestamptz),
        window_expires_at = greatest(c.window_expires_at, $23::timestamptz)
    FROM settings
    WHERE c.id = $1 AND c.organization_id = $2
        AND ($5::bigint IS NULL OR $5 >= CASE WHEN c.last_author = $4
            THEN c.other_author_seq ELSE c.last_author_seq END)
        AND ($6::text IS NULL OR NOT EXISTS (
            SELECT FROM messages AS m
            WHERE m.conversation_id = $1 AND m.sender_id = $7 AND m.client_message_id = $6))
        AND ($15::text IS NULL OR NOT EXISTS (
            SELECT FROM messages AS m
            WHERE m.organization_id = $2 AND m.whatsapp_message_id = $15))
        AND (NOT $24::boolean OR c.status = 'open')
    RETURNING c.*, settings.organization_acl_version
), message AS (
    INSERT INTO messages (id, organization_id, conversation_id, seq, direction, sender_type,
        sender_id, message_type, content, search_text, status, whatsapp_message_id,
        client_message_id, retry_of, inbound_count, created_at, sent_at)
    SELECT $3, $2, $1, last_seq, $8, $9, $7, $10, $11, $12, $13, $15, $6, $16, inbound_count, $14,
        $22::timestamptz
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
    contacts.marketing_opt_out_at AS contact_opted_out_at,
    (SELECT max(inbound_read) FROM read_positions WHERE conversation_id = $1) AS inbound_read
FROM moved JOIN contacts ON contacts.id = moved.contact_id
"""


# The conversation of whoever wrote, if all names are known as the contact's and replies go
# to the first already: then nothing about the contact is to be stored.
_FIND = """
SELECT c.id, c.contact_id
FROM contact_identifiers AS first
JOIN contacts ON contacts.id = first.contact_id
JOIN conversations AS c ON c.contact_id = contacts.id AND coalesce(c.channel_id, '') = $4
WHERE first.organization_id = $1 AND first.kind = ($2::text[])[1] AND first.value = ($3::text[])[1]
    AND ($5::boolean OR (contacts.reply_kind = first.kind AND contacts.reply_value = first.value))
    AND NOT EXISTS (
        SELECT FROM unnest($2::text[], $3::text[]) AS name (kind, value)
        WHERE NOT EXISTS (
            SELECT FROM contact_identifiers AS known
            WHERE known.organization_id = $1 AND known.kind = name.kind
                AND known.value = name.value AND known.contact_id = contacts.id))
"""

Stored = tuple[dict[str, Any], ConversationEvent]
"""The conversation's row after the commit, and the event."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message to be stored; its `seq` is not known yet and counts for nothing.

    It is refused where `based_on_seq` is older than what others wrote, and where
    `only_if_open` is asked for and the conversation is closed.
    """

    organization_id: OrganizationId
    message: Message
    based_on_seq: int | None = None
    traceparent: str | None = None
    window_expires_at: datetime | None = None
    only_if_open: bool = False


async def append(connection: Any, wanted: Sequence[Wanted], now: datetime) -> list[Stored | None]:
    """Store messages with their numbers and events: all of them, or none if this raises.

    Returns:
        For each the conversation's row with its contact, and the event; None where
        nothing was stored: no such conversation, a stale view, or a message that is
        there already.

    Raises:
        UniqueViolationError: One of them is there already; none was stored.
    """
    data = [to_json(message_draft(each.message).data) for each in wanted]
    arguments = [_arguments(each, text, now) for each, text in zip(wanted, data, strict=True)]
    rows = await connection.fetchmany(_APPEND, arguments)
    conversations = {row["last_message_id"]: dict(row) for row in rows}
    return [
        _stored(conversations.get(each.message.id), each, text, now)
        for each, text in zip(wanted, data, strict=True)
    ]


async def find_conversation(
    connection: Any, inbound: InboundMessage
) -> tuple[ConversationId, ContactId] | None:
    """Return conversation and contact of whoever wrote, if all about them is known."""
    row = await connection.fetchrow(
        _FIND,
        inbound.organization_id,
        [kind for kind, _ in inbound.identifiers],
        [value for _, value in inbound.identifiers],
        inbound.channel_id,
        inbound.is_echo,
    )
    return None if row is None else (row["id"], row["contact_id"])


def _arguments(wanted: Wanted, data: str, now: datetime) -> tuple[Any, ...]:
    message = wanted.message
    return (
        message.conversation_id,
        wanted.organization_id,
        message.id,
        author_of(message),
        wanted.based_on_seq,
        message.client_message_id,
        message.sender_id,
        message.direction.value,
        message.sender_type.value,
        message.message_type.value,
        to_json(dict(message.content)),
        search_text.of_message(message.content),
        message.status.value,
        message.created_at,
        message.whatsapp_message_id,
        message.retry_of,
        data,
        wanted.traceparent,
        int(message.direction is Direction.INBOUND),
        now,
        LOCK_TIMEOUT,
        message.sent_at,
        wanted.window_expires_at,
        wanted.only_if_open,
    )


def _stored(
    conversation: dict[str, Any] | None, wanted: Wanted, data: str, now: datetime
) -> Stored | None:
    if conversation is None:
        return None
    event = ConversationEvent(
        organization_id=wanted.organization_id,
        conversation_id=wanted.message.conversation_id,
        seq=conversation["last_seq"],
        name=DurableEvent.MESSAGE_NEW.value,
        data=spliced(data, conversation["last_seq"]),
        created_at=now,
        acl_version=conversation["acl_version"],
        organization_acl_version=conversation["organization_acl_version"],
        traceparent=wanted.traceparent,
    )
    return conversation, event
