"""Fixtures that every suite shares, and the rule that nothing is left out in silence.

A test that needs a program which is neither here nor allowed to be installed is left out, named in
the summary, and changes the exit status of an otherwise good run.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.certificates import Certificates, create_certificates
from cluster.cluster import Cluster
from cluster.pgbouncer_server import PgBouncerServer
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.private_words import private_words_in
from cluster.programs import Program, ProgramMissing, temporary_folder
from cluster.redis_server import RedisServer
from pytake.observability import logs

ASYNC_DRIVER = "postgresql+asyncpg"
# Not 3, which pytest keeps for its own failures; `make test` turns it into 3.
LEFT_OUT_EXIT_STATUS = 33


def left_out(config: pytest.Config) -> int:
    """How many tests were skipped; workers of pytest-xdist report to the one process that knows."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", ())) if reporter else 0


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and left_out(session.config):
        session.exitstatus = LEFT_OUT_EXIT_STATUS


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if number := left_out(config):
        terminalreporter.section("left out")
        terminalreporter.write_line(
            f"{number} tests did not run (the reasons are below): exit status "
            f"{LEFT_OUT_EXIT_STATUS} unless something failed."
        )


@pytest.fixture(scope="session", autouse=True)
def nothing_private_is_logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Log as in production, and look through all that this run has logged, at its end: the lines
    of its pods, and those of what runs inside the tests."""
    own = tmp_path_factory.mktemp("logs") / "tests.log"
    with own.open("w") as stream:
        logs.configure("tests", stream=stream, human=False)
        logging.captureWarnings(False)  # those are pytest's: they fail tests
        yield
    private = private_words_in([own, *sorted(Pod.logs)])
    assert not private, private[:20]


@contextmanager
def serving(program: Program) -> Generator[None]:
    """Start a server, and stop it at the end."""
    program.start()
    try:
        program.wait_until_serving()
        yield
    finally:
        program.stop()


@contextmanager
def left_out_if_missing() -> Generator[None]:
    """Leave out the tests that need a program which is not installed."""
    try:
        yield
    except ProgramMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def server_folder() -> Path:
    """Where the servers of this run keep their data and their logs."""
    return temporary_folder("servers")


@pytest.fixture(scope="session")
def certificates(server_folder: Path) -> Certificates:
    return create_certificates(server_folder)


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RedisServer]:
    """The Redis that most tests share; a test that stops or freezes one starts its own."""
    with left_out_if_missing():
        server = RedisServer(server_folder)
    with serving(server):
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL that most tests share."""
    with left_out_if_missing():
        server = PostgresServer(server_folder)
    with serving(server):
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of its own, for SQLAlchemy's asyncpg driver."""
    name = postgres_server.create_database()
    yield postgres_server.database_url(name, driver=ASYNC_DRIVER)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def pgbouncer_server(
    server_folder: Path, postgres_server: PostgresServer
) -> Iterator[PgBouncerServer]:
    """A transaction-mode pooler in front of `postgres_server`."""
    with left_out_if_missing():
        server = PgBouncerServer(server_folder, postgres_server)
    with serving(server):
        yield server


@pytest.fixture
def pgbouncer_url(pgbouncer_server: PgBouncerServer, postgres_url: str) -> str:
    """The database of `postgres_url`, through the pooler."""
    return pgbouncer_server.database_url(postgres_url.rsplit("/", 1)[-1], driver=ASYNC_DRIVER)


@pytest.fixture(scope="session")
def cluster(postgres_server: PostgresServer) -> Iterator[Cluster]:
    """The cluster that most tests share, with a Redis of its own, which no other test empties.

    A test that kills, freezes or drains a part starts its own.
    """
    with left_out_if_missing():
        shared = Cluster(postgres=postgres_server)
    with shared:
        yield shared
