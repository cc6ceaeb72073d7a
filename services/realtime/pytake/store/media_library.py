"""What is known about files; their bytes lie elsewhere."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import select, update

from pytake.application.channel_ports import MediaRecord
from pytake.store.engine import Database
from pytake.store.rows import Row
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import media

_FIELDS = tuple(field.name for field in fields(MediaRecord))


class SqlMediaLibrary:
    """`MediaLibrary` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: MediaRecord, *, now: datetime) -> None:
        """Keep a record; the same id again changes nothing."""
        values = asdict(record) | {"next_attempt_at": now, "created_at": now}
        async with self._database.write() as connection:
            await connection.execute(insert_or_ignore(connection, media, values))

    async def media(self, media_id: str) -> MediaRecord | None:
        """Return one record."""
        query = select(media).where(media.c.id == media_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _record(row)

    async def change(self, record: MediaRecord) -> None:
        """Store the record's present state."""
        values = asdict(record)
        async with self._database.write() as connection:
            await connection.execute(
                update(media).where(media.c.id == values.pop("id")).values(values)
            )

    async def to_fetch(self, *, now: datetime, limit: int) -> Sequence[MediaRecord]:
        """Return inbound files whose bytes are not here yet and whose time has come."""
        query = (
            select(media)
            .where(
                media.c.storage_key.is_(None),
                media.c.failure.is_(None),
                media.c.provider_id.is_not(None),
                media.c.next_attempt_at <= now,
            )
            .order_by(media.c.next_attempt_at, media.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_record(row) for row in rows]

    async def postpone(self, media_id: str, *, until: datetime) -> None:
        """Count a failed fetch; the next one not before the time."""
        query = (
            update(media)
            .where(media.c.id == media_id)
            .values(attempts=media.c.attempts + 1, next_attempt_at=until)
        )
        async with self._database.write() as connection:
            await connection.execute(query)


def _record(row: Row) -> MediaRecord:
    return MediaRecord(**{name: row[name] for name in _FIELDS})
