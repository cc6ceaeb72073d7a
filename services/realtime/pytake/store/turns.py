"""Writers of one conversation wait here, before they take a database connection.

Without it fifty writers of one conversation hold all connections while they wait for one
row, and everybody else waits with them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pytake.domain.errors import ErrorCode, Unavailable

MAX_WAITING = 1000
WAIT_SECONDS = 2.0


@dataclass(slots=True)
class _Line:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Turns:
    """One turn at a time for each name, in the order of asking."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, seconds: float = WAIT_SECONDS) -> None:
        self._lines: dict[str, _Line] = {}
        self._max_waiting = max_waiting
        self._seconds = seconds

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn of this name, and hold it until the block ends.

        Raises:
            Unavailable: The line is full, or the turn did not come in time.
        """
        line = self._lines.setdefault(name, _Line())
        if line.length > self._max_waiting:
            raise Unavailable(ErrorCode.OVERLOADED, "Too many write to this conversation.")
        line.length += 1
        try:
            await self._wait(line)
            try:
                yield
            finally:
                line.lock.release()
        finally:
            line.length -= 1
            if line.length == 0:
                del self._lines[name]

    async def _wait(self, line: _Line) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await line.lock.acquire()
        except TimeoutError:
            raise Unavailable(detail="Too many write to this conversation.") from None
