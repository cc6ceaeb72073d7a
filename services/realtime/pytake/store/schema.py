"""Bringing a database to the schema of this program, from several pods at once.

One transaction holds a lock, runs what is missing and ends; whoever waited finds
nothing left to do. A failed migration leaves the database as it was.

In a rollout the database is migrated first, and pods of the version before go on, start
anew, and come back in a rollback. So a migration that only adds says `expands = True`,
and the database remembers which older programs it still serves (`meta`, key
`programs`). What takes something away comes a release later, when nobody uses it any
more, and shuts those programs out.
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
_PROGRAMS = "programs"


async def migrate(database_url: str, new_epoch: bool = False) -> str:
    """Bring the database to the newest schema and return its epoch.

    Safe from several pods at once, and to repeat.

    Args:
        database_url: The primary; a transaction-mode pooler may stand between.
        new_epoch: Start a new life of the database, after a restore: clients that know
            later events than it holds then reload.

    Raises:
        StoreNotUsable: The database is newer than this program and does not serve it, or
            refuses us.
        Unavailable: It cannot be reached, or another migration holds it.
    """
    database = Database(parse_url(database_url), pool_size=1)
    await database.open()
    try:
        async with database.migrating() as connection:
            if database.is_postgres:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            if await connection.run_sync(_upgrade):
                await _put(connection, _PROGRAMS, " ".join(_served_programs()))
            return await _ensure_epoch(connection, new_epoch)
    finally:
        await database.close()


async def check_schema(connection: AsyncConnection) -> None:
    """Raise `StoreNotUsable` unless the database has the schema of this program, or a newer one
    that still serves it."""
    found = await connection.run_sync(_revision)
    newest = _head()
    if found == newest:
        return
    if found is None:
        raise StoreNotUsable("The database is empty: run `pytake migrate` first.")
    if not _is_known(found):
        if await connection.run_sync(_serves_us):
            return
        raise StoreNotUsable(_newer(found))
    raise StoreNotUsable(
        f"The database has schema {found}, this program needs {newest}: run `pytake migrate`."
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> bool:
    """Run what is missing; return False where a newer program has done so before."""
    found = _revision(connection)
    if found is not None and not _is_known(found):
        if _serves_us(connection):
            return False
        raise StoreNotUsable(_newer(found))
    config = _config()
    config.attributes["connection"] = connection
    upgrade(config, "head")
    return True


def _head() -> str:
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _served_programs() -> list[str]:
    """Return the schemas whose programs may use this one: back to the last migration that took
    something away."""
    scripts = ScriptDirectory.from_config(_config())
    served: list[str] = []
    for script in scripts.walk_revisions():
        served.append(script.revision)
        if not getattr(script.module, "expands", False):
            break
    return served


def _serves_us(connection: Connection) -> bool:
    query = select(tables.meta.c.value).where(tables.meta.c.key == _PROGRAMS)
    programs: str | None = connection.execute(query).scalar_one_or_none()
    return programs is not None and _head() in programs.split()


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
    await _put(connection, _EPOCH, epoch)
    return epoch


async def _put(connection: AsyncConnection, key: str, value: str) -> None:
    values = {"key": key, "value": value}
    await connection.execute(insert_or_replace(connection, tables.meta, values, ("key",)))
