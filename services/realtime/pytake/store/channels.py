"""WhatsApp numbers; their access tokens leave the store only for the sender."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, insert, select, update

from pytake.application.ports import Channel, ChannelChange, Clock
from pytake.domain.errors import Conflict
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.domain.phone import digits_of
from pytake.store.engine import Database, is_duplicate
from pytake.store.rows import channel_of
from pytake.store.tables import channels

_FACTS = (
    "account_id",
    "display_phone_number",
    "verified_name",
    "quality_rating",
    "messaging_limit",
)


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
        sends_read_marks: bool = False,
        sends_typing: bool = False,
    ) -> Channel:
        """Create a channel; raises `Conflict` when the number is one already."""
        values = {
            "id": str(uuid4()),
            "organization_id": organization_id,
            "name": name,
            "phone_number_id": phone_number_id,
            "access_token": access_token,
            "is_active": True,
            "sends_read_marks": sends_read_marks,
            "sends_typing": sends_typing,
            "created_at": self._clock(),
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(channels).values(values))
        except Exception as error:
            if is_duplicate(error):
                raise Conflict(detail="This number is a channel already.") from None
            raise
        return channel_of(dict.fromkeys(channels.c.keys()) | values)

    async def change_channel(
        self, organization_id: OrganizationId, channel_id: ChannelId, change: ChannelChange
    ) -> Channel | None:
        """Change a number and return it; None if the organization has no such one."""
        values: dict[str, Any] = {
            name: value for name, value in asdict(change).items() if value is not None
        }
        if change.access_token is not None:
            values |= {"is_active": True, "stopped_because": None}
        is_it = (channels.c.id == channel_id) & (channels.c.organization_id == organization_id)
        if values:
            async with self._database.write() as connection:
                await connection.execute(update(channels).where(is_it).values(values))
        found = await self._channels(is_it)
        return found[0] if found else None

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

    async def note_facts(self, channel_id: ChannelId, facts: Mapping[str, str]) -> None:
        """Keep what WhatsApp says of a number; what is not named stays."""
        values = {name: facts[name] for name in _FACTS if name in facts}
        if not values:
            return
        query = update(channels).where(channels.c.id == channel_id).values(values)
        async with self._database.write() as connection:
            await connection.execute(query)

    async def channel_of_account(
        self, account_id: str, display_phone_number: str | None = None
    ) -> Channel | None:
        """Return the number of a business account that is shown so, or else its first one."""
        found = await self._channels(channels.c.account_id == account_id)
        wanted = digits_of(display_phone_number or "")
        for channel in found:
            if wanted and digits_of(channel.display_phone_number or "") == wanted:
                return channel
        return found[0] if found else None

    async def _channels(self, condition: ColumnElement[Any]) -> Sequence[Channel]:
        query = select(channels).where(condition).order_by(channels.c.created_at, channels.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [channel_of(row) for row in rows]
