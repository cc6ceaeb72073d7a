"""Tells clients to load the inbox list again, after some changes of it may have been lost.

List changes carry no `seq` and are not replayed, so a pod whose link was interrupted
cannot know what it missed. All clients of a pod at once would be a storm of their own:
each is told at a time of his own within 5 s.
"""

import asyncio
import random

from pytake.gateway.audience import Audience
from pytake.gateway.registry import Registry
from pytake.gateway.tasks import Tasks

SPREAD_SECONDS = 5.0
SLICE_SECONDS = 0.1


class Resync:
    """Sends `resync {scope: "inbox"}` to every connection of the pod."""

    def __init__(self, registry: Registry, audience: Audience, tasks: Tasks) -> None:
        self._registry = registry
        self._audience = audience
        self._tasks = tasks
        self._is_wanted = False

    def soon(self) -> None:
        """Tell everybody who is connected now; asked twice at once, they are told once."""
        if not self._is_wanted:
            self._is_wanted = True
            self._tasks.start(self._tell_all(), "resync")

    async def _tell_all(self) -> None:
        slices = round(SPREAD_SECONDS / SLICE_SECONDS)
        connections = list(self._registry)
        random.shuffle(connections)
        # From here on a further interruption concerns everybody anew.
        self._is_wanted = False
        for index in range(slices):
            for connection in connections[index::slices]:
                if connection.is_open:
                    self._audience.send(connection, "resync", {"scope": "inbox"})
            await asyncio.sleep(SLICE_SECONDS)
