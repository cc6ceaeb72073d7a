"""What must be looked at now and then: how much waits, and what is too old to be kept."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from pytake.domain.errors import Unavailable

Depth = Callable[[], Awaitable[tuple[int, float]]]
Show = Callable[[int, float], None]

DEPTH_SECONDS = 5.0


async def show_depths(depths: Mapping[str, tuple[Depth, Show]]) -> None:
    """Show every few seconds how much waits, and how old the oldest is; until cancelled."""
    while True:
        for depth, show in depths.values():
            with contextlib.suppress(Unavailable):
                show(*await depth())
        await asyncio.sleep(DEPTH_SECONDS)


async def repeat(work: Callable[[], Awaitable[object]], every_seconds: float) -> None:
    """Do the work again and again until cancelled; a store that is away skips a turn."""
    while True:
        with contextlib.suppress(Unavailable):
            await work()
        await asyncio.sleep(every_seconds)
