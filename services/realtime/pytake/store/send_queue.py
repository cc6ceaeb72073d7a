"""Outbound messages on their way to the provider, in the order of each conversation."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import CTE, and_, case, delete, func, select, update

from pytake.application.channel_ports import QueuedMessage
from pytake.application.ports import Clock
from pytake.domain.ids import ChannelId, MessageId
from pytake.domain.message import MessageType
from pytake.domain.status import MessageStatus
from pytake.store.engine import Database
from pytake.store.outbox import age_in_seconds
from pytake.store.rows import Row, from_json
from pytake.store.signals import SEND_QUEUE, Signals
from pytake.store.tables import contacts, conversations, messages, send_queue

# Each message that goes out needs the three: on PostgreSQL one round trip each.
_BEGIN = """
UPDATE send_queue
SET attempts = attempts + 1, unconfirmed = unconfirmed + 1, next_attempt_at = $2
WHERE message_id = ANY($1::text[])
"""
_POSTPONE = """
UPDATE send_queue SET next_attempt_at = $2, unconfirmed = greatest(unconfirmed - $3::int, 0)
WHERE message_id = $1
"""
_FINISH = "DELETE FROM send_queue WHERE message_id = ANY($1::text[])"


class SqlSendQueue:
    """`SendQueue` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, signals: Signals, clock: Clock) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def due(
        self, channel_id: ChannelId, *, now: datetime, limit: int
    ) -> Sequence[QueuedMessage]:
        """Return the head of each conversation whose time has come, oldest first.

        Reads the heads alone, however many wait behind them: a campaign of 50,000 messages to
        200 customers took 25 times as long when it looked at each (13 instead of 365 ms).
        """
        waiting = _conversations_waiting(channel_id)
        earlier = send_queue.alias("earlier")
        first_seq = select(func.min(earlier.c.seq)).where(
            earlier.c.channel_id == channel_id, earlier.c.conversation_id == waiting.c.id
        )
        is_head = and_(
            send_queue.c.conversation_id == waiting.c.id,
            send_queue.c.seq == first_seq.scalar_subquery(),
        )
        query = (
            select(
                send_queue,
                messages.c.message_type,
                messages.c.content,
                messages.c.status,
                messages.c.whatsapp_message_id,
                messages.c.created_at,
                conversations.c.window_expires_at,
                conversations.c.contact_id,
                contacts.c.reply_kind,
                contacts.c.reply_value,
                contacts.c.marketing_opt_out_at,
            )
            .select_from(waiting)
            .join(send_queue, is_head)
            .join(messages, messages.c.id == send_queue.c.message_id)
            .join(conversations, conversations.c.id == send_queue.c.conversation_id)
            .join(contacts, contacts.c.id == conversations.c.contact_id)
            .where(send_queue.c.next_attempt_at <= now)
            .order_by(messages.c.created_at, messages.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_queued(row) for row in rows]

    async def begin(self, message_ids: Sequence[MessageId], *, due_again: datetime) -> None:
        """Record before the request that an attempt begins, many in one statement."""
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(_BEGIN, list(message_ids), due_again)
            return
        query = (
            update(send_queue)
            .where(send_queue.c.message_id.in_(message_ids))
            .values(
                attempts=send_queue.c.attempts + 1,
                unconfirmed=send_queue.c.unconfirmed + 1,
                next_attempt_at=due_again,
            )
        )
        async with self._database.write() as connection:
            await connection.execute(query)

    async def postpone(
        self, message_id: MessageId, *, until: datetime, is_unconfirmed: bool = False
    ) -> None:
        """Try again at that time. An answered attempt takes its `unconfirmed` back."""
        answered = 0 if is_unconfirmed else 1
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(_POSTPONE, message_id, until, answered)
            return
        query = (
            update(send_queue)
            .where(send_queue.c.message_id == message_id)
            .values(
                next_attempt_at=until,
                unconfirmed=case(
                    (send_queue.c.unconfirmed > answered, send_queue.c.unconfirmed - answered),
                    else_=0,
                ),
            )
        )
        async with self._database.write() as connection:
            await connection.execute(query)

    async def finish(self, message_ids: Sequence[MessageId]) -> None:
        """Take messages off the queue: accepted, failed for good, or given up."""
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(_FINISH, list(message_ids))
            return
        async with self._database.write() as connection:
            await connection.execute(
                delete(send_queue).where(send_queue.c.message_id.in_(message_ids))
            )

    async def depth(self) -> tuple[int, float]:
        """Return (messages waiting, age of the oldest in seconds)."""
        query = select(func.count(), func.min(messages.c.created_at)).select_from(
            send_queue.join(messages, messages.c.id == send_queue.c.message_id)
        )
        async with self._database.read() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, age_in_seconds(oldest, self._clock())

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something due: on NOTIFY where it can be had."""
        return self._signals.wake_ups(SEND_QUEUE)


def _conversations_waiting(channel_id: ChannelId) -> CTE:
    """Return the conversations of a channel with messages in the queue, `id` by `id`: each is
    found in the index from the one before."""
    first = select(func.min(send_queue.c.conversation_id).label("id")).where(
        send_queue.c.channel_id == channel_id
    )
    found = first.cte("waiting", recursive=True)
    behind = send_queue.alias("behind")
    following = select(func.min(behind.c.conversation_id)).where(
        behind.c.channel_id == channel_id, behind.c.conversation_id > found.c.id
    )
    return found.union_all(select(following.scalar_subquery()).where(found.c.id.is_not(None)))


def _queued(row: Row) -> QueuedMessage:
    return QueuedMessage(
        message_id=row["message_id"],
        organization_id=row["organization_id"],
        channel_id=row["channel_id"],
        conversation_id=row["conversation_id"],
        contact_id=row["contact_id"],
        recipient=(row["reply_kind"], row["reply_value"]),
        message_type=MessageType(row["message_type"]),
        content=from_json(row["content"]),
        status=MessageStatus(row["status"]),
        whatsapp_message_id=row["whatsapp_message_id"],
        created_at=row["created_at"],
        window_expires_at=row["window_expires_at"],
        attempts=row["attempts"],
        unconfirmed=row["unconfirmed"],
        traceparent=row["traceparent"],
        wants_no_marketing=row["marketing_opt_out_at"] is not None,
    )
