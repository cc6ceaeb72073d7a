"""Bringing a database to the schema of this program, from several pods at once.

One transaction holds a lock, runs what is missing and ends; whoever waited finds
nothing left to do. A failed migration leaves the database as it was.
"""

from pathlib import Path
from uuid import uuid4

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.store import tables
from pytake.store.engine import Database, StoreNotUsable, parse_url
from pytake.store.statements import insert_or_replace

_MIGRATION_LOCK = 0x70797461  # "pyta": any number that nobody else uses
_EPOCH = "epoch"


async def migrate(database_url: str, new_epoch: bool = False) -> str:
    """Bring the database to the newest schema and return its epoch.

    Safe from several pods at once, and to repeat.

    Args:
        database_url: The primary; a transaction-mode pooler may stand between.
        new_epoch: Start a new life of the database, after a restore: clients that know
            later events than it holds then reload.

    Raises:
        StoreNotUsable: The database is newer than this program, or refuses us.
        Unavailable: It cannot be reached, or another migration holds it.
    """
    database = Database(parse_url(database_url), pool_size=1)
    await database.open()
    try:
        async with database.migrating() as connection:
            if database.is_postgres:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            await connection.run_sync(_upgrade)
            return await _ensure_epoch(connection, new_epoch)
    finally:
        await database.close()


async def check_schema(connection: AsyncConnection) -> None:
    """Raise `StoreNotUsable` unless the database has the schema of this program."""
    found = await connection.run_sync(_revision)
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if found == newest:
        return
    if found is None:
        raise StoreNotUsable("The database is empty: run `pytake migrate` first.")
    if not _is_known(found):
        raise StoreNotUsable(_newer(found))
    raise StoreNotUsable(
        f"The database has schema {found}, this program needs {newest}: run `pytake migrate`."
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and not _is_known(found):
        raise StoreNotUsable(_newer(found))
    config = _config()
    config.attributes["connection"] = connection
    upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def _newer(revision: str) -> str:
    return (
        f"The database has schema {revision}, which this program does not know: it is newer. "
        "Use the newer program, or restore a backup of this program's time."
    )


async def _ensure_epoch(connection: AsyncConnection, new: bool) -> str:
    query = select(tables.meta.c.value).where(tables.meta.c.key == _EPOCH)
    epoch: str | None = (await connection.execute(query)).scalar_one_or_none()
    if epoch is not None and not new:
        return epoch
    epoch = str(uuid4())
    values = {"key": _EPOCH, "value": epoch}
    await connection.execute(insert_or_replace(connection, tables.meta, values, ("key",)))
    return epoch
