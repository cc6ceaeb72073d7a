"""Tells the cluster each second that a relay is alive and the broker carries.

A gateway that hears none for 5 s looks for the master anew: its own canary may be green on
an old master after a split, but no relay writes there.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pytake.domain.errors import Unavailable

EVERY_SECONDS = 1.0


async def beat(publish: Callable[[], Awaitable[None]]) -> None:
    """Publish until cancelled. A beat that fails is left out: the next one follows at once."""
    while True:
        try:
            async with asyncio.timeout(EVERY_SECONDS):
                await publish()
        except (Unavailable, TimeoutError):
            pass
        await asyncio.sleep(EVERY_SECONDS)
