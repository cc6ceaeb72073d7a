"""A database that is away, frozen or restarted is `Unavailable` soon, and used again after."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from cluster.pgbouncer_server import PgBouncerServer
from cluster.postgres_server import PostgresServer
from cluster.waiting import eventually, scaled
from pytake.domain.errors import Unavailable
from pytake.domain.principal import Role
from pytake.store import Store, migrate, open_store
from pytake.store.engine import Database, parse_url
from store_world import HeldClock, World, make_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ASYNC_DRIVER = "postgresql+asyncpg"


@pytest.fixture(scope="module")
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that these tests may stop."""
    server = PostgresServer(server_folder, durable=True)
    server.start()
    server.wait_until_serving()
    yield server
    server.stop()


@pytest.fixture
def database(own_postgres: PostgresServer) -> str:
    name = own_postgres.create_database()
    asyncio.run(migrate(own_postgres.database_url(name, driver=ASYNC_DRIVER)))
    return name


@pytest.fixture(params=["direct", "pooled"])
def url(
    request: pytest.FixtureRequest,
    own_postgres: PostgresServer,
    database: str,
    server_folder: Path,
) -> Iterator[str]:
    if request.param == "direct":
        yield own_postgres.database_url(database, driver=ASYNC_DRIVER)
        return
    pooler = PgBouncerServer(server_folder, own_postgres)
    pooler.start()
    pooler.wait_until_serving()
    yield pooler.database_url(database, driver=ASYNC_DRIVER)
    pooler.stop()


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    clock = HeldClock()
    async with open_store(url, clock=clock, pool_size=3) as store:
        yield await make_world(store, clock)


async def _can_write(world: World) -> bool:
    with suppress(Unavailable):
        await world.write()
        await world.store.conversations.conversation(world.ana, world.conversation)
        return True
    return False


async def _everything(world: World) -> list[object]:
    """A write, a hot read and an ordinary read, all at once."""
    results = await asyncio.gather(
        world.write(),
        world.store.event_log.heads([world.conversation]),
        world.store.conversations.conversation(world.ana, world.conversation),
        world.store.ping(),
        return_exceptions=True,
    )
    return list(results)


async def test_a_database_that_is_away_is_unavailable_and_used_again(
    world: World, own_postgres: PostgresServer
) -> None:
    await world.write()
    own_postgres.stop()
    try:
        began = time.monotonic()
        results = await _everything(world)
        assert time.monotonic() - began < scaled(6)
        assert [type(result) for result in results] == [Unavailable] * 4
    finally:
        own_postgres.start()
        own_postgres.wait_until_serving()

    await eventually(lambda: _can_write(world), "the store writes again", within_seconds=30)

    assert await world.log() == list(range(1, await world.head() + 1))


async def test_a_frozen_database_is_unavailable_within_its_deadline(
    world: World, own_postgres: PostgresServer
) -> None:
    await world.write()
    world.store._epoch._known_until = 0  # it would be asked for again now
    everybody = [psutil.Process(own_postgres.pid)]
    everybody += everybody[0].children(recursive=True)
    for process in everybody:
        process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        results = await asyncio.gather(*(_everything(world) for _ in range(5)))
        assert time.monotonic() - began < scaled(6)
        assert [type(result) for four in results for result in four] == [Unavailable] * 20
    finally:
        for process in everybody:
            process.send_signal(signal.SIGCONT)

    await eventually(lambda: _can_write(world), "the store writes again", within_seconds=30)

    assert await world.log() == list(range(1, await world.head() + 1))


async def test_a_row_that_another_pod_holds_is_unavailable_after_two_seconds(
    world: World, own_postgres: PostgresServer, database: str
) -> None:
    other = await asyncpg.connect(own_postgres.database_url(database))
    async with other.transaction():
        await other.execute("SELECT * FROM conversations FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await world.write()
        assert scaled(1.5) < time.monotonic() - began < scaled(4)
        heads = await world.store.event_log.heads([world.conversation])
        assert heads == {world.conversation: 0}
    await other.close()

    assert (await world.write()).conversation.last_seq == 1


async def test_a_change_of_rights_waits_for_messages_begun_under_the_old_ones(
    world: World, own_postgres: PostgresServer, database: str
) -> None:
    other = await asyncpg.connect(own_postgres.database_url(database))
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT * FROM conversations FOR UPDATE")
    writing = asyncio.create_task(world.write())
    await eventually(
        lambda: other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"),
        "the writer waits for the row",
    )
    changing = asyncio.create_task(
        world.store.users.change_user(
            world.organization, world.ana.user_id, name=None, role=Role.ADMIN, is_active=None
        )
    )
    await eventually(
        lambda: other.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ),
        "the change waits for the writer",
    )
    assert not changing.done()

    await transaction.rollback()
    begun_before = await writing
    await changing
    begun_after = await world.write()
    await other.close()

    versions = [c.events[0].organization_acl_version for c in (begun_before, begun_after)]
    assert versions == [1, 2]


async def test_a_writer_that_gives_up_leaves_no_hole(world: World) -> None:
    for round_number in range(30):
        tasks = [asyncio.create_task(world.write(f"{round_number}.{n}")) for n in range(6)]
        await asyncio.sleep(0.001 * (round_number % 7))
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    head = await world.head()
    assert await world.log() == list(range(1, head + 1))
    assert head >= 90
    assert await world.store.upkeep.check_integrity() == []


async def test_a_store_that_cannot_connect_says_so_at_once(own_postgres: PostgresServer) -> None:
    with pytest.raises(Unavailable):
        await Store("postgresql+asyncpg://pytake@127.0.0.1:1/none").open()


async def test_other_processes_are_told_by_notify(
    own_postgres: PostgresServer, database: str, url: str
) -> None:
    listen_url = own_postgres.database_url(database)
    clock = HeldClock()
    async with (
        open_store(url, clock=clock) as here,
        open_store(url, listen_url=listen_url, clock=clock) as there,
    ):
        wake_ups = there.outbox.wake_ups()
        async with asyncio.timeout(scaled(5)):
            await anext(wake_ups)  # it listens now
        waiting = asyncio.ensure_future(anext(wake_ups))
        await here.outbox.wake()
        async with asyncio.timeout(scaled(5)):
            await waiting

        own_postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        )
        async with asyncio.timeout(scaled(10)):
            await anext(wake_ups)  # it listens again: something may have been missed
        await wake_ups.aclose()  # type: ignore[attr-defined]


async def test_settings_that_lose_commits_in_a_crash_are_named(
    url: str, postgres_server: PostgresServer
) -> None:
    async def named(address: str) -> list[str]:
        async with open_store(address) as store:
            return list(await store.forgets_in_a_crash())

    quick = postgres_server.create_database()
    quick_url = postgres_server.database_url(quick, driver=ASYNC_DRIVER)
    await migrate(quick_url)

    assert await named(url) == []
    assert await named(quick_url) == ["fsync", "synchronous_commit"]


async def test_a_connection_to_sqlite_that_outlives_its_store_is_closed(tmp_path: Path) -> None:
    database = Database(parse_url(f"sqlite+aiosqlite:///{tmp_path}/pytake.db"), pool_size=1)
    await database.open()

    async with database.read() as connection:
        raw = await connection.get_raw_connection()
        thread = raw.driver_connection._thread  # type: ignore[union-attr]
        del raw
        await database.close()
    del connection
    gc.collect()

    await eventually(lambda: not thread.is_alive(), "it is closed", 10)
