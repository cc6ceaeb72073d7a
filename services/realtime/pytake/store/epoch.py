"""The name of this life of the database, remembered for a few seconds."""

import asyncio
import time

from sqlalchemy import select

from pytake.store.engine import Database, StoreNotUsable
from pytake.store.tables import meta

_REMEMBERED_SECONDS = 5.0


class Epoch:
    """Answers with the epoch; a new one is noticed within five seconds.

    Attributes:
        known: The newest answer, for who holds a connection and must not ask for another.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_until = 0.0
        self._reading = asyncio.Lock()
        self.known = ""

    async def __call__(self) -> str:
        """Return the epoch.

        One asks the database, the others go on with what was known: while it is away
        they would otherwise wait for it one after the other.
        """
        if time.monotonic() < self._known_until or (self._reading.locked() and self.known):
            return self.known
        async with self._reading:
            if time.monotonic() >= self._known_until:
                self.known = await self._read()
                self._known_until = time.monotonic() + _REMEMBERED_SECONDS
        return self.known

    async def _read(self) -> str:
        async with self._database.read() as connection:
            query = select(meta.c.value).where(meta.c.key == "epoch")
            epoch: str | None = (await connection.execute(query)).scalar_one_or_none()
        if epoch is None:
            raise StoreNotUsable("The database has no epoch: run `pytake migrate`.")
        return epoch
