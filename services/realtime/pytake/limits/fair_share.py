"""Turns between organizations, so that nobody pays for the rush of another one.

A process works on a bounded number of requests at a time, and one organization on at most
half of them. Who has to wait waits in the queue of its own organization; each free place goes
to the next organization in turn, however long its queue is.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from pytake.domain.errors import ErrorCode, TooMuch
from pytake.domain.ids import OrganizationId

RUNNING = 16
WAITING = 64
"""Of one organization; more is refused as `overloaded`."""

WAIT_SECONDS = 5.0
RETRY_AFTER_MS = 1000


class FairShare:
    """Places for requests at work, given out in turn."""

    def __init__(self, *, running: int = RUNNING, waiting: int = WAITING) -> None:
        self._free = running
        self._most = max(1, running // 2)
        self._waiting_at_most = waiting
        self._running: Counter[OrganizationId] = Counter()
        self._queues: OrderedDict[OrganizationId, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, organization_id: OrganizationId) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            TooMuch: `overloaded`: too many of the organization wait, or it took too long.
        """
        await self._take(organization_id)
        try:
            yield
        finally:
            self._give_back(organization_id)

    def waiting(self, organization_id: OrganizationId) -> int:
        """Return how many requests of the organization wait."""
        return len(self._queues.get(organization_id, ()))

    async def _take(self, organization_id: OrganizationId) -> None:
        if self._may_run(organization_id) and not self.waiting(organization_id):
            self._start(organization_id)
            return
        queue = self._queues.setdefault(organization_id, deque())
        if len(queue) >= self._waiting_at_most:
            raise TooMuch(ErrorCode.OVERLOADED, retry_after_ms=RETRY_AFTER_MS)
        place = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await place
        except BaseException as error:
            self._leave(organization_id, place)
            if isinstance(error, TimeoutError):
                raise TooMuch(ErrorCode.OVERLOADED, retry_after_ms=RETRY_AFTER_MS) from None
            raise

    def _leave(self, organization_id: OrganizationId, place: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was given in the same moment goes to the next one."""
        if place.done() and not place.cancelled():
            self._give_back(organization_id)
            return
        queue = self._queues.get(organization_id)
        if queue is not None and place in queue:
            queue.remove(place)
            if not queue:
                del self._queues[organization_id]

    def _may_run(self, organization_id: OrganizationId) -> bool:
        return self._free > 0 and self._running[organization_id] < self._most

    def _start(self, organization_id: OrganizationId) -> None:
        self._free -= 1
        self._running[organization_id] += 1

    def _give_back(self, organization_id: OrganizationId) -> None:
        self._free += 1
        self._running[organization_id] -= 1
        if not self._running[organization_id]:
            del self._running[organization_id]
        self._wake_next()

    def _wake_next(self) -> None:
        for organization_id in list(self._queues):
            if self._may_run(organization_id) and self._wake_one_of(organization_id):
                return

    def _wake_one_of(self, organization_id: OrganizationId) -> bool:
        queue = self._queues.pop(organization_id)
        place = next((place for place in _taken_from(queue) if not place.done()), None)
        if queue:
            # At the end of the ring: the other organizations come first now.
            self._queues[organization_id] = queue
        if place is None:
            return False
        self._start(organization_id)
        place.set_result(None)
        return True


def _taken_from(queue: deque[asyncio.Future[None]]) -> Iterator[asyncio.Future[None]]:
    while queue:
        yield queue.popleft()
