"""Fetches the files of customers as they come due."""

from collections.abc import Awaitable, Callable

from pytake.domain.errors import Unavailable
from pytake.relay.wake import Wake

POLL_SECONDS = 2.0


class MediaLoop:
    """Fetches until nothing is due, then waits.

    Args:
        fetch_due: Fetches some and returns how many it looked at.
    """

    def __init__(self, fetch_due: Callable[[], Awaitable[int]]) -> None:
        self._fetch_due = fetch_due
        self.wake = Wake()

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                looked_at = await self._fetch_due()
            except Unavailable:
                looked_at = 0
            if not looked_at:
                await self.wake.wait(POLL_SECONDS)
