"""PostgreSQL with a fresh database for each test, copied from a template in milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from cluster.hosts import Host
from cluster.programs import (
    Program,
    ProgramFailed,
    address_of,
    find_program,
    free_port,
    hand_over,
    unprivileged_user,
)
from cluster.waiting import scaled

_USER = "pytake"
_SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    # Autovacuum of a throw-away database only takes processor time from the tests.
    "autovacuum": "off",
}
# Nothing here outlives the test. A test about crashes or about speed asks for `durable`.
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer(Program):
    """One PostgreSQL; it refuses root, so it runs as another user where we are root."""

    stop_signal = signal.SIGQUIT  # immediate: nothing is worth a checkpoint

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = False,
        settings: dict[str, str] | None = None,
        host: Host | None = None,
    ) -> None:
        self.port = free_port()
        self.address = address_of(host)
        self.data = folder / f"postgres-{self.port}"
        binaries = "/usr/lib/postgresql/*/bin"
        self._initdb = find_program("initdb", f"{binaries}/initdb")
        chosen = (
            _SETTINGS
            | {"listen_addresses": self.address}
            | ({} if durable else _CARELESS)
            | (settings or {})
        )
        command: list[str | Path] = [
            *(find_program("postgres", f"{binaries}/postgres"), "-D", self.data),
            *("-p", str(self.port)),
            *(part for name, value in chosen.items() for part in ("-c", f"{name}={value}")),
        ]
        super().__init__(
            "postgres",
            command,
            folder / f"postgres-{self.port}.log",
            user=unprivileged_user(),
            folder=Path("/"),
            host=host,
        )
        # Filled in by the first cluster that needs it.
        self.migrated_template: str | None = None
        # The superuser, for whom every other database is a template too.
        self.url = self.database_url("postgres")

    def start(self) -> None:
        if not self.data.exists():
            self._create_data_folder()
        super().start()

    def _create_data_folder(self) -> None:
        self.data.mkdir(mode=0o700)
        hand_over(self.data, self.user)
        initdb = Program(
            "initdb",
            [
                *(self._initdb, "-D", self.data, "--username", _USER, "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            self.log,
            user=self.user,
            folder=Path("/"),
        )
        initdb.start()
        if initdb.wait(60) != 0:
            raise ProgramFailed(f"initdb:\n{initdb.last_words()}")
        if self.host is not None:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")

    def is_serving(self) -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            return bool(self.execute("SELECT 1") == 1)
        return False

    def database_url(self, name: str, *, driver: str = "postgresql") -> str:
        return f"{driver}://{_USER}@{self.address}:{self.port}/{name}"

    def create_database(self, *, template: str = "template0") -> str:
        """Make a database with an unused name and return that name."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections that a killed pod left to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str, *, database: str = "postgres") -> Any:
        """Run one SQL statement and return the first value of its first row, if it has any."""

        async def execute() -> Any:
            connection = await asyncpg.connect(
                self.database_url(database), timeout=scaled(10), command_timeout=scaled(30)
            )
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        # In a thread, because the caller's may have an event loop that runs already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, execute()).result()
