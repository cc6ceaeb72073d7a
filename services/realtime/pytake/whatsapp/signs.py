"""Gives customers the signs that were asked for: read marks, and that an agent types.

Runs beside the sender of a number, under the same lease. A sign that WhatsApp does not take
is dropped: the next one says the same and more.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from pytake.application.channel_ports import CustomerSign, CustomerSigns, SendingChannels
from pytake.application.ports import Channel, Clock
from pytake.domain.errors import Unavailable
from pytake.whatsapp.graph import GraphClient, GraphError, Number

log = structlog.get_logger()

POLL_SECONDS = 1.0
SIGNS_AT_ONCE = 20
TYPING_IS_FRESH = timedelta(seconds=15)
"""Older than this, whoever typed has sent it or gone."""


class SignGiver:
    """Gives the signs of one number until cancelled."""

    def __init__(
        self,
        channel: Channel,
        signs: CustomerSigns,
        channels: SendingChannels,
        graph: GraphClient,
        clock: Clock,
    ) -> None:
        self._channel = channel
        self._signs = signs
        self._channels = channels
        self._graph = graph
        self._clock = clock

    async def run(self) -> None:
        """Look for signs once a second."""
        while True:
            try:
                waiting = await self._signs.take(self._channel.id, limit=SIGNS_AT_ONCE)
                if waiting:
                    await self._give(waiting)
            except Unavailable:
                waiting = []
            if len(waiting) < SIGNS_AT_ONCE:
                await asyncio.sleep(POLL_SECONDS)

    async def _give(self, waiting: Sequence[CustomerSign]) -> None:
        token = await self._channels.access_token(self._channel.id)
        if token is None:
            return
        number = Number(self._channel.phone_number_id, token)
        async with asyncio.TaskGroup() as group:
            for sign in waiting:
                group.create_task(self._give_one(number, sign))

    async def _give_one(self, number: Number, sign: CustomerSign) -> None:
        is_typing = sign.is_typing and self._clock() - sign.asked_at < TYPING_IS_FRESH
        try:
            await self._graph.mark_read(number, sign.whatsapp_message_id, typing=is_typing)
        except GraphError as problem:
            log.info("sign_not_given", conversation_id=sign.conversation_id, reason=str(problem))
