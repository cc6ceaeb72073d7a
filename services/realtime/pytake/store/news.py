"""What WhatsApp told of numbers, templates and accounts, for admins to read."""

from datetime import datetime

from sqlalchemy import delete, select

from pytake.application.channel_ports import NewsItem
from pytake.application.ports import Page
from pytake.domain.ids import OrganizationId
from pytake.store.cursors import cursor_after, is_before, place_of
from pytake.store.engine import Database
from pytake.store.rows import Row, from_json, to_json
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import channel_news as table

_PAGE = 200


class SqlChannelNews:
    """`ChannelNews` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, item: NewsItem) -> None:
        """Keep it; the same id again changes nothing."""
        row = {
            "id": item.id,
            "organization_id": item.organization_id,
            "channel_id": item.channel_id,
            "kind": item.kind,
            "details": to_json(dict(item.details)),
            "received_at": item.received_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert_or_ignore(connection, table, row))

    async def items(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[NewsItem]:
        """Return the organization's news, newest first."""
        limit = max(1, min(limit, _PAGE))
        query = select(table).where(table.c.organization_id == organization_id)
        if cursor is not None:
            query = query.where(is_before((table.c.received_at, table.c.id), place_of(cursor)))
        query = query.order_by(table.c.received_at.desc(), table.c.id.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).mappings().all()
        items = tuple(_item(row) for row in rows[:limit])
        has_more = len(rows) > limit
        return Page(items, cursor_after(items[-1].received_at, items[-1].id) if has_more else None)

    async def drop_before(self, moment: datetime) -> int:
        """Forget what came before the moment; return how many."""
        query = delete(table).where(table.c.received_at < moment)
        async with self._database.write() as connection:
            return (await connection.execute(query)).rowcount


def _item(row: Row) -> NewsItem:
    return NewsItem(
        id=row["id"],
        organization_id=row["organization_id"],
        channel_id=row["channel_id"],
        kind=row["kind"],
        details=from_json(row["details"]),
        received_at=row["received_at"],
    )
