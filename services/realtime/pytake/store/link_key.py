"""The key that signs links to files: one for all pods, made by the first that asks."""

import secrets

from sqlalchemy import select

from pytake.store.engine import Database
from pytake.store.statements import insert_or_ignore
from pytake.store.tables import meta

_KEY = "link_key"


class LinkKey:
    """Answers with the key, and remembers it: it never changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: bytes | None = None

    async def __call__(self) -> bytes:
        """Return 32 bytes."""
        if self._known is None:
            values = {"key": _KEY, "value": secrets.token_hex(32)}
            async with self._database.write() as connection:
                await connection.execute(insert_or_ignore(connection, meta, values))
                query = select(meta.c.value).where(meta.c.key == _KEY)
                self._known = bytes.fromhex((await connection.execute(query)).scalar_one())
        return self._known
