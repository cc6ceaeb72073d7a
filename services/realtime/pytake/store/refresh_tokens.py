"""Refresh tokens: each good for one use, and a second use ends all that came of it.

With one exception: a page that is reloaded in the middle of a refresh loses the new token, and
comes with the used one again. Within ten seconds of its use that is accepted, as long as the
successor was not used. It takes the successor's place: of a family never more than one token
is good, so that of two who hold it, thief and owner, the slower one still ends it.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import User
from pytake.domain.ids import UserId
from pytake.store.engine import Database
from pytake.store.rows import Row, user_of
from pytake.store.tables import refresh_tokens, users

AGAIN_WITHIN = timedelta(seconds=10)


class SqlRefreshTokens:
    """`RefreshTokens` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, token_hash: str, user_id: UserId, expires_at: datetime) -> None:
        """Keep the first token of a new family."""
        async with self._database.write() as connection:
            await _insert(connection, token_hash, str(uuid4()), user_id, expires_at)

    async def rotate(
        self, old_hash: str, new_hash: str, *, expires_at: datetime, now: datetime
    ) -> User | None:
        """Use up the old one. None if unknown or expired; a *used* one ends its whole family,
        unless it was used just now and its successor was not."""
        async with self._database.write() as connection:
            token = await _row(connection, old_hash)
            if token is None or token["expires_at"] <= now:
                return None
            if token["used_at"] is not None and not await _take_back(connection, token, now):
                await _end(connection, token["family_id"])
                return None
            user = await _active_user(connection, token["user_id"])
            if user is None:
                return None
            await connection.execute(
                update(refresh_tokens)
                .where(refresh_tokens.c.token_hash == old_hash, refresh_tokens.c.used_at.is_(None))
                .values(used_at=now)
            )
            await _insert(connection, new_hash, token["family_id"], user.id, expires_at)
        return user

    async def end_family(self, token_hash: str) -> None:
        """End the token and all that came of the same login."""
        async with self._database.write() as connection:
            token = await _row(connection, token_hash)
            if token is not None:
                await _end(connection, token["family_id"])

    async def end_all_of(self, user_id: UserId) -> None:
        """End every family of a user: it was revoked, or its password was changed."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(refresh_tokens).where(refresh_tokens.c.user_id == user_id)
            )


async def _row(connection: AsyncConnection, token_hash: str) -> Row | None:
    query = (
        select(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash).with_for_update()
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def _take_back(connection: AsyncConnection, token: Row, now: datetime) -> bool:
    """Make the successor of a token that was used just now count as used long ago.

    False if the token was used earlier, or its successor has been used, too.
    """
    used_at: datetime = token["used_at"]
    if now - used_at > AGAIN_WITHIN:
        return False
    family = refresh_tokens.c.family_id == token["family_id"]
    later = await connection.execute(
        select(refresh_tokens.c.token_hash).where(family, refresh_tokens.c.used_at > used_at)
    )
    if later.first() is not None:
        return False
    # In one statement: whoever uses the successor at this moment comes before or after it.
    taken_back = await connection.execute(
        update(refresh_tokens)
        .where(family, refresh_tokens.c.used_at.is_(None))
        .values(used_at=used_at - 2 * AGAIN_WITHIN)
    )
    return taken_back.rowcount == 1


async def _active_user(connection: AsyncConnection, user_id: str) -> User | None:
    query = select(users).where(users.c.id == user_id, users.c.is_active.is_(True))
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else user_of(row)


async def _insert(
    connection: AsyncConnection,
    token_hash: str,
    family_id: str,
    user_id: UserId,
    expires_at: datetime,
) -> None:
    await connection.execute(
        insert(refresh_tokens).values(
            token_hash=token_hash, family_id=family_id, user_id=user_id, expires_at=expires_at
        )
    )


async def _end(connection: AsyncConnection, family_id: str) -> None:
    await connection.execute(delete(refresh_tokens).where(refresh_tokens.c.family_id == family_id))
