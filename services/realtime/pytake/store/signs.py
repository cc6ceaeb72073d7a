"""Signs of life for customers: that an agent has read what they wrote, and that one types."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, exists, func, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from pytake.application.channel_ports import CustomerSign
from pytake.domain.ids import ChannelId, ConversationId
from pytake.domain.message import Direction, MessageType
from pytake.store.engine import Database
from pytake.store.rows import Row
from pytake.store.tables import channels, conversations, customer_signs, messages

MEMORY_SECONDS = 5.0

# WhatsApp has no read mark for these.
_UNMARKED = (MessageType.REACTION.value, MessageType.UNSUPPORTED.value)


class SqlCustomerSigns:
    """`CustomerSigns` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_wanted = False
        self._looked_at = -MEMORY_SECONDS

    async def _anybody_wants(self) -> bool:
        """Whether any number at all wants signs: where none does, nothing is ever asked."""
        now = time.monotonic()
        if now - self._looked_at >= MEMORY_SECONDS:
            query = select(exists().where(channels.c.sends_read_marks | channels.c.sends_typing))
            async with self._database.read() as connection:
                self._is_wanted = bool((await connection.execute(query)).scalar_one())
            self._looked_at = now
        return self._is_wanted

    async def ask(
        self, conversation_id: ConversationId, seq: int, *, is_typing: bool, now: datetime
    ) -> None:
        """Show the customer that everything up to `seq` was read, and that one types.

        One statement: it stores nothing where the number does not want it, where the customer
        has written nothing yet, or where the customer has been shown as much.
        """
        if not await self._anybody_wants():
            return
        is_wanted = channels.c.sends_typing if is_typing else channels.c.sends_read_marks
        earlier = messages.alias("earlier")
        # History is not counted, and was read long ago.
        count_before = (
            select(earlier.c.inbound_count)
            .where(
                earlier.c.conversation_id == messages.c.conversation_id,
                earlier.c.seq < messages.c.seq,
            )
            .order_by(earlier.c.seq.desc())
            .limit(1)
            .scalar_subquery()
        )
        newest = (
            select(
                conversations.c.id,
                conversations.c.channel_id,
                messages.c.whatsapp_message_id,
                messages.c.seq,
            )
            .join(channels, channels.c.id == conversations.c.channel_id)
            .join(messages, messages.c.conversation_id == conversations.c.id)
            .where(
                conversations.c.id == conversation_id,
                is_wanted,
                channels.c.is_active,
                messages.c.seq <= seq,
                messages.c.direction == Direction.INBOUND.value,
                messages.c.message_type.not_in(_UNMARKED),
                messages.c.whatsapp_message_id.is_not(None),
                messages.c.inbound_count > func.coalesce(count_before, 0),
            )
            .order_by(messages.c.seq.desc())
            .limit(1)
            .subquery()
        )
        # SQLite takes the ON of a conflict for that of a join, unless a WHERE stands between.
        chosen = select(
            newest,
            literal(is_typing, customer_signs.c.is_typing.type),
            literal(now, customer_signs.c.asked_at.type),
            true(),
        ).where(true())
        dialect = postgresql if self._database.is_postgres else sqlite
        insert = dialect.insert(customer_signs).from_select(
            (
                "conversation_id",
                "channel_id",
                "whatsapp_message_id",
                "seq",
                "is_typing",
                "asked_at",
                "is_pending",
            ),
            chosen,
        )
        new, old = insert.excluded, customer_signs.c
        async with self._database.write() as connection:
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["conversation_id"],
                    set_={
                        "channel_id": new.channel_id,
                        "whatsapp_message_id": case(
                            (new.seq >= old.seq, new.whatsapp_message_id),
                            else_=old.whatsapp_message_id,
                        ),
                        "seq": case((new.seq > old.seq, new.seq), else_=old.seq),
                        # A read mark does not take back that somebody types.
                        "is_typing": or_(new.is_typing, and_(old.is_typing, old.is_pending)),
                        "asked_at": new.asked_at,
                        "is_pending": true(),
                    },
                    where=or_(new.seq > old.seq, new.is_typing),
                )
            )

    async def take(self, channel_id: ChannelId, *, limit: int) -> Sequence[CustomerSign]:
        """Return what waits for a number, and count it as given."""
        waiting = (
            select(customer_signs.c.conversation_id)
            .where(customer_signs.c.channel_id == channel_id, customer_signs.c.is_pending)
            .limit(limit)
        )
        async with self._database.read() as connection:
            ids = (await connection.execute(waiting)).scalars().all()
        if not ids:
            return []
        query = (
            update(customer_signs)
            .where(customer_signs.c.conversation_id.in_(ids), customer_signs.c.is_pending)
            .values(is_pending=False)
            .returning(customer_signs)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_sign(row) for row in rows]


def _sign(row: Row) -> CustomerSign:
    return CustomerSign(
        conversation_id=row["conversation_id"],
        whatsapp_message_id=row["whatsapp_message_id"],
        seq=row["seq"],
        is_typing=row["is_typing"],
        asked_at=row["asked_at"],
    )
