"""Keeping the database small and proving it sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
)

from pytake.application.ports import Clock
from pytake.domain.ids import ConversationId
from pytake.store.engine import UPKEEP_SECONDS, Database
from pytake.store.tables import conversations, events, messages, outbox, refresh_tokens

CONVERSATIONS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A conversation whose log is not what its head says."""

    conversation_id: ConversationId
    head: int
    newest: int
    kept: int
    oldest: int


class Upkeep:
    """Retention and checks, for relays and for `pytake check`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def check_integrity(self, limit: int = 100) -> Sequence[Disagreement]:
        """Return conversations whose log has a hole, or ends elsewhere than at its head.

        A log that retention emptied altogether agrees with any head.
        """
        log = (
            select(
                events.c.conversation_id,
                func.max(events.c.seq).label("newest"),
                func.min(events.c.seq).label("oldest"),
                func.count().label("kept"),
            )
            .group_by(events.c.conversation_id)
            .subquery()
        )
        newest_message = (
            select(func.coalesce(func.max(messages.c.seq), 0))
            .where(messages.c.conversation_id == conversations.c.id)
            .scalar_subquery()
        )
        query = (
            select(
                conversations.c.id,
                conversations.c.last_seq,
                func.coalesce(log.c.newest, 0).label("newest"),
                func.coalesce(log.c.kept, 0).label("kept"),
                func.coalesce(log.c.oldest, 0).label("oldest"),
            )
            .outerjoin(log, log.c.conversation_id == conversations.c.id)
            .where(
                or_(
                    log.c.newest != conversations.c.last_seq,
                    log.c.newest - log.c.oldest + 1 != log.c.kept,
                    newest_message > conversations.c.last_seq,
                    and_(log.c.newest.is_(None), conversations.c.last_seq > 0, _is_unpublished()),
                )
            )
            .limit(limit)
        )
        async with self._database.read(seconds=UPKEEP_SECONDS) as connection:
            rows = (await connection.execute(query)).all()
        return [
            Disagreement(row.id, row.last_seq, row.newest, row.kept, row.oldest) for row in rows
        ]

    async def prune_events(self, days: float) -> int:
        """Delete published events older than so many days; return how many.

        What is kept of a conversation has no hole: nothing is deleted behind an event
        that stays, whatever the clocks of the writers said.
        """
        before = self._clock() - timedelta(days=days)
        total = 0
        while True:
            deleted = await self._prune_some(before)
            total += deleted
            if deleted == 0:
                return total

    async def drop_expired_tokens(self) -> int:
        """Delete refresh tokens that nobody can use any more; return how many."""
        query = delete(refresh_tokens).where(refresh_tokens.c.expires_at < self._clock())
        async with self._database.write(seconds=UPKEEP_SECONDS) as connection:
            return (await connection.execute(query)).rowcount

    async def _prune_some(self, before: datetime) -> int:
        async with self._database.write(seconds=UPKEEP_SECONDS) as connection:
            cuts = (await connection.execute(_first_kept(before))).all()
            if not cuts:
                return 0
            query = delete(events).where(
                events.c.conversation_id == bindparam("conversation"),
                events.c.seq < bindparam("first_kept"),
            )
            await connection.execute(
                query,
                [{"conversation": cut.id, "first_kept": cut.first_kept} for cut in cuts],
            )
            return sum(cut.first_kept - cut.oldest for cut in cuts)


def _first_kept(before: datetime) -> Select[Any]:
    """Conversations with something to delete, and the first event that stays of each."""
    recent = (
        select(func.min(events.c.seq))
        .where(events.c.conversation_id == outbox.c.conversation_id, events.c.created_at >= before)
        .scalar_subquery()
    )
    oldest = (
        select(func.min(events.c.seq))
        .where(events.c.conversation_id == outbox.c.conversation_id)
        .scalar_subquery()
    )
    unpublished = outbox.c.published_seq + 1
    first_kept = case(
        (recent.is_(None), unpublished), (recent < unpublished, recent), else_=unpublished
    )
    # Found by the index on time: most conversations have nothing so old.
    has_old = outbox.c.conversation_id.in_(
        select(events.c.conversation_id).where(events.c.created_at < before).distinct()
    )
    found = (
        select(
            outbox.c.conversation_id.label("id"),
            first_kept.label("first_kept"),
            oldest.label("oldest"),
        )
        .where(has_old)
        .subquery()
    )
    return (
        select(found).where(found.c.oldest < found.c.first_kept).limit(CONVERSATIONS_PER_STATEMENT)
    )


def _is_unpublished() -> ColumnElement[bool]:
    return exists().where(
        outbox.c.conversation_id == conversations.c.id,
        outbox.c.published_seq < outbox.c.last_seq,
    )
