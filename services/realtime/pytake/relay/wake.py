"""Waiting for work: until somebody calls, or a while has passed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from pytake.domain.errors import Unavailable

RETRY_SECONDS = 1.0


class Wake:
    """One waiter, many callers. A call that comes while nobody waits is not lost."""

    def __init__(self) -> None:
        self._called = asyncio.Event()

    def call(self) -> None:
        """Let the waiter go on at once."""
        self._called.set()

    async def wait(self, seconds: float) -> None:
        """Return when called, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._called.wait()
        self._called.clear()

    async def follow(self, wake_ups: Callable[[], AsyncIterator[None]]) -> None:
        """Call for every wake-up of the store, for ever; polling covers its absences."""
        while True:
            with contextlib.suppress(Unavailable):
                async for _ in wake_ups():
                    self.call()
            await asyncio.sleep(RETRY_SECONDS)
