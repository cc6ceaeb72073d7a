"""Works off the deliveries that the webhook stored, oldest first."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pytake.application.channel_ports import RawDelivery, WebhookInbox
from pytake.domain.errors import Unavailable
from pytake.relay.wake import Wake

DELIVERIES_AT_ONCE = 200
BYTES_AT_ONCE = 16 * 1024 * 1024
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0

Handle = Callable[[Sequence[RawDelivery]], Awaitable[Sequence[int]]]
"""Works off deliveries and returns the ids of those that are done."""


class WebhookWorker:
    """Takes the oldest deliveries, has them handled, and deletes what is done.

    It must run in one process at a time (a lease sees to it): the order of a conversation
    is that of the deliveries. Two at once would only lose that order, nothing else.

    Args:
        on_done: Told of each delivery whose items are committed.
    """

    def __init__(
        self,
        inbox: WebhookInbox,
        handle: Handle,
        *,
        on_done: Callable[[RawDelivery], None] = lambda delivery: None,
    ) -> None:
        self._inbox = inbox
        self._handle = handle
        self._on_done = on_done
        self.wake = Wake()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.wake.follow(self._inbox.wake_ups))
            while True:
                await self.wake.wait(await self.work_once())

    async def work_once(self) -> float:
        """Handle one batch; return how long to wait before the next."""
        try:
            deliveries = await self._inbox.pending(
                limit=DELIVERIES_AT_ONCE, max_bytes=BYTES_AT_ONCE
            )
            if not deliveries:
                return POLL_SECONDS
            done = await self._handle(deliveries)
            if done:
                await self._inbox.done(done)
            for delivery in deliveries:
                if delivery.id in done:
                    self._on_done(delivery)
        except Unavailable:
            return RETRY_SECONDS
        return 0.0 if len(done) == len(deliveries) else RETRY_SECONDS
