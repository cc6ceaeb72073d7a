"""Templates as WhatsApp knows them."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update

from pytake.application.channel_ports import Template
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.store.engine import Database
from pytake.store.rows import Row, from_json, to_json
from pytake.store.tables import templates as table


class SqlTemplates:
    """`Templates` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def templates(self, organization_id: OrganizationId) -> Sequence[Template]:
        """Return all templates of an organization, by name and language."""
        query = (
            select(table)
            .where(table.c.organization_id == organization_id)
            .order_by(table.c.name, table.c.language, table.c.channel_id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_template(row) for row in rows]

    async def template(
        self, organization_id: OrganizationId, name: str, language: str
    ) -> Template | None:
        """Return one template; of two channels' the first."""
        query = (
            select(table)
            .where(
                table.c.organization_id == organization_id,
                table.c.name == name,
                table.c.language == language,
            )
            .order_by(table.c.channel_id)
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _template(row)

    async def replace(self, channel_id: ChannelId, templates: Sequence[Template]) -> None:
        """Store the full list of a channel; what is not in it is gone."""
        rows = [
            {
                "channel_id": channel_id,
                "organization_id": template.organization_id,
                "name": template.name,
                "language": template.language,
                "status": template.status,
                "category": template.category,
                "components": to_json([dict(part) for part in template.components]),
            }
            for template in templates
        ]
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.channel_id == channel_id))
            if rows:
                await connection.execute(insert(table), rows)

    async def change_status(
        self, organization_id: OrganizationId, name: str, language: str, status: str
    ) -> None:
        """What a webhook reports: APPROVED, PAUSED, DISABLED, REJECTED …"""
        query = (
            update(table)
            .where(
                table.c.organization_id == organization_id,
                table.c.name == name,
                table.c.language == language,
            )
            .values(status=status)
        )
        async with self._database.write() as connection:
            await connection.execute(query)


def _template(row: Row) -> Template:
    return Template(
        organization_id=row["organization_id"],
        channel_id=row["channel_id"],
        name=row["name"],
        language=row["language"],
        status=row["status"],
        category=row["category"],
        components=from_json(row["components"]),
    )
