"""Real pods on free ports, with the SQLite store and the in-process broker."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from integration.gateway.clients import Client
from integration.gateway.pods import Cluster, Pod
from pytake.broker.memory import MemoryBroker
from pytake.gateway.pod import Options
from pytake.store import Store, migrate, open_store


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, from which each test's own is copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
async def store(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Store]:
    copy = tmp_path / "pytake.db"
    shutil.copy(migrated_sqlite, copy)
    async with open_store(f"sqlite+aiosqlite:///{copy}") as opened:
        yield opened


@pytest.fixture
async def cluster(store: Store) -> AsyncIterator[Cluster]:
    """An organization, its store and its broker; pods are added by `cluster.pod()`."""
    made = Cluster(store, MemoryBroker())
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture(params=[True, False], ids=["direct", "stock"])
async def pod(cluster: Cluster, request: pytest.FixtureRequest) -> Pod:
    """One pod, on each of the two kinds of sockets."""
    return await cluster.pod(Options(direct=request.param))


Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
async def connect(cluster: Cluster) -> AsyncIterator[Connect]:
    """Connect a user to a pod; closed at the end of the test."""
    clients: list[Client] = []

    async def connect_as(pod: Pod, user: str = "ana", **options: Any) -> Client:
        token = options.pop("token", None) or cluster.token(user, **options.pop("claims", {}))
        client = Client(pod.url, token, **options)
        clients.append(client)
        await client.connect()
        return client

    yield connect_as
    for client in clients:
        await client.close()
