"""One object that serves every port of the database."""

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import text

from pytake.application.ports import Clock
from pytake.store.conversations import SqlConversations
from pytake.store.engine import Database, parse_url
from pytake.store.epoch import Epoch
from pytake.store.event_log import SqlEventLog
from pytake.store.rights import SqlRightsLog
from pytake.store.schema import check_schema
from pytake.store.turns import Turns
from pytake.store.users import SqlUserDirectory

POOL_SIZE = 10


def utc_now() -> datetime:
    """The present moment of the system's clock."""
    return datetime.now(UTC)


class Store:
    """The ports of one database; open it before use.

    Attributes:
        conversations: `ConversationStore` and `ConversationReader`.
        event_log: `EventLog`.
        users: `UserDirectory`.
        rights: `RightsLog`.
    """

    def __init__(
        self,
        database_url: str,
        *,
        listen_url: str = "",
        pool_size: int = POOL_SIZE,
        clock: Clock = utc_now,
    ) -> None:
        self._database = Database(parse_url(database_url), pool_size=pool_size)
        self._listen_url = listen_url
        epoch = Epoch(self._database)
        self.conversations = SqlConversations(self._database, Turns(), epoch, clock)
        self.event_log = SqlEventLog(self._database, epoch)
        self.users = SqlUserDirectory(self._database, clock)
        self.rights = SqlRightsLog(self._database, clock)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, and check that the database has the schema of this program.

        Raises:
            StoreNotUsable: It has another schema, or refuses us.
            Unavailable: It cannot be reached at the moment.
        """
        await self._database.open()
        try:
            async with self._database.read() as connection:
                await check_schema(connection)
        except BaseException:
            await self._database.close()
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def ping(self) -> None:
        """Ask the database for a sign of life; raises `Unavailable` within seconds."""
        async with self._database.read() as connection:
            await connection.execute(text("SELECT 1"))


def open_store(
    database_url: str,
    *,
    listen_url: str = "",
    pool_size: int = POOL_SIZE,
    clock: Clock = utc_now,
) -> Store:
    """Return the store of this database, to be used as `async with`, or opened and closed.

    Args:
        database_url: `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`, the primary,
            perhaps through a transaction-mode pooler.
        listen_url: A direct connection for LISTEN; empty for polling alone.
        pool_size: Connections at most, beside eight for hot queries.
        clock: What time it is, for tests.

    Raises:
        StoreNotUsable: The address is none of ours.
    """
    return Store(database_url, listen_url=listen_url, pool_size=pool_size, clock=clock)
