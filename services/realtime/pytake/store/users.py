"""Organizations and the people who work in them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import uuid4

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Clock, RightsChange, User
from pytake.domain.errors import Conflict, NotFound, Unavailable
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Principal, Role
from pytake.store.engine import Database, is_duplicate
from pytake.store.rights import begin_version, hold_back_writers, record_change
from pytake.store.rows import user_of
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import organizations, users

MAX_REMEMBERED = 100_000

TOGETHER_SECONDS = 0.005
MAX_TOGETHER = 500

_Key = tuple[OrganizationId, UserId]


@dataclass(slots=True, eq=False)
class _Asked:
    principal: Principal
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            # Whoever asked may be gone; that is not an error nobody retrieved.
            self.done.exception()


class SqlUserDirectory:
    """`UserDirectory` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: set[_Key] = set()
        self._asked: dict[_Key, _Asked] = {}
        self._looking: asyncio.Task[None] | None = None

    async def ensure_principal(self, principal: Principal) -> None:
        """Create user and organization of a valid token at their first use.

        Those that arrive within 5 ms share one query, and one transaction where some are new:
        when a pod dies, thousands come to another one that has seen none of them.
        """
        # Another provider's subject may be a member of several organizations.
        key = (principal.organization_id, principal.user_id)
        if key in self._known:
            return
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = _Asked(principal)
            if self._looking is None:
                self._looking = asyncio.create_task(self._look_after_asked())
        # Shielded: one who gives up must not take the answer from the others.
        await asyncio.shield(asked.done)

    async def close(self) -> None:
        """Wait for what is being created."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_after_asked(self) -> None:
        try:
            await asyncio.sleep(TOGETHER_SECONDS)
            while self._asked:
                keys = list(islice(self._asked, MAX_TOGETHER))
                await self._settle({key: self._asked.pop(key) for key in keys})
        finally:
            self._looking = None

    async def _settle(self, together: "dict[_Key, _Asked]") -> None:
        try:
            await self._create_missing([each.principal for each in together.values()])
        except BaseException as error:
            for each in together.values():
                each.fail(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
            return
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known.update(together)
        for each in together.values():
            if not each.done.done():
                each.done.set_result(None)

    async def _create_missing(self, principals: Sequence[Principal]) -> None:
        now = self._clock()
        # In one order everywhere: two pods that create the same ones wait for each other once.
        wanted: dict[Any, dict[str, Any]] = {
            each.user_id: {
                "id": each.user_id,
                "organization_id": each.organization_id,
                "email": None,
                "name": each.name or each.user_id,
                "role": each.role.value,
                "is_active": True,
                "created_at": now,
            }
            for each in sorted(principals, key=lambda each: each.user_id)
        }
        owners: dict[Any, dict[str, Any]] = {
            id: {"id": id, "name": id, "created_at": now}
            for id in sorted({each.organization_id for each in principals})
        }
        missing: list[tuple[Table, dict[Any, dict[str, Any]]]] = [
            (organizations, owners),
            (users, wanted),
        ]
        async with self._database.read() as connection:
            for table, rows in missing:
                found = select(table.c.id).where(table.c.id.in_(list(rows)))
                for id in await connection.scalars(found):
                    del rows[id]
        if not owners and not wanted:
            return
        async with self._database.write() as connection:
            for table, rows in missing:
                if rows:
                    new = insert_or_ignore(connection, table, list(rows.values()))
                    await connection.execute(new)

    async def user(self, organization_id: OrganizationId, user_id: UserId) -> User | None:
        """Return one user of the organization."""
        async with self._database.read() as connection:
            row = await _row(connection, organization_id, user_id)
        return None if row is None else user_of(row)

    async def users(self, organization_id: OrganizationId) -> Sequence[User]:
        """Return all users of the organization, by name."""
        query = (
            select(users)
            .where(users.c.organization_id == organization_id)
            .order_by(users.c.name, users.c.id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [user_of(row) for row in rows]

    async def create_organization(self, name: str) -> OrganizationId:
        """Create an organization and return its id."""
        organization_id = OrganizationId(str(uuid4()))
        async with self._database.write() as connection:
            await connection.execute(
                insert(organizations).values(
                    id=organization_id, name=name, created_at=self._clock()
                )
            )
        return organization_id

    async def create_user(
        self,
        organization_id: OrganizationId,
        *,
        email: str | None,
        name: str,
        role: Role,
        password_hash: str | None,
    ) -> User:
        """Create a user; raises `Conflict` when the e-mail address is taken."""
        values = {
            "id": str(uuid4()),
            "organization_id": organization_id,
            "email": _normal(email),
            "name": name,
            "role": role.value,
            "password_hash": password_hash,
            "is_active": True,
            "created_at": self._clock(),
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(users).values(values))
        except Exception as error:
            if is_duplicate(error):
                raise Conflict(detail="This e-mail address is taken.") from None
            raise
        return user_of(values)

    async def change_user(
        self,
        organization_id: OrganizationId,
        user_id: UserId,
        *,
        name: str | None,
        role: Role | None,
        is_active: bool | None,
    ) -> User:
        """A new role or a deactivation writes a `RightsChange` in the same transaction."""
        async with self._database.write() as connection:
            await hold_back_writers(connection, organization_id)
            before = await _row(connection, organization_id, user_id, lock=True)
            if before is None:
                raise NotFound(detail="There is no such user.")
            changed = dict(before)
            changed |= {} if name is None else {"name": name}
            changed |= {} if role is None else {"role": role.value}
            changed |= {} if is_active is None else {"is_active": is_active}
            names = ("name", "role", "is_active")
            await connection.execute(
                update(users)
                .where(users.c.id == user_id)
                .values({name: changed[name] for name in names})
            )
            rights = ("role", "is_active")
            if any(changed[name] != before[name] for name in rights):
                await self._record(connection, changed)
        return user_of(changed)

    async def _record(self, connection: AsyncConnection, user: dict[str, Any]) -> RightsChange:
        await begin_version(connection, user["organization_id"])
        return await record_change(
            connection,
            user["organization_id"],
            user["id"],
            changed_at=self._clock(),
            role=Role(user["role"]) if user["is_active"] else None,
        )

    async def credentials(self, email: str) -> tuple[User, str] | None:
        """Return the user and the password hash of an e-mail address."""
        query = select(users).where(users.c.email == _normal(email))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None or row["password_hash"] is None:
            return None
        return user_of(row), row["password_hash"]

    async def organizations(self) -> Sequence[tuple[OrganizationId, str]]:
        """Return (id, name) of all organizations, oldest first."""
        query = select(organizations.c.id, organizations.c.name).order_by(
            organizations.c.created_at, organizations.c.id
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [(OrganizationId(row.id), row.name) for row in rows]


def _normal(email: str | None) -> str | None:
    return None if email is None else email.strip().casefold()


async def _row(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    user_id: UserId,
    *,
    lock: bool = False,
) -> Any:
    query = select(users).where(users.c.id == user_id, users.c.organization_id == organization_id)
    if lock:
        query = query.with_for_update()
    return (await connection.execute(query)).mappings().one_or_none()
