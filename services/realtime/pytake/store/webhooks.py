"""What the provider delivered: raw bodies, poison items, statuses of unknown messages."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, insert, select

from pytake.application.channel_ports import QuarantinedItem, RawDelivery
from pytake.application.ports import Clock, Page, StatusReport
from pytake.domain.ids import OrganizationId
from pytake.domain.status import MessageStatus
from pytake.store.cursors import cursor_after, is_before, place_of
from pytake.store.engine import Database
from pytake.store.outbox import age_in_seconds
from pytake.store.rows import Row, from_json, to_json
from pytake.store.signals import WEBHOOKS, Signals
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import orphan_statuses, quarantine, webhook_inbox

_PAGE = 50

# One statement, so one round trip and one commit, for all bodies of a batch in their order.
_APPEND = """
INSERT INTO webhook_inbox (body, traceparent, received_at)
SELECT body, traceparent, $3::timestamptz
FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS given (body, traceparent, place)
ORDER BY place
"""
_KEEP = """
INSERT INTO orphan_statuses
    (organization_id, whatsapp_message_id, status, error, traceparent, reported_at, kept_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class SqlWebhookInbox:
    """`WebhookInbox` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, signals: Signals, clock: Clock) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def append(
        self, deliveries: Sequence[tuple[bytes, str | None]], received_at: datetime
    ) -> None:
        """Store (body, traceparent) pairs durably, in one insert and in this order."""
        if not deliveries:
            return
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(
                    _APPEND,
                    [body for body, _ in deliveries],
                    [traceparent for _, traceparent in deliveries],
                    received_at,
                )
        else:
            await self._append_rows(deliveries, received_at)
        self._signals.wake_soon(WEBHOOKS)

    async def _append_rows(
        self, deliveries: Sequence[tuple[bytes, str | None]], received_at: datetime
    ) -> None:
        rows = [
            {"body": body, "traceparent": traceparent, "received_at": received_at}
            for body, traceparent in deliveries
        ]
        async with self._database.write() as connection:
            await connection.execute(insert(webhook_inbox), rows)

    async def pending(self, *, limit: int, max_bytes: int) -> Sequence[RawDelivery]:
        """Return the oldest deliveries that are not done; at least one if there is any."""
        sizes = (
            select(webhook_inbox.c.id, func.length(webhook_inbox.c.body).label("size"))
            .order_by(webhook_inbox.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            ids: list[int] = []
            total = 0
            for row in await connection.execute(sizes):
                total += row.size
                if ids and total > max_bytes:
                    break
                ids.append(row.id)
            if not ids:
                return []
            query = (
                select(webhook_inbox)
                .where(webhook_inbox.c.id.in_(ids))
                .order_by(webhook_inbox.c.id)
            )
            rows = (await connection.execute(query)).all()
        return [RawDelivery(row.id, row.body, row.received_at, row.traceparent) for row in rows]

    async def done(self, ids: Sequence[int]) -> None:
        """Delete what was worked off: raw bodies hold personal data."""
        if not ids:
            return
        async with self._database.write() as connection:
            await connection.execute(delete(webhook_inbox).where(webhook_inbox.c.id.in_(ids)))

    async def depth(self) -> tuple[int, float]:
        """Return (deliveries waiting, age of the oldest in seconds)."""
        query = select(func.count(), func.min(webhook_inbox.c.received_at))
        async with self._database.read() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, age_in_seconds(oldest, self._clock())

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something pending: on NOTIFY where it can be had."""
        return self._signals.wake_ups(WEBHOOKS)


class SqlQuarantine:
    """`Quarantine` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, items: Sequence[QuarantinedItem]) -> None:
        """Keep them; the same id again changes nothing."""
        if not items:
            return
        rows = [
            {
                "id": item.id,
                "organization_id": item.organization_id,
                "reason": item.reason,
                "item": to_json(item.item if isinstance(item.item, str) else dict(item.item)),
                "received_at": item.received_at,
            }
            for item in items
        ]
        async with self._database.write() as connection:
            await connection.execute(insert_or_ignore(connection, quarantine, rows))

    async def items(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[QuarantinedItem]:
        """Return the organization's items, newest first."""
        limit = max(1, min(limit, _PAGE * 4))
        query = select(quarantine).where(quarantine.c.organization_id == organization_id)
        if cursor is not None:
            query = query.where(
                is_before((quarantine.c.received_at, quarantine.c.id), place_of(cursor))
            )
        query = query.order_by(quarantine.c.received_at.desc(), quarantine.c.id.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).mappings().all()
        items = tuple(_quarantined(row) for row in rows[:limit])
        has_more = len(rows) > limit
        return Page(items, cursor_after(items[-1].received_at, items[-1].id) if has_more else None)


class SqlOrphanStatuses:
    """`OrphanStatuses` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, report: StatusReport) -> None:
        """Keep a report whose message may still become known by `whatsapp_message_id`."""
        if report.whatsapp_message_id is None:
            return
        row = {
            "organization_id": report.organization_id,
            "whatsapp_message_id": report.whatsapp_message_id,
            "status": report.status.value,
            "error": None if report.error is None else to_json(dict(report.error)),
            "traceparent": report.traceparent,
            "reported_at": report.reported_at,
            "kept_at": self._clock(),
        }
        if self._database.is_postgres:
            async with self._database.hot() as connection:
                await connection.execute(_KEEP, *row.values())
            return
        async with self._database.write() as connection:
            await connection.execute(insert(orphan_statuses).values(row))

    async def waiting(
        self, organization_id: OrganizationId, whatsapp_message_id: str
    ) -> Sequence[StatusReport]:
        """Return what waits for this message, oldest first."""
        query = (
            select(orphan_statuses)
            .where(_waits_for(organization_id, whatsapp_message_id))
            .order_by(orphan_statuses.c.id)
        )
        async with self._database.read() as connection:
            return [_orphan(row) for row in (await connection.execute(query)).mappings()]

    async def forget(self, organization_id: OrganizationId, whatsapp_message_id: str) -> None:
        """Remove what waited for this message, once it has been told."""
        query = delete(orphan_statuses).where(_waits_for(organization_id, whatsapp_message_id))
        async with self._database.write() as connection:
            await connection.execute(query)

    async def drop_before(self, moment: datetime) -> int:
        """Forget reports kept before the moment; return how many."""
        query = delete(orphan_statuses).where(orphan_statuses.c.kept_at < moment)
        async with self._database.write() as connection:
            return (await connection.execute(query)).rowcount


def _quarantined(row: Row) -> QuarantinedItem:
    return QuarantinedItem(
        id=row["id"],
        organization_id=row["organization_id"],
        reason=row["reason"],
        item=from_json(row["item"]),
        received_at=row["received_at"],
    )


def _waits_for(organization_id: OrganizationId, whatsapp_message_id: str) -> ColumnElement[bool]:
    return and_(
        orphan_statuses.c.organization_id == organization_id,
        orphan_statuses.c.whatsapp_message_id == whatsapp_message_id,
    )


def _orphan(row: Row) -> StatusReport:
    return StatusReport(
        organization_id=row["organization_id"],
        status=MessageStatus(row["status"]),
        reported_at=row["reported_at"],
        whatsapp_message_id=row["whatsapp_message_id"],
        error=from_json(row["error"]),
        traceparent=row["traceparent"],
    )
