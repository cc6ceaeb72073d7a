"""aiosqlite with one visit to its thread for each statement instead of four.

Cursor, statement, rows and close are four errands otherwise, each a switch of threads:
a message took thirty of them. SQLAlchemy asks a driver for nothing more than this.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite

_ITER_CHUNK_SIZE = 64


def connect(path: str, *, busy_seconds: float) -> aiosqlite.Connection:
    """Return a connection to a file, to be awaited; it begins no transaction by itself."""

    def connector() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)

    connection = _Connection(connector, _ITER_CHUNK_SIZE)
    # A process that ends need not wait for it: what was not committed did not happen.
    connection._thread.daemon = True
    return connection


async def write_ahead(connection: aiosqlite.Connection, *, busy_seconds: float) -> None:
    """Turn write-ahead logging on.

    Of several that do this with a new file at once SQLite refuses all but one, whatever its
    timeout is: here they wait for each other.
    """
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            await (await connection.execute("PRAGMA journal_mode = WAL")).close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.01)


class _Connection(aiosqlite.Connection):
    def __del__(self) -> None:
        """Close what was in use when its pool was disposed of, and came back to nobody."""
        if self._connection is not None:
            self.stop()

    def cursor(self) -> Any:
        return _Cursor(self)


class _Cursor:
    """What SQLAlchemy asks of a cursor; its rows are here when `execute` returns."""

    arraysize = 1

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        await self._visit(self._execute, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        await self._visit(self._executemany, sql, parameters)
        return self

    async def fetchall(self) -> Sequence[Any]:
        return self._rows

    async def close(self) -> None:
        """Nothing is left open."""

    async def _visit(self, action: Callable[[str, Any], None], sql: str, parameters: Any) -> None:
        await self._connection._execute(action, sql, parameters)  # type: ignore[no-untyped-call]

    def _execute(self, sql: str, parameters: Iterable[Any]) -> None:
        self._keep(self._connection._conn.execute(sql, tuple(parameters)))

    def _executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        self._keep(self._connection._conn.executemany(sql, parameters))

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else ()
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid
        cursor.close()
