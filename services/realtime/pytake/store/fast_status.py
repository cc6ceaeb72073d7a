"""A report about a message in two round trips, for PostgreSQL.

Most webhooks are reports, three for each message that goes out. The message is read and
judged without a lock, and changed only if it is still what was judged; whoever finds it
changed meanwhile starts over under the conversation's lock.
"""

from datetime import datetime
from typing import Any

from pytake.application.ports import StatusReport
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, MessageId, OrganizationId
from pytake.domain.message import Message
from pytake.store.engine import LOCK_TIMEOUT
from pytake.store.log import status_draft
from pytake.store.rows import message_of, spliced, times_json, to_json

_FIND = """
SELECT * FROM messages
WHERE organization_id = $1 AND (id = $2 OR whatsapp_message_id = $3)
ORDER BY (id = $2) DESC NULLS LAST LIMIT 1
"""
_CHANGE = """
UPDATE messages SET status = $2, error = $3, sent_at = $4, whatsapp_message_id = $5,
    status_times = $9
WHERE id = $1 AND status = $6 AND error IS NOT DISTINCT FROM $7
    AND whatsapp_message_id IS NOT DISTINCT FROM $8
    AND status_times IS NOT DISTINCT FROM $10
RETURNING conversation_id
"""
_CHANGE_AND_TELL = f"""
WITH settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', $11, true) AS lock_timeout,
           pytake_organization_version($12) AS organization_acl_version
), message AS (
    {_CHANGE}
), moved AS (
    UPDATE conversations AS c SET last_seq = c.last_seq + 1
    FROM message, settings WHERE c.id = message.conversation_id
    RETURNING c.*, settings.organization_acl_version
), event AS (
    INSERT INTO events (conversation_id, seq, organization_id, name, data, created_at,
        acl_version, organization_acl_version, traceparent)
    SELECT id, last_seq, organization_id, $13, $14, $15::timestamptz, acl_version,
        organization_acl_version, $16
    FROM moved
), behind AS (
    UPDATE outbox AS o
    SET last_seq = moved.last_seq,
        pending_since = CASE WHEN o.published_seq < o.last_seq
            THEN o.pending_since ELSE $15::timestamptz END
    FROM moved WHERE o.conversation_id = moved.id
)
SELECT moved.*, contacts.name AS contact_name, contacts.phone AS contact_phone,
    contacts.marketing_opt_out_at AS contact_opted_out_at,
    (SELECT max(inbound_read) FROM read_positions WHERE conversation_id = moved.id) AS inbound_read
FROM moved JOIN contacts ON contacts.id = moved.contact_id
"""  # noqa: S608 - two constants
_CONVERSATION = """
SELECT c.*, contacts.name AS contact_name, contacts.phone AS contact_phone,
    contacts.marketing_opt_out_at AS contact_opted_out_at,
    (SELECT max(inbound_read) FROM read_positions WHERE conversation_id = c.id) AS inbound_read
FROM conversations AS c JOIN contacts ON contacts.id = c.contact_id
WHERE c.id = $1
"""
_MESSAGE = "SELECT * FROM messages WHERE id = $1"


async def find(
    connection: Any,
    organization_id: OrganizationId,
    message_id: MessageId | None,
    whatsapp_message_id: str | None,
) -> Message | None:
    """Return the message of our id, or else the one of the provider's."""
    row = await connection.fetchrow(_FIND, organization_id, message_id, whatsapp_message_id)
    return None if row is None else message_of(row)


async def message(connection: Any, message_id: str) -> Message | None:
    """Return a message."""
    row = await connection.fetchrow(_MESSAGE, message_id)
    return None if row is None else message_of(row)


async def conversation(connection: Any, conversation_id: ConversationId) -> dict[str, Any]:
    """Return the row of a conversation that is known to exist, with its contact."""
    return dict(await connection.fetchrow(_CONVERSATION, conversation_id))


async def store(
    connection: Any, report: StatusReport, before: Message, after: Message, now: datetime
) -> tuple[dict[str, Any], tuple[ConversationEvent, ...]] | None:
    """Store what became of a message, and its event where there is something to tell.

    Returns:
        The conversation's row with its contact, and what was told; None if the message
        is no longer what it was before: nothing was stored then.
    """
    if (after.status, after.error) != (before.status, before.error):
        return await _change_and_tell(connection, report, before, after, now)
    if after != before:
        changed = await connection.fetchval(_CHANGE, *_changed(before, after))
        if changed is None:
            return None
    return await conversation(connection, before.conversation_id), ()


async def _change_and_tell(
    connection: Any, report: StatusReport, before: Message, after: Message, now: datetime
) -> tuple[dict[str, Any], tuple[ConversationEvent, ...]] | None:
    draft = status_draft(after, report.reported_at)
    data = to_json(draft.data)
    row = await connection.fetchrow(
        _CHANGE_AND_TELL,
        *_changed(before, after),
        LOCK_TIMEOUT,
        report.organization_id,
        draft.name.value,
        data,
        now,
        report.traceparent,
    )
    if row is None:
        return None
    event = ConversationEvent(
        organization_id=report.organization_id,
        conversation_id=after.conversation_id,
        seq=row["last_seq"],
        name=draft.name.value,
        data=spliced(data, row["last_seq"]),
        created_at=now,
        acl_version=row["acl_version"],
        organization_acl_version=row["organization_acl_version"],
        traceparent=report.traceparent,
    )
    return dict(row), (event,)


def _changed(before: Message, after: Message) -> tuple[Any, ...]:
    return (
        after.id,
        after.status.value,
        _json(after),
        after.sent_at,
        after.whatsapp_message_id,
        before.status.value,
        _json(before),
        before.whatsapp_message_id,
        times_json(after.status_times),
        times_json(before.status_times),
    )


def _json(message: Message) -> str | None:
    return None if message.error is None else to_json(dict(message.error))
