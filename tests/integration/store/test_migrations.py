"""`migrate`: several pods at once, twice, and never on a database of the future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from pytake.domain.errors import Unavailable
from pytake.store import StoreNotUsable, migrate, open_store, schema
from pytake.store.engine import Database, parse_url
from pytake.store.tables import metadata


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.integration),
        pytest.param("pgbouncer", marks=pytest.mark.integration),
    ]
)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/folder/pytake.db"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


async def _in_database(url: str, action: Callable[[Connection], object]) -> object:
    database = Database(parse_url(url), pool_size=1)
    await database.open()
    try:
        async with database.write() as connection:
            return await connection.run_sync(action)
    finally:
        await database.close()


async def test_pods_that_start_together_migrate_once(empty_url: str) -> None:
    epochs = await asyncio.gather(*(migrate(empty_url) for _ in range(4)))

    assert len(set(epochs)) == 1
    async with open_store(empty_url) as store:
        assert await store.event_log.epoch() == epochs[0]


async def test_a_restore_starts_a_new_epoch(empty_url: str) -> None:
    before = await migrate(empty_url)

    after = await migrate(empty_url, new_epoch=True)

    assert after != before
    assert await migrate(empty_url) == after


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
async def test_the_migrations_make_the_tables_that_the_code_knows(empty_url: str) -> None:
    await migrate(empty_url)

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert await _in_database(empty_url, differences) == []


async def test_what_an_older_program_stored_is_there_after_the_migration(empty_url: str) -> None:
    """And an older program that still runs can go on storing: the columns have defaults."""
    database = Database(parse_url(empty_url), pool_size=1)
    await database.open()
    async with database.migrating() as connection:
        await connection.run_sync(lambda sync: _upgrade(sync, "0001"))
    await database.close()
    await _in_database(empty_url, _store_conversation("before"))

    await migrate(empty_url)
    await _in_database(empty_url, _store_conversation("after"))

    def labels(connection: Connection) -> object:
        return connection.execute(text("SELECT id, labels FROM conversations ORDER BY id")).all()

    assert await _in_database(empty_url, labels) == [("after", "[]"), ("before", "[]")]


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("pytake.store") / "migrations"))
    config.attributes["connection"] = connection
    upgrade(config, revision)


def _store_conversation(name: str) -> Callable[[Connection], object]:
    """As the program of the first schema does, which knows of no labels."""
    return lambda connection: connection.execute(
        text(
            "INSERT INTO conversations (id, organization_id, contact_id, status, created_at, "
            "updated_at) VALUES (:name, 'o', :name, 'open', :now, :now)"
        ),
        {"name": name, "now": datetime(2026, 11, 22, tzinfo=UTC)},
    )


async def test_an_empty_database_is_not_opened(empty_url: str) -> None:
    with pytest.raises(StoreNotUsable, match="pytake migrate"):
        await open_store(empty_url).open()


async def test_a_database_of_a_newer_program_is_left_alone(empty_url: str) -> None:
    await migrate(empty_url)

    def make_newer(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE meta SET value = '9999' WHERE key = 'programs'"))

    await _in_database(empty_url, make_newer)

    with pytest.raises(StoreNotUsable, match="newer"):
        await migrate(empty_url)
    with pytest.raises(StoreNotUsable, match="newer"):
        await open_store(empty_url).open()


async def test_a_newer_database_that_still_serves_this_program_is_used(empty_url: str) -> None:
    """Between the migration of a rollout and its last pod, and after a rollback."""
    epoch = await migrate(empty_url)

    def expand(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE conversations ADD COLUMN mood TEXT"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE meta SET value = '9999 ' || value WHERE key = 'programs'"))

    await _in_database(empty_url, expand)

    assert await migrate(empty_url) == epoch, "the hook of a rollback does nothing"
    async with open_store(empty_url) as store:
        assert await store.event_log.epoch() == epoch


async def test_a_database_remembers_the_programs_that_it_serves(empty_url: str) -> None:
    await migrate(empty_url)

    def programs(connection: Connection) -> object:
        return connection.execute(text("SELECT value FROM meta WHERE key = 'programs'")).scalar()

    served = str(await _in_database(empty_url, programs)).split()
    # None of the migrations so far has taken anything away: every program that there was is served.
    scripts = Path(schema.__file__).parent / "migrations" / "versions"
    assert served == sorted((path.name[:4] for path in scripts.glob("[0-9]*.py")), reverse=True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not the address"),
        ("mysql://localhost/x", "not supported"),
        ("sqlite+aiosqlite://", "file"),
        ("sqlite:////proc/nowhere/pytake.db", "nowhere"),
    ],
)
async def test_an_address_that_is_of_no_use_says_why(url: str, says: str) -> None:
    with pytest.raises(StoreNotUsable, match=says):
        await migrate(url)


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await migrate("postgresql+asyncpg://pytake@127.0.0.1:1/none")


@pytest.mark.integration
async def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    with pytest.raises(StoreNotUsable, match="does not exist"):
        await migrate(postgres_url + "_other")
