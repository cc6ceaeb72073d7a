"""Publishes what was committed and not published: the net under the direct publish.

Conversations are claimed, not rows, so that two relays never share one; only what is older
than a second is taken, because until then its writer is about to publish it itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pytake.application.ports import EventPublisher, Outbox
from pytake.domain.errors import Unavailable
from pytake.domain.events import ConversationEvent
from pytake.relay.wake import Wake

LEFT_BEHIND_SECONDS = 1.0
CONVERSATIONS_AT_ONCE = 200
POLL_SECONDS = 0.5


class OutboxLoop:
    """Claims, publishes, records; again until nothing is left behind.

    Args:
        count: Told how many events were published.
        tell_lists: Shows on the inbox lists what was published here.
        on_failure: Told of each attempt that store or broker did not let through.
    """

    def __init__(
        self,
        outbox: Outbox,
        publisher: EventPublisher,
        *,
        count: Callable[[int], None] = lambda events: None,
        on_failure: Callable[[], None] = lambda: None,
        tell_lists: Callable[[Sequence[ConversationEvent]], Awaitable[None]],
        older_than_seconds: float = LEFT_BEHIND_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._count = count
        self._on_failure = on_failure
        self._tell_lists = tell_lists
        self._older_than_seconds = older_than_seconds
        self._wake = Wake()

    async def run(self) -> None:
        """Publish until cancelled. An event is published again if recording it failed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wake.follow(self._outbox.wake_ups))
            while True:
                try:
                    more = await self.publish_once()
                except Unavailable:
                    self._on_failure()
                    more = False
                if not more:
                    await self._wake.wait(POLL_SECONDS)

    async def publish_once(self) -> bool:
        """Publish one claim; True if there may be more.

        Raises:
            Unavailable: The store or the broker is away; nothing was recorded.
        """
        async with self._outbox.claim(
            older_than_seconds=self._older_than_seconds, limit=CONVERSATIONS_AT_ONCE
        ) as claimed:
            events = claimed.events
            if not events:
                return False
            await self._publisher.publish(events)
            await self._tell_lists(events)
            await claimed.published(events)
        self._count(len(events))
        return True
