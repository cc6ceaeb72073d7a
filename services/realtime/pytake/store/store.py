"""One object that serves every port of the database."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import text

from pytake.application.ports import Clock
from pytake.store.audit import SqlAuditLog
from pytake.store.canned_replies import SqlCannedReplies
from pytake.store.channels import SqlChannels
from pytake.store.contact_book import SqlContactBook
from pytake.store.conversations import SqlConversations
from pytake.store.engine import SQLITE_BUSY_SECONDS, Database, parse_url
from pytake.store.epoch import Epoch
from pytake.store.event_log import SqlEventLog
from pytake.store.leases import SqlLeases
from pytake.store.link_key import LinkKey
from pytake.store.media_library import SqlMediaLibrary
from pytake.store.news import SqlChannelNews
from pytake.store.outbox import SqlOutbox
from pytake.store.refresh_tokens import SqlRefreshTokens
from pytake.store.rights import SqlRightsLog
from pytake.store.schema import check_schema
from pytake.store.send_queue import SqlSendQueue
from pytake.store.signals import Signals
from pytake.store.signs import SqlCustomerSigns
from pytake.store.templates import SqlTemplates
from pytake.store.turns import Turns
from pytake.store.upkeep import Upkeep
from pytake.store.users import SqlUserDirectory
from pytake.store.webhooks import SqlOrphanStatuses, SqlQuarantine, SqlWebhookInbox

POOL_SIZE = 10


def utc_now() -> datetime:
    """The present moment of the system's clock."""
    return datetime.now(UTC)


class Store:
    """The ports of one database; open it before use.

    Attributes:
        conversations: `ConversationStore`, `NoteStore` and `ConversationReader`.
        event_log, outbox: `EventLog` and `Outbox`.
        users, rights, refresh_tokens, audit: who may do what, and did.
        channels, news: `ChannelDirectory` and `SendingChannels`, and what WhatsApp told of them.
        signs: what customers shall see of agents.
        webhooks, quarantine, orphans: what the provider delivered.
        canned_replies: what teams have ready.
        send_queue, contacts, media, templates, leases: what the sender works with.
        upkeep: retention and checks.
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
        database = self._database
        epoch = self._epoch = Epoch(database)
        # On SQLite one writer at a time is the rule, and no pool of connections runs dry.
        turns = Turns() if database.is_postgres else Turns(seconds=SQLITE_BUSY_SECONDS)
        signals = self._signals = Signals(database, listen_url)
        self.conversations = SqlConversations(database, turns, epoch, signals, clock)
        self.event_log = SqlEventLog(database, epoch)
        self.outbox = SqlOutbox(database, self.event_log, signals, clock)
        self.users = SqlUserDirectory(database, clock)
        self.rights = SqlRightsLog(database, clock)
        self.refresh_tokens = SqlRefreshTokens(database)
        self.channels = SqlChannels(database, clock)
        self.news = SqlChannelNews(database)
        self.signs = SqlCustomerSigns(database)
        self.leases = SqlLeases(database, clock)
        self.webhooks = SqlWebhookInbox(database, signals, clock)
        self.quarantine = SqlQuarantine(database)
        self.orphans = SqlOrphanStatuses(database, clock)
        self.send_queue = SqlSendQueue(database, signals, clock)
        self.contacts = SqlContactBook(database)
        self.media = SqlMediaLibrary(database)
        self.templates = SqlTemplates(database)
        self.audit = SqlAuditLog(database)
        self.canned_replies = SqlCannedReplies(database)
        self.link_key = LinkKey(database)
        self.upkeep = Upkeep(database, clock)

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
            await self._epoch()
        except BaseException:
            await self._database.close()
            raise

    async def close(self) -> None:
        """Finish what is being stored, send the last wake-ups, close all connections."""
        await self.conversations.close()
        await self.users.close()
        await self._signals.close()
        await self._database.close()

    def pool_figures(self) -> tuple[int, int]:
        """Return how many database connections are used, and how many idle."""
        return self._database.pool_figures()

    async def ping(self) -> None:
        """Ask the database for a sign of life; raises `Unavailable` within seconds."""
        async with self._database.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def time(self) -> datetime:
        """Return the database's clock (SQLite has the one of this machine)."""
        if not self._database.is_postgres:
            return datetime.now(UTC)
        async with self._database.read() as connection:
            moment: datetime = (
                await connection.execute(text("SELECT clock_timestamp()"))
            ).scalar_one()
        return moment

    async def forgets_in_a_crash(self) -> Sequence[str]:
        """Return the settings of PostgreSQL with which a crash takes back what was committed.

        A message is answered after its commit: with `synchronous_commit` off the commit may be
        in memory alone for up to three times `wal_writer_delay`.
        """
        if not self._database.is_postgres:
            return ()
        query = text(
            "SELECT name FROM pg_settings"
            " WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off' ORDER BY name"
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())


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
