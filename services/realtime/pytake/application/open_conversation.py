"""Somebody of the organization begins a conversation with a customer."""

from datetime import timedelta

from pytake.application.ports import ChannelDirectory, Clock, Committed, ConversationStore
from pytake.application.send_message import Announce
from pytake.domain.errors import NotFound
from pytake.domain.ids import ChannelId, OrganizationId
from pytake.domain.principal import Principal


class OpenConversation:
    """Creates a conversation, or finds the one that there is with this customer.

    Args:
        opens_window_for: How long free text may be sent at once: `pytake dev` only. None on
            a real number, where the customer has to write first.
    """

    def __init__(
        self,
        store: ConversationStore,
        channels: ChannelDirectory,
        announce: Announce,
        clock: Clock,
        *,
        opens_window_for: timedelta | None = None,
    ) -> None:
        self._store = store
        self._channels = channels
        self._announce = announce
        self._clock = clock
        self._opens_window_for = opens_window_for

    async def __call__(
        self, principal: Principal, *, name: str, phone: str, channel_id: ChannelId | None
    ) -> Committed:
        """Open it on the channel, or on the organization's first one if none is named.

        Raises:
            NotFound: No such channel, or a colleague has the conversation.
        """
        channel = await self._channel(principal.organization_id, channel_id)
        now = self._clock()
        window = None if self._opens_window_for is None else now + self._opens_window_for
        committed = await self._store.open_conversation(
            principal.organization_id,
            contact_name=name,
            phone=phone,
            channel_id=channel,
            window_expires_at=window,
            now=now,
            visible_to=principal,
        )
        await self._announce(committed)
        return committed

    async def _channel(
        self, organization_id: OrganizationId, wanted: ChannelId | None
    ) -> ChannelId | None:
        channels = await self._channels.channels(organization_id)
        if wanted is None:
            return next((channel.id for channel in channels if channel.is_active), None)
        if not any(channel.id == wanted for channel in channels):
            raise NotFound
        return wanted
