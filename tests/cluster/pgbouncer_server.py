"""PgBouncer in transaction mode, the pooler that production is allowed to have."""

from __future__ import annotations

from pathlib import Path

from cluster.postgres_server import PostgresServer
from cluster.programs import (
    Program,
    find_program,
    free_port,
    hand_over,
    is_listening,
    unprivileged_user,
)

_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={postgres_port} user=pytake

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 10
ignore_startup_parameters = extra_float_digits
# After a restart of the server behind; the default of 15 s would only make tests slow.
server_login_retry = 1
"""


class PgBouncerServer(Program):
    """A pooler in front of one PostgreSQL: two transactions may meet two server sessions."""

    def __init__(self, folder: Path, postgres: PostgresServer) -> None:
        self.port = free_port()
        self.postgres = postgres
        user = unprivileged_user()
        configuration = folder / f"pgbouncer-{self.port}.ini"
        # With `auth_type = any` clients need no password, and `[databases]` names the user.
        configuration.write_text(_CONFIGURATION.format(port=self.port, postgres_port=postgres.port))
        hand_over(configuration, user)
        super().__init__(
            "pgbouncer",
            [find_program("pgbouncer"), configuration],
            folder / f"pgbouncer-{self.port}.log",
            user=user,
            folder=Path("/"),
        )

    def is_serving(self) -> bool:
        return is_listening(self.port)

    def database_url(self, name: str, *, driver: str = "postgresql") -> str:
        """The address of a database of the server behind, through the pooler."""
        return f"{driver}://pytake@127.0.0.1:{self.port}/{name}"
