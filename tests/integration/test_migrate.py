"""A rollout starts several pods at once, and each may bring the database up to date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.pods import run_pytake
from cluster.postgres_server import PostgresServer

pytestmark = pytest.mark.integration


def test_several_pods_may_migrate_a_fresh_database_at_once(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = postgres_server.create_database()
    url = postgres_server.database_url(name, driver="postgresql+asyncpg")

    def migrate(_: int) -> str:
        return run_pytake("migrate", settings={"PYTAKE_DATABASE_URL": url}, folder=tmp_path)

    with ThreadPoolExecutor(4) as pods:
        answers = list(pods.map(migrate, range(4)))

    # One epoch, so one of them made it and the others found it.
    assert len(set(answers)) == 1
    assert postgres_server.execute("SELECT count(*) FROM alembic_version", database=name) == 1
    postgres_server.drop_database(name)
