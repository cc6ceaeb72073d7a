"""One sender per number, each in the one process that holds the number's lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from pytake.application.channel_ports import Leases
from pytake.application.ports import Channel
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ChannelId
from pytake.relay.leased import while_leased
from pytake.relay.wake import Wake

log = structlog.get_logger()

LOOK_SECONDS = 2.0

Wait = Callable[[float], Awaitable[None]]
SendFor = Callable[[Channel, Wait], Awaitable[None]]
"""Sends for one number until cancelled; returns when the number was stopped."""


class Senders:
    """Starts a sender for each active number and ends those of stopped ones.

    Args:
        active_channels: Which numbers may send now.
        send_for: The work itself.
        wake_ups: Of the store, when something was queued.
    """

    def __init__(
        self,
        active_channels: Callable[[], Awaitable[Sequence[Channel]]],
        send_for: SendFor,
        leases: Leases,
        holder: str,
        wake_ups: Callable[[], AsyncIterator[None]],
    ) -> None:
        self._active_channels = active_channels
        self._send_for = send_for
        self._leases = leases
        self._holder = holder
        self._wake_ups = wake_ups
        self._wakes: dict[ChannelId, Wake] = {}
        self._running: dict[ChannelId, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Let every sender look at its queue at once."""
        for wake in self._wakes.values():
            wake.call()

    async def run(self) -> None:
        """Keep the senders as the channels are, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            while True:
                try:
                    channels = await self._active_channels()
                except Unavailable:
                    channels = None
                if channels is not None:
                    self._adjust(group, {channel.id: channel for channel in channels})
                await asyncio.sleep(LOOK_SECONDS)

    def _adjust(self, group: asyncio.TaskGroup, wanted: dict[ChannelId, Channel]) -> None:
        for channel_id in [each for each in self._running if self._running[each].done()]:
            del self._running[channel_id], self._wakes[channel_id]
        for channel_id, task in self._running.items():
            if channel_id not in wanted:
                task.cancel()
        for channel_id, channel in wanted.items():
            if channel_id not in self._running:
                wake = self._wakes[channel_id] = Wake()
                self._running[channel_id] = group.create_task(self._send(channel, wake))

    async def _send(self, channel: Channel, wake: Wake) -> None:
        async def work() -> None:
            await self._send_for(channel, wake.wait)
            log.warning("number_stopped", channel_id=channel.id)

        await while_leased(self._leases, f"send:{channel.id}", self._holder, work)

    async def _follow(self) -> None:
        every = Wake()
        async with asyncio.TaskGroup() as group:
            group.create_task(every.follow(self._wake_ups))
            while True:
                await every.wait(60.0)
                self.wake()
