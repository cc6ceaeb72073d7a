"""Who does what only one process may do at a time."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, literal, or_
from sqlalchemy.dialects import postgresql, sqlite

from pytake.application.ports import Clock
from pytake.store.engine import Database
from pytake.store.tables import Utc, leases


class SqlLeases:
    """`Leases` on SQLite and PostgreSQL.

    On PostgreSQL the server's clock counts: those of the pods need not agree.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def acquire(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take the lease if it is free or ours, for so long from now."""
        now: Any = func.now() if self._database.is_postgres else literal(self._clock(), Utc())
        until: Any = (
            func.now() + timedelta(seconds=seconds)
            if self._database.is_postgres
            else literal(self._clock() + timedelta(seconds=seconds), Utc())
        )
        dialect = postgresql if self._database.is_postgres else sqlite
        insert: Any = dialect.insert(leases).values(name=name, holder=holder, expires_at=until)
        query = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": insert.excluded.holder, "expires_at": insert.excluded.expires_at},
            where=or_(leases.c.holder == insert.excluded.holder, leases.c.expires_at <= now),
        ).returning(leases.c.holder)
        async with self._database.write() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def release(self, name: str, holder: str) -> None:
        """Give it back, if it is still ours."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(leases).where(leases.c.name == name, leases.c.holder == holder)
            )
