"""What one suite runs on: each kind of database, and a Redis Cluster."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.pgbouncer_server import PgBouncerServer
from cluster.postgres_server import PostgresServer
from cluster.redis_cluster import RedisCluster
from conftest import left_out_if_missing
from pytake.store import Store, migrate, open_store
from pytake.store.tables import metadata
from store_world import HeldClock, World, make_world

ASYNC_DRIVER = "postgresql+asyncpg"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, from which each test's own is copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: PostgresServer) -> str:
    """The name of a migrated database that the tests use one after the other."""
    name = postgres_server.create_database()
    asyncio.run(migrate(postgres_server.database_url(name, driver=ASYNC_DRIVER)))
    return name


@pytest.fixture
def migrated_postgres(postgres_server: PostgresServer, shared_postgres: str) -> str:
    """The name of a migrated, empty database: a copy for each test would take ten times longer."""
    tables = [table.name for table in metadata.sorted_tables if table.name != "meta"]
    deletions = " ".join(f"DELETE FROM {table};" for table in tables)  # noqa: S608
    postgres_server.execute(f"DO $$ BEGIN {deletions} END $$", database=shared_postgres)
    return shared_postgres


@pytest.fixture(params=["sqlite", "postgres", "pgbouncer"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty, migrated database of each kind."""
    if request.param == "sqlite":
        copy = tmp_path / "pytake.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), copy)
        return f"sqlite+aiosqlite:///{copy}"
    name: str = request.getfixturevalue("migrated_postgres")
    kind = "postgres_server" if request.param == "postgres" else "pgbouncer_server"
    server: PostgresServer | PgBouncerServer = request.getfixturevalue(kind)
    return server.database_url(name, driver=ASYNC_DRIVER)


@pytest.fixture(scope="session")
def cluster_url(server_folder: Path) -> Iterator[str]:
    """A Redis Cluster of three masters."""
    with left_out_if_missing():
        server = RedisCluster(server_folder)
    with server:
        yield server.url


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
async def store(database_url: str, clock: HeldClock) -> AsyncIterator[Store]:
    async with open_store(database_url, clock=clock) as opened:
        yield opened


@pytest.fixture
async def world(store: Store, clock: HeldClock) -> World:
    """An organization with a channel-less conversation, an admin and two agents."""
    return await make_world(store, clock)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Those that need a server are integration tests."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("database_url") in ("postgres", "pgbouncer"):
            item.add_marker(pytest.mark.integration)
