"""Connections to the database, and what their failures mean.

`Database.read` and `Database.write` are the only ways in. On PostgreSQL all settings are
those of a transaction, so that a transaction-mode pooler may stand between; on SQLite
there is one writing connection, whose waiters are served in order. The driver itself
(`Database.hot`) serves the few queries that every join and every message needs.

A database that is away, starting, frozen or too busy is `Unavailable` within a few
seconds; connections that died are replaced without anybody's help.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from pytake.domain.errors import InvalidPayload, Unavailable
from pytake.store import sqlite_driver

CONNECT_SECONDS = 2.0
TRANSACTION_SECONDS = 3.0
"""After which a transaction is given up; ending a connection that does not answer takes
SQLAlchemy two seconds more."""
HOT_SECONDS = 2.5
SQLITE_SECONDS = 6.0
UPKEEP_SECONDS = 60.0
"""For work that nobody waits for."""
LOCK_TIMEOUT = "2s"
SQLITE_BUSY_SECONDS = 5.0
HOT_CONNECTIONS = 8
"""At most so many hot queries at a time: more would only queue in the server instead."""

_PASSING_SQLSTATES = ("08", "53", "57", "55P03", "40", "25P02", "58")
"""Connection, resources, operator intervention, lock not had, serialization, system."""
_DATA_SQLSTATE = "22"


class StoreNotUsable(Exception):
    """The database cannot be used as it is; the text says why and what to do."""


def parse_url(database_url: str) -> URL:
    """Return the address of a database that we can use.

    Raises:
        StoreNotUsable: It is no address, or one of another kind of database.
    """
    try:
        url = make_url(database_url)
    except exc.ArgumentError:
        raise StoreNotUsable("PYTAKE_DATABASE_URL is not the address of a database.") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    raise StoreNotUsable(f"{backend} is not supported: use sqlite+aiosqlite or postgresql+asyncpg.")


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later without anybody's doing."""
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated or isinstance(error.orig, TimeoutError):
            return True
        code = getattr(error.orig, "sqlstate", None) or ""
        if code:
            return code.startswith(_PASSING_SQLSTATES)
        cause = error.orig.__cause__ if error.orig is not None else None
        return isinstance(error, exc.InterfaceError) or _is_lost(cause) or _is_busy(error.orig)
    return isinstance(error, exc.TimeoutError) or _is_lost(error) or _is_busy(error)


def _is_lost(error: BaseException | None) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_PASSING_SQLSTATES)
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError)


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.OperationalError)


@contextmanager
def as_our_errors() -> Iterator[None]:
    """Turn failures that pass by themselves into `Unavailable`, and values that no column
    can hold (a number beyond 64 bits, a text with a NUL) into `InvalidPayload`."""
    try:
        yield
    except _FAILURES as error:
        if _is_bad_value(error):
            raise InvalidPayload(detail="A value is too large, or not a text.") from error
        if not is_passing(error):
            raise
        raise Unavailable(detail="The database is not available.") from error


_FAILURES = (
    exc.SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    OverflowError,
    UnicodeEncodeError,
)


def _is_bad_value(error: BaseException | None) -> bool:
    if isinstance(error, exc.DBAPIError):
        code = getattr(error.orig, "sqlstate", None) or ""
        cause = error.orig.__cause__ if error.orig is not None else None
        return code.startswith(_DATA_SQLSTATE) or _is_bad_value(cause)
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_DATA_SQLSTATE)
    return isinstance(error, ValueError | OverflowError)


def is_duplicate(error: Exception) -> bool:
    """Whether a unique constraint refused the row."""
    return isinstance(error, exc.IntegrityError | asyncpg.UniqueViolationError)


