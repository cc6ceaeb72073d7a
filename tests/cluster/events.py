"""What a client received, in order, and waiting for the next of a kind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from cluster.waiting import scaled

Predicate = Callable[[Any], bool]


class EventLog:
    """The events of one client. `received` keeps everything, for counting at the end."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Any]] = []
        self._unread: deque[tuple[str, Any]] = deque()
        self._news = asyncio.Event()

    def add(self, event: str, data: Any = None) -> None:
        self.received.append((event, data))
        self._unread.append((event, data))
        self._news.set()

    def of(self, event: str) -> list[Any]:
        """The data of every event of this name so far."""
        return [data for name, data in self.received if name == event]

    async def next(
        self, event: str, *, where: Predicate | None = None, within_seconds: float = 5
    ) -> Any:
        """The data of the next event of this name that was not taken yet.

        Events of other names stay, to be asked for later.

        Raises:
            TimeoutError: None came; the message lists what came instead.
        """
        try:
            async with asyncio.timeout(scaled(within_seconds)):
                while True:
                    self._news.clear()
                    for position, (name, data) in enumerate(self._unread):
                        if name == event and (where is None or where(data)):
                            del self._unread[position]
                            return data
                    await self._news.wait()
        except TimeoutError:
            seen = [name for name, _ in self.received]
            raise TimeoutError(f"no {event} within {within_seconds} s; received {seen}") from None
