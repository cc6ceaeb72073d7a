"""Texts that a team has ready."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update

from pytake.domain.canned_reply import CannedReply
from pytake.domain.errors import Conflict
from pytake.domain.ids import CannedReplyId, OrganizationId
from pytake.store.engine import Database, is_duplicate
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import canned_replies as table


class SqlCannedReplies:
    """`CannedReplies` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def canned_replies(self, organization_id: OrganizationId) -> Sequence[CannedReply]:
        """Return all of them, by shortcut."""
        query = (
            select(table)
            .where(table.c.organization_id == organization_id)
            .order_by(table.c.shortcut)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            CannedReply(row["id"], row["organization_id"], row["shortcut"], row["text"])
            for row in rows
        ]

    async def put(self, reply: CannedReply, *, now: datetime) -> None:
        """Store a reply, or the new state of the one that has this id."""
        is_there = (table.c.id == reply.id) & (table.c.organization_id == reply.organization_id)
        values = {"shortcut": reply.shortcut, "text": reply.text}
        row = values | {
            "id": reply.id,
            "organization_id": reply.organization_id,
            "created_at": now,
        }
        try:
            async with self._database.write() as connection:
                changed = await connection.execute(
                    update(table).where(is_there).values(values).returning(table.c.id)
                )
                if changed.one_or_none() is None:
                    made = await connection.execute(
                        insert_or_ignore(connection, table, row).returning(table.c.id)
                    )
                    if made.one_or_none() is None:
                        raise Conflict(detail="There is a reply with this shortcut.")
        except Exception as error:
            if is_duplicate(error):
                raise Conflict(detail="There is a reply with this shortcut.") from error
            raise

    async def remove(self, organization_id: OrganizationId, reply_id: CannedReplyId) -> bool:
        """Remove a reply; False if there is none."""
        query = (
            delete(table)
            .where(table.c.id == reply_id, table.c.organization_id == organization_id)
            .returning(table.c.id)
        )
        async with self._database.write() as connection:
            return (await connection.execute(query)).one_or_none() is not None
