"""The log as gateways read it: few, batched queries, and no ORM between on PostgreSQL.

SQLAlchemy costs half a millisecond of processor time for each query, the driver itself
a tenth: a thousand clients that come back at once feel the difference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from pytake.application.ports import ReplayRequest
from pytake.domain.conversation import Access
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.store.engine import Database
from pytake.store.epoch import Epoch
from pytake.store.rows import Row, access_of, event_of
from pytake.store.tables import conversations, events, organizations

IDS_PER_QUERY = 1000

_ACCESS = """
SELECT c.id, c.organization_id, c.assigned_to, c.acl_version, c.last_seq,
    o.acl_version AS organization_acl_version
FROM conversations AS c JOIN organizations AS o ON o.id = c.organization_id
WHERE c.id = ANY($1::text[])
"""
_HEADS = "SELECT id, last_seq FROM conversations WHERE id = ANY($1::text[])"
_REPLAY = """
SELECT e.*
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (id, after_seq, count)
CROSS JOIN LATERAL (
    SELECT * FROM events
    WHERE conversation_id = wanted.id AND seq > wanted.after_seq
    ORDER BY seq LIMIT wanted.count
) AS e
ORDER BY e.conversation_id, e.seq
"""
_OLDEST = """
SELECT c.id, coalesce(
    (SELECT min(e.seq) FROM events AS e WHERE e.conversation_id = c.id), c.last_seq + 1) AS seq
FROM conversations AS c WHERE c.id = ANY($1::text[])
"""


class SqlEventLog:
    """`EventLog` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, epoch: Epoch) -> None:
        self._database = database
        self._epoch = epoch

    async def access(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, Access]:
        """Return owner, assignee, versions and head of those that exist, in one query."""
        if self._database.is_postgres:
            rows = await self._fetch(_ACCESS, list(conversation_ids))
        else:
            rows = await self._select(
                select(
                    conversations,
                    organizations.c.acl_version.label("organization_acl_version"),
                )
                .join(organizations, organizations.c.id == conversations.c.organization_id)
                .where(conversations.c.id.in_(conversation_ids))
            )
        return {row["id"]: access_of(row) for row in rows}

    async def heads(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, int]:
        """Return the newest `seq` of those that exist, in one query per 1,000."""
        heads: dict[ConversationId, int] = {}
        for start in range(0, len(conversation_ids), IDS_PER_QUERY):
            ids = list(conversation_ids[start : start + IDS_PER_QUERY])
            if self._database.is_postgres:
                rows = await self._fetch(_HEADS, ids)
            else:
                rows = await self._select(
                    select(conversations.c.id, conversations.c.last_seq).where(
                        conversations.c.id.in_(ids)
                    )
                )
            heads.update((row["id"], row["last_seq"]) for row in rows)
        return heads

    async def replay(
        self, requests: Sequence[ReplayRequest]
    ) -> Mapping[ConversationId, Sequence[ConversationEvent]]:
        """Return the events after each cursor in `seq` order, in one query for all."""
        found: dict[ConversationId, list[ConversationEvent]] = {
            request.conversation_id: [] for request in requests
        }
        if self._database.is_postgres:
            rows = await self._fetch(
                _REPLAY,
                [request.conversation_id for request in requests],
                [request.after_seq for request in requests],
                [request.limit for request in requests],
            )
        else:
            rows = await self._replay_one_by_one(requests)
        for row in rows:
            found[row["conversation_id"]].append(event_of(row))
        return found

    async def oldest_kept(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, int]:
        """Return the lowest `seq` still in the log (head + 1 where nothing is kept)."""
        if self._database.is_postgres:
            rows = await self._fetch(_OLDEST, list(conversation_ids))
        else:
            oldest = (
                select(func.min(events.c.seq))
                .where(events.c.conversation_id == conversations.c.id)
                .scalar_subquery()
            )
            rows = await self._select(
                select(
                    conversations.c.id,
                    func.coalesce(oldest, conversations.c.last_seq + 1).label("seq"),
                ).where(conversations.c.id.in_(conversation_ids))
            )
        return {row["id"]: row["seq"] for row in rows}

    async def epoch(self) -> str:
        """Return the name of this life of the database."""
        return await self._epoch()

    async def _fetch(self, query: str, *arguments: Any) -> Sequence[Row]:
        async with self._database.hot() as connection:
            rows: Sequence[Row] = await connection.fetch(query, *arguments)
        return rows

    async def _select(self, query: Any) -> Sequence[Row]:
        async with self._database.read() as connection:
            return (await connection.execute(query)).mappings().all()

    async def _replay_one_by_one(self, requests: Sequence[ReplayRequest]) -> Sequence[Row]:
        """SQLite has no LATERAL, and no round trips that would be worth sparing."""
        rows: list[Row] = []
        async with self._database.read() as connection:
            for request in requests:
                query = (
                    select(events)
                    .where(
                        events.c.conversation_id == request.conversation_id,
                        events.c.seq > request.after_seq,
                    )
                    .order_by(events.c.seq)
                    .limit(request.limit)
                )
                rows.extend((await connection.execute(query)).mappings())
        return rows
