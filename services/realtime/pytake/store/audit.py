"""What was done to an organization's users and rights, and by whom."""

from sqlalchemy import insert, select

from pytake.application.access_ports import AuditEntry
from pytake.application.ports import Page
from pytake.domain.errors import InvalidPayload
from pytake.domain.ids import OrganizationId
from pytake.store.engine import Database
from pytake.store.rows import Row, from_json, to_json
from pytake.store.tables import audit_log

_MAX_LIMIT = 200


class SqlAuditLog:
    """`AuditLog` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        query = insert(audit_log).values(
            organization_id=entry.organization_id,
            at=entry.at,
            action=entry.action,
            actor=entry.actor,
            subject=entry.subject,
            details=to_json(dict(entry.details)),
        )
        async with self._database.write() as connection:
            await connection.execute(query)

    async def entries(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[AuditEntry]:
        """Return the organization's entries, newest first."""
        limit = max(1, min(limit, _MAX_LIMIT))
        query = select(audit_log).where(audit_log.c.organization_id == organization_id)
        if cursor is not None:
            query = query.where(audit_log.c.id < _entry_id(cursor))
        query = query.order_by(audit_log.c.id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        items = tuple(_entry(row) for row in rows[:limit])
        return Page(items, str(items[-1].id) if len(rows) > limit else None)


def _entry_id(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidPayload(detail="The cursor is not one that we gave.")
    return int(cursor)


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        organization_id=row["organization_id"],
        at=row["at"],
        action=row["action"],
        actor=row["actor"],
        subject=row["subject"],
        details=from_json(row["details"]),
        id=row["id"],
    )
