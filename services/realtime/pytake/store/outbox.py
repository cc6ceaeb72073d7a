"""How far each conversation has been published, and who publishes the rest.

A claim is a lease in the row, not a lock that is held while Redis is slow: a held lock
would stop the writers of the conversation, and pin one of a pooler's few connections. A
relay that dies or sleeps loses its claim after five seconds; should it still publish,
readers drop what they have seen.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import uuid4

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import ClaimedOutbox, Clock, ReplayRequest
from pytake.domain.events import ConversationEvent, DurableEvent
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
    SELECT id, array_agg(seq) AS seqs, max(seq) AS seq
    FROM unnest($1::text[], $2::bigint[]) AS news (id, seq) GROUP BY id
), locked AS MATERIALIZED (
    SELECT o.conversation_id, o.published_seq, o.last_seq, news.seq, news.seqs
    FROM outbox AS o JOIN news ON news.id = o.conversation_id
    ORDER BY o.conversation_id FOR UPDATE OF o
), judged AS MATERIALIZED (
    SELECT *, EXISTS (
        SELECT FROM events AS e
        WHERE e.conversation_id = locked.conversation_id
          AND e.seq > locked.published_seq AND e.seq < locked.seq
          AND e.name = 'conversation:updated' AND e.seq <> ALL (locked.seqs)
    ) AS is_held
    FROM locked WHERE published_seq < seq
), moved AS (
    UPDATE outbox AS o
    SET published_seq = least(judged.seq, judged.last_seq),
        pending_since = coalesce(
            (SELECT e.created_at FROM events AS e
             WHERE e.conversation_id = o.conversation_id AND e.seq = judged.seq + 1),
            o.pending_since)
    FROM judged WHERE o.conversation_id = judged.conversation_id AND NOT judged.is_held
)
SELECT conversation_id FROM judged WHERE is_held
"""


@dataclass
class SqlClaimedOutbox:
    """Conversations that this relay alone may publish while it holds the claim."""

    events: Sequence[ConversationEvent]
    _outbox: "SqlOutbox"

    async def published(self, events: Sequence[ConversationEvent]) -> None:
        """Record that these have been published."""
        seqs: dict[ConversationId, list[int]] = {}
        for event in events:
            seqs.setdefault(event.conversation_id, []).append(event.seq)
        await self._outbox.advance(seqs)


class SqlOutbox:
    """`Outbox` on SQLite and PostgreSQL."""

    def __init__(
        self, database: Database, event_log: SqlEventLog, signals: Signals, clock: Clock
    ) -> None:
        self._database = database
        self._event_log = event_log
        self._signals = signals
        self._clock = clock

    async def advance(
        self, published: Mapping[ConversationId, Sequence[int]]
    ) -> Collection[ConversationId]:
        """Record what was published, many conversations in one statement; return who is held."""
        if not published:
            return ()
        if self._database.is_postgres:
            rows = [(each, seq) for each, seqs in published.items() for seq in seqs]
            async with self._database.hot() as connection:
                held = await connection.fetch(_ADVANCE, *map(list, zip(*rows, strict=True)))
            return [row["conversation_id"] for row in held]
        async with self._database.write() as connection:
            return [
                each
                for each, seqs in published.items()
                if not await self._advance_one(connection, each, seqs)
            ]

    async def _advance_one(
        self, connection: AsyncConnection, conversation_id: ConversationId, seqs: Sequence[int]
    ) -> bool:
        """Move one conversation on SQLite; False if a change of rights holds it."""
        seq = max(seqs)
        mine = outbox.c.conversation_id == conversation_id
        log = events.c.conversation_id == conversation_id
        row = (await connection.execute(select(outbox.c.published_seq).where(mine))).one_or_none()
        if row is None or row.published_seq >= seq:
            return True
        changes = select(events.c.seq).where(
            log,
            events.c.seq > row.published_seq,
            events.c.seq < seq,
            events.c.name == DurableEvent.CONVERSATION_UPDATED,
        )
        if set((await connection.execute(changes)).scalars()) - set(seqs):
            return False
        next_event = select(events.c.created_at).where(log, events.c.seq == seq + 1)
        await connection.execute(
            update(outbox)
            .where(mine)
            .values(
                published_seq=func.min(seq, outbox.c.last_seq),
                pending_since=func.coalesce(next_event.scalar_subquery(), outbox.c.pending_since),
            )
        )
        return True

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
