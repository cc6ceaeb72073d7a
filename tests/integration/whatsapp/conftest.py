"""The channel on SQLite, with the simulator in the same process."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channel.bench import Bench, open_bench
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
async def bench(store: Store, tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(store, tmp_path) as made:
        yield made