class Database:
    """One database, SQLite or PostgreSQL.

    Args:
        url: Of the primary, perhaps through a pooler.
        pool_size: Connections at most, beside the few of `hot`.
    """

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self.url = url
        self.is_postgres = url.get_backend_name() == "postgresql"
        self._pool_size = pool_size
        self._seconds = TRANSACTION_SECONDS if self.is_postgres else SQLITE_SECONDS
        self._readers: AsyncEngine
        self._writers: AsyncEngine
        self._hot: asyncpg.Pool
        self._is_pooled = False

    async def open(self) -> None:
        """Connect once, to learn what kind of server answers.

        Raises:
            Unavailable: The server does not answer.
            StoreNotUsable: It answers and refuses us for good.
        """
        if not self.is_postgres:
            self._open_sqlite()
            return
        with as_our_errors():
            try:
                self._is_pooled = await self._has_pooler()
            except _REFUSALS as refusal:
                raise StoreNotUsable(f"PostgreSQL refuses the connection: {refusal}") from None
        self._writers = self._readers = self._postgres_engine()
        self._hot = await self._hot_pool()

    async def close(self) -> None:
        """Close all connections; those in use are not waited for."""
        if self.is_postgres:
            self._hot.terminate()
        for engine in {self._readers, self._writers}:
            await engine.dispose()

    @asynccontextmanager
    async def read(self, *, seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that stores nothing."""
        with as_our_errors():
            async with (
                asyncio.timeout(seconds or self._seconds),
                self._readers.begin() as connection,
            ):
                yield connection

    @asynccontextmanager
    async def write(self, *, seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that is stored at the end of the block.

        On SQLite it holds the write lock from its start; on PostgreSQL it waits for row
        locks two seconds at most.
        """
        with as_our_errors():
            async with (
                asyncio.timeout(seconds or self._seconds),
                self._writers.begin() as connection,
            ):
                if self.is_postgres:
                    await connection.execute(_SET_LOCK_TIMEOUT)
                yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Like `write`, without a limit on the wait for locks: others may be migrating."""
        with as_our_errors():
            async with self._writers.begin() as connection:
                yield connection

    @asynccontextmanager
    async def hot(self) -> AsyncIterator[Any]:
        """The driver's own connection to PostgreSQL, for one statement.

        Through a pooler it is inside a transaction: the driver prepares first and
        executes then, and both must reach the same server connection.
        """
        with as_our_errors():
            async with self._hot.acquire(timeout=CONNECT_SECONDS) as connection:
                if not self._is_pooled:
                    yield connection
                else:
                    async with connection.transaction():
                        yield connection

    def pool_figures(self) -> tuple[int, int]:
        """Return how many connections of the pools are used, and how many idle."""
        used = idle = 0
        for engine in {self._readers, self._writers}:
            pool = engine.pool
            if isinstance(pool, QueuePool):
                used += pool.checkedout()
                idle += pool.checkedin()
        if self.is_postgres:
            hot_idle = self._hot.get_idle_size()
            used += self._hot.get_size() - hot_idle
            idle += hot_idle
        return used, idle

    # --- opening -------------------------------------------------------------------------

    def _open_sqlite(self) -> None:
        if not self.url.database or self.url.database == ":memory:":
            raise StoreNotUsable("SQLite needs a file: sqlite+aiosqlite:///./folder/pytake.db")
        try:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreNotUsable(f"The folder of the database cannot be made: {error}") from None
        self._readers = _sqlite_engine(self.url, "BEGIN", self._pool_size)
        self._writers = _sqlite_engine(self.url, "BEGIN IMMEDIATE", 1)

    def _postgres_engine(self) -> AsyncEngine:
        arguments: dict[str, Any] = {"timeout": CONNECT_SECONDS}
        if self._is_pooled:
            # The unnamed statement lives as long as the transaction needs it; named ones
            # would stay on whichever server connection the pooler had lent us.
            arguments |= {
                "statement_cache_size": 0,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": str,
            }
        return create_async_engine(
            self.url,
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            connect_args=arguments,
        )

    async def _hot_pool(self) -> asyncpg.Pool:
        with as_our_errors():
            return await asyncpg.create_pool(
                postgres_dsn(self.url),
                min_size=0,
                max_size=HOT_CONNECTIONS,
                timeout=CONNECT_SECONDS,
                command_timeout=HOT_SECONDS,
                statement_cache_size=0 if self._is_pooled else 200,
                # The default reset (locks, LISTEN, settings) costs a round trip for each
                # query, and none of these outlives a transaction here.
                reset=_nothing_to_reset,
            )

    async def _has_pooler(self) -> bool:
        """A pooler answers in the server's name with a process number of its own making."""
        connection = await asyncpg.connect(
            postgres_dsn(self.url), timeout=CONNECT_SECONDS, statement_cache_size=0
        )
        try:
            async with connection.transaction():
                server_pid = await connection.fetchval("SELECT pg_backend_pid()")
            return bool(server_pid != connection.get_server_pid())
        finally:
            await connection.close(timeout=CONNECT_SECONDS)


_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
_SET_LOCK_TIMEOUT = text(f"SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', true)")


async def _nothing_to_reset(_connection: object) -> None:
    """The pool has ended an unfinished transaction before it asks."""


def postgres_dsn(url: URL) -> str:
    """Return the address as the driver itself takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _sqlite_engine(url: URL, begin: str, pool_size: int) -> AsyncEngine:
    path = url.database or ""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=SQLITE_BUSY_SECONDS,
        # The driver must not begin transactions by itself: its deferred ones fail with
        # "database is locked" as soon as two want to write.
        async_creator=lambda: sqlite_driver.connect(path, busy_seconds=SQLITE_BUSY_SECONDS),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.run_async(partial(sqlite_driver.write_ahead, busy_seconds=SQLITE_BUSY_SECONDS))
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
