"""Revocations and changes of role, as rows that every pod reads."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Clock, RightsChange
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Role
from pytake.store.engine import Database
from pytake.store.rows import rights_change_of
from pytake.store.tables import organizations, rights_changes

# Alone against the shared lock of `pytake_organization_version`: a change of rights waits
# for the messages that were begun under the old ones, and they for nothing.
_HOLD_BACK_WRITERS = text("SELECT pg_advisory_xact_lock(1886614625, hashtext(:organization_id))")


class SqlRightsLog:
    """`RightsLog` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def revoke(
        self, organization_id: OrganizationId, user_id: UserId, token_id: str | None
    ) -> RightsChange:
        """Revoke all tokens of a user issued up to now, or the one named."""
        async with self._database.write() as connection:
            await hold_back_writers(connection, organization_id)
            await begin_version(connection, organization_id)
            return await record_change(
                connection,
                organization_id,
                user_id,
                changed_at=self._clock(),
                token_id=token_id,
            )

    async def changes_since(self, moment: datetime) -> Sequence[RightsChange]:
        """Return the changes recorded at or after the moment, oldest first."""
        query = (
            select(rights_changes)
            .where(rights_changes.c.changed_at >= moment)
            .order_by(rights_changes.c.changed_at, rights_changes.c.id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [rights_change_of(row) for row in rows]


async def hold_back_writers(connection: AsyncConnection, organization_id: OrganizationId) -> None:
    """Wait for the messages of the organization that were begun before; see decision 0009."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_HOLD_BACK_WRITERS, {"organization_id": organization_id})


async def begin_version(connection: AsyncConnection, organization_id: OrganizationId) -> None:
    """Let every message from now on be checked against the rights as they are then."""
    await connection.execute(
        update(organizations)
        .where(organizations.c.id == organization_id)
        .values(acl_version=organizations.c.acl_version + 1)
    )


async def record_change(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    user_id: UserId,
    *,
    changed_at: datetime,
    role: Role | None = None,
    token_id: str | None = None,
) -> RightsChange:
    """Write a change of rights in the caller's transaction."""
    query = (
        insert(rights_changes)
        .values(
            user_id=user_id,
            organization_id=organization_id,
            changed_at=changed_at,
            role=None if role is None else role.value,
            token_id=token_id,
        )
        .returning(rights_changes)
    )
    return rights_change_of((await connection.execute(query)).mappings().one())
