"""How far each conversation has been published, and who publishes the rest.

A claim is a lease in the row, not a lock that is held while Redis is slow: a held lock
would stop the writers of the conversation, and pin one of a pooler's few connections. A
relay that dies or sleeps loses its claim after five seconds; should it still publish,
readers drop what they have seen.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import uuid4

from sqlalchemy import func, or_, select, update

from pytake.application.ports import ClaimedOutbox, Clock, ReplayRequest
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.store.engine import Database
from pytake.store.event_log import SqlEventLog
from pytake.store.signals import OUTBOX, Signals
from pytake.store.tables import events, outbox

CLAIM_SECONDS = 5.0
MAX_EVENTS_PER_CONVERSATION = 200

# Rows are locked in one order, so that two processes that report the same conversations
# wait for each other instead of for ever.
_ADVANCE = """
WITH news AS (
    SELECT * FROM unnest($1::text[], $2::bigint[]) AS news (id, seq)
), locked AS MATERIALIZED (
    SELECT o.conversation_id FROM outbox AS o JOIN news ON news.id = o.conversation_id
    ORDER BY o.conversation_id FOR UPDATE OF o
)
UPDATE outbox AS o
SET published_seq = least(news.seq, o.last_seq),
    pending_since = coalesce(
        (SELECT e.created_at FROM events AS e
         WHERE e.conversation_id = o.conversation_id AND e.seq = news.seq + 1),
        o.pending_since)
FROM news JOIN locked ON locked.conversation_id = news.id
WHERE o.conversation_id = news.id AND o.published_seq < news.seq
"""


@dataclass
class SqlClaimedOutbox:
    """Conversations that this relay alone may publish while it holds the claim."""

    events: Sequence[ConversationEvent]
    _outbox: "SqlOutbox"

    async def published(self, up_to: Mapping[ConversationId, int]) -> None:
        """Record how far each conversation has been published."""
        await self._outbox.advance(up_to)


class SqlOutbox:
    """`Outbox` on SQLite and PostgreSQL."""

    def __init__(
        self, database: Database, event_log: SqlEventLog, signals: Signals, clock: Clock
    ) -> None:
        self._database = database
        self._event_log = event_log
        self._signals = signals
        self._clock = clock

    async def advance(self, up_to: Mapping[ConversationId, int]) -> None:
        """Record what was published at once, many conversations in one statement."""
        if not up_to:
            return
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(_ADVANCE, list(up_to), list(up_to.values()))
            return
        async with self._database.write() as connection:
            for conversation_id, seq in up_to.items():
                next_event = (
                    select(events.c.created_at)
                    .where(events.c.conversation_id == conversation_id, events.c.seq == seq + 1)
                    .scalar_subquery()
                )
                await connection.execute(
                    update(outbox)
                    .where(
                        outbox.c.conversation_id == conversation_id,
                        outbox.c.published_seq < seq,
                    )
                    .values(
                        published_seq=func.min(seq, outbox.c.last_seq),
                        pending_since=func.coalesce(next_event, outbox.c.pending_since),
                    )
                )

    @asynccontextmanager
    async def claim(self, *, older_than_seconds: float, limit: int) -> AsyncIterator[ClaimedOutbox]:
        """Claim conversations with events left behind; other relays skip them meanwhile."""
        name = str(uuid4())
        before = self._clock() - timedelta(seconds=older_than_seconds)
        published = await self._take(name, before, limit)
        try:
            left_behind = await self._events_before(before, published)
            yield SqlClaimedOutbox(left_behind, self)
        finally:
            if published:
                await self._give_back(name)

    async def depth(self) -> tuple[int, float]:
        """Return (conversations with unpublished events, age of the oldest in seconds)."""
        query = select(func.count(), func.min(outbox.c.pending_since)).where(
            outbox.c.published_seq < outbox.c.last_seq
        )
        async with self._database.read() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, age_in_seconds(oldest, self._clock())

    async def wake(self) -> None:
        """Tell the relays that something was left behind, best effort."""
        self._signals.wake_soon(OUTBOX)

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something to claim: on NOTIFY where it can be had."""
        return self._signals.wake_ups(OUTBOX)

    async def _take(self, name: str, before: datetime, limit: int) -> Mapping[ConversationId, int]:
        now = self._clock()
        candidates = (
            select(outbox.c.conversation_id)
            .where(
                outbox.c.published_seq < outbox.c.last_seq,
                outbox.c.pending_since <= before,
                or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now),
            )
            .order_by(outbox.c.pending_since)
            .limit(limit)
            # SQLite leaves this out: there only one transaction writes at a time.
            .with_for_update(skip_locked=True)
            .cte("candidates")
        )
        query = (
            update(outbox)
            .where(outbox.c.conversation_id.in_(select(candidates.c.conversation_id)))
            .values(claimed_by=name, claimed_until=now + timedelta(seconds=CLAIM_SECONDS))
            .returning(outbox.c.conversation_id, outbox.c.published_seq)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).all()
        return {row.conversation_id: row.published_seq for row in rows}

    async def _events_before(
        self, before: datetime, published: Mapping[ConversationId, int]
    ) -> Sequence[ConversationEvent]:
        if not published:
            return []
        found = await self._event_log.replay(
            [
                ReplayRequest(conversation_id, seq, MAX_EVENTS_PER_CONVERSATION)
                for conversation_id, seq in published.items()
            ]
        )
        return [
            event
            for events_of_one in found.values()
            for event in takewhile(lambda event: event.created_at <= before, events_of_one)
        ]

    async def _give_back(self, name: str) -> None:
        query = (
            update(outbox)
            .where(outbox.c.claimed_by == name)
            .values(claimed_by=None, claimed_until=None)
        )
        async with self._database.write() as connection:
            await connection.execute(query)


def age_in_seconds(oldest: datetime | None, now: datetime) -> float:
    """Return how long ago the oldest of something came; 0 where there is none."""
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
