"""Stops a number that WhatsApp itself refuses, wherever it says so, and tells the admins.

It says so in the answer to a request, in the status of a message, beside a message, or of the
number as such. The queue of a stopped number is kept until an admin starts it again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from pytake.application.channel_ports import ChannelNews, NewsItem, SendingChannels
from pytake.application.ports import Channel, Clock
from pytake.domain.ids import ChannelId
from pytake.whatsapp.provider_errors import Action, ProviderError

NUMBER_STOPPED = "number_stopped"
"""The kind of news that is ours."""

FRESH = timedelta(minutes=10)
"""What was put right since an error that is older than this would be undone by it."""


class StopNumber:
    """Safe to repeat: a number that stands already is not news again."""

    def __init__(self, channels: SendingChannels, news: ChannelNews, clock: Clock) -> None:
        self._channels = channels
        self._news = news
        self._clock = clock
        self._untold: dict[ChannelId, NewsItem] = {}

    async def __call__(self, channel: Channel, error: ProviderError) -> None:
        """Stop the number and keep why.

        Raises:
            Unavailable: Do it again.
        """
        shown = error.shown()
        reason = f"{shown['code']}: {error.details or error.title or shown['title']}"
        if await self._channels.stop_channel(channel.id, reason):
            self._untold[channel.id] = NewsItem(
                id=str(uuid4()),
                organization_id=channel.organization_id,
                channel_id=channel.id,
                kind=NUMBER_STOPPED,
                details={"code": error.code, "reason": reason},
                received_at=self._clock(),
            )
        if (item := self._untold.get(channel.id)) is not None:
            await self._news.put(item)
            del self._untold[channel.id]

    async def after_errors(
        self, channel: Channel, errors: Sequence[ProviderError], at: datetime
    ) -> None:
        """Stop the number if one of the errors of a webhook asks for it and is fresh.

        Args:
            at: When it happened, by WhatsApp's time; deliveries come up to a week late.

        Raises:
            Unavailable: Do it again.
        """
        grave = [error for error in errors if error.meaning.action is Action.STOP]
        if grave and self._clock() - at < FRESH:
            await self(channel, grave[0])
