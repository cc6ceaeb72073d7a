"""WhatsApp numbers; their access tokens leave the store only for the sender."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, insert, select, update

from pytake.application.ports import Channel, Clock
from pytake.domain.errors import Conflict
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.store.engine import Database, is_duplicate
from pytake.store.rows import channel_of
from pytake.store.tables import channels


class SqlChannels:
    """`ChannelDirectory` and `SendingChannels` on SQLite and PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def channel_by_phone_number_id(self, phone_number_id: str) -> Channel | None:
        """Return the number that the provider calls by this id."""
        found = await self._channels(channels.c.phone_number_id == phone_number_id)
        return found[0] if found else None

    async def channels(self, organization_id: OrganizationId) -> Sequence[Channel]:
        """Return the numbers of an organization, oldest first."""
        return await self._channels(channels.c.organization_id == organization_id)

    async def active_channels(self) -> Sequence[Channel]:
        """Return the numbers of all organizations that may send."""
        return await self._channels(channels.c.is_active.is_(True))

    async def create_channel(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        phone_number_id: str,
        access_token: str,
    ) -> Channel:
        """Create a channel; raises `Conflict` when the number is one already."""
        values = {
            "id": str(uuid4()),
            "organization_id": organization_id,
            "name": name,
            "phone_number_id": phone_number_id,
            "access_token": access_token,
            "is_active": True,
            "created_at": self._clock(),
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(channels).values(values))
        except Exception as error:
            if is_duplicate(error):
                raise Conflict(detail="This number is a channel already.") from None
            raise
        return channel_of(values)

    async def ensure_channel(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        phone_number_id: str,
        access_token: str,
    ) -> Channel:
        """Create the channel of the settings, or bring its token up to date.

        A new token also starts a channel that was stopped for its old one.

        Raises:
            Conflict: The number belongs to another organization.
        """
        for _ in range(2):
            known = await self.channel_by_phone_number_id(phone_number_id)
            if known is not None:
                return await self._bring_up_to_date(known, organization_id, access_token)
            try:
                return await self.create_channel(
                    organization_id,
                    name=name,
                    phone_number_id=phone_number_id,
                    access_token=access_token,
                )
            except Conflict:
                continue
        raise Conflict(detail="This number is a channel already.")

    async def _bring_up_to_date(
        self, channel: Channel, organization_id: OrganizationId, access_token: str
    ) -> Channel:
        if channel.organization_id != organization_id:
            raise Conflict(detail="This number belongs to another organization.")
        query = (
            update(channels)
            .where(channels.c.id == channel.id, channels.c.access_token != access_token)
            .values(access_token=access_token, is_active=True, stopped_because=None)
        )
        async with self._database.write() as connection:
            await connection.execute(query)
        return (await self._channels(channels.c.id == channel.id))[0]

    async def access_token(self, channel_id: ChannelId) -> str | None:
        """Return the token that the sender authenticates with."""
        query = select(channels.c.access_token).where(channels.c.id == channel_id)
        async with self._database.read() as connection:
            token: str | None = (await connection.execute(query)).scalar_one_or_none()
        return token

    async def stop_channel(self, channel_id: ChannelId, reason: str) -> bool:
        """Stop sending over a number; True if it was running. The queue is kept."""
        query = (
            update(channels)
            .where(channels.c.id == channel_id, channels.c.is_active.is_(True))
            .values(is_active=False, stopped_because=reason)
        )
        async with self._database.write() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def _channels(self, condition: ColumnElement[Any]) -> Sequence[Channel]:
        query = select(channels).where(condition).order_by(channels.c.created_at, channels.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [channel_of(row) for row in rows]
