"""Places and rates as one process knows them: `pytake dev`, tests, and while Redis is away.

The same rules as over Redis, held to them by tests/conformance/test_limits.py.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytake.application.connection_ports import Place, PodId, Seating
from pytake.domain.ids import ConnectionId, UserId

Seconds = Callable[[], float]

POD_LATE_SECONDS = 5.0
POD_GONE_SECONDS = 15.0
SWEEP_ABOVE = 1000
"""Budgets beyond which those that are whole again are looked for."""


@dataclass(slots=True)
class _Seat:
    pod_id: PodId
    since: float


class MemoryPlaceTable:
    """The seats of all users; pods of one process share one table."""

    def __init__(self, clock: Seconds = time.monotonic) -> None:
        self._clock = clock
        self._seats: dict[UserId, dict[ConnectionId, _Seat]] = {}
        self._heartbeats: dict[PodId, float] = {}

    def beat(self, pod_id: PodId) -> None:
        """Record that a pod lives."""
        self._heartbeats[pod_id] = self._clock()

    def _age(self, pod_id: PodId) -> float:
        return self._clock() - self._heartbeats.get(pod_id, float("-inf"))

    def take(
        self,
        user_id: UserId,
        connection_id: ConnectionId,
        pod_id: PodId,
        cap: int,
        instead_of: ConnectionId | None,
    ) -> Seating:
        """Seat a connection and unseat who must give way, in one step."""
        self.beat(pod_id)
        seats = self._seats.setdefault(user_id, {})
        for gone in [
            each for each, seat in seats.items() if self._age(seat.pod_id) > POD_GONE_SECONDS
        ]:
            del seats[gone]
        must_go = []
        if instead_of is not None and instead_of != connection_id and instead_of in seats:
            must_go.append(Place(instead_of, seats.pop(instead_of).pod_id))
        seats[connection_id] = _Seat(pod_id, self._clock())
        must_go += self._evict(seats, cap, keep=connection_id)
        others = frozenset(seat.pod_id for seat in seats.values()) - {pod_id}
        return Seating(tuple(must_go), others)

    def _evict(
        self, seats: dict[ConnectionId, _Seat], cap: int, keep: ConnectionId | None
    ) -> list[Place]:
        evicted = []
        while len(seats) > cap:
            candidates = [each for each in seats if each != keep]
            victim = min(candidates, key=lambda each: self._order(seats[each]))
            evicted.append(Place(victim, seats.pop(victim).pod_id))
        return evicted

    def _order(self, seat: _Seat) -> tuple[bool, float]:
        return (self._age(seat.pod_id) <= POD_LATE_SECONDS, seat.since)

    def release(self, user_id: UserId, connection_id: ConnectionId) -> None:
        seats = self._seats.get(user_id)
        if seats is not None:
            seats.pop(connection_id, None)
            if not seats:
                del self._seats[user_id]

    def assert_all(
        self, mine: Mapping[UserId, Mapping[ConnectionId, float]], pod_id: PodId, cap: int
    ) -> list[tuple[UserId, Place]]:
        self.beat(pod_id)
        must_go: list[tuple[UserId, Place]] = []
        for user_id, connections in mine.items():
            seats = self._seats.setdefault(user_id, {})
            for connection_id, seconds_ago in connections.items():
                seats[connection_id] = _Seat(pod_id, self._clock() - seconds_ago)
            must_go += [(user_id, place) for place in self._evict(seats, cap, keep=None)]
        return must_go

    def count(self, user_id: UserId) -> int:
        """Return how many places the user holds."""
        return len(self._seats.get(user_id, {}))


class MemoryPlaces:
    """Port `ConnectionPlaces` for one pod of the process."""

    def __init__(self, pod_id: PodId, cap: int, table: MemoryPlaceTable | None = None) -> None:
        self._pod_id = pod_id
        self._cap = cap
        self._table = table or MemoryPlaceTable()

    async def take(
        self,
        user_id: UserId,
        connection_id: ConnectionId,
        *,
        instead_of: ConnectionId | None = None,
    ) -> Seating:
        return self._table.take(user_id, connection_id, self._pod_id, self._cap, instead_of)

    async def release(self, user_id: UserId, connection_id: ConnectionId) -> None:
        self._table.release(user_id, connection_id)

    async def assert_all(
        self, mine: Mapping[UserId, Mapping[ConnectionId, float]]
    ) -> Sequence[tuple[UserId, Place]]:
        return self._table.assert_all(mine, self._pod_id, self._cap)


class Gcra:
    """A budget that refills evenly: `count` at once, then one every `seconds / count`.

    The generic cell rate algorithm: one number a user, the time at which the budget
    would be whole again.
    """

    def __init__(self, count: int, seconds: float, clock: Seconds = time.monotonic) -> None:
        self.interval = seconds / count
        self.tolerance = seconds - self.interval
        self.clock = clock
        self.full_at: dict[str, float] = {}
        self._sweep_above = SWEEP_ABOVE

    def take(self, key: str) -> float:
        """Take one; 0.0 if it was there, else seconds until it will be."""
        now = self.clock()
        full_at = max(self.full_at.get(key, now), now)
        wait = full_at - self.tolerance - now
        if wait > 1e-9:
            return wait
        self.full_at[key] = full_at + self.interval
        if len(self.full_at) > self._sweep_above:
            self._sweep(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Drop those whose users left before their budget was whole."""
        self.full_at = {key: full_at for key, full_at in self.full_at.items() if full_at > now}
        # So far apart that a budget taken costs the same however many there are.
        self._sweep_above = max(SWEEP_ABOVE, 2 * len(self.full_at))

    def forget_if_whole(self, key: str) -> None:
        """Drop a budget that says no more than a new one would."""
        if self.full_at.get(key, float("inf")) <= self.clock():
            del self.full_at[key]


class MemoryEventRates:
    """Port `EventRates` for one process."""

    def __init__(self, count: int, seconds: float, clock: Seconds = time.monotonic) -> None:
        self._budget = Gcra(count, seconds, clock)

    async def take(self, user_id: UserId) -> float:
        return self._budget.take(user_id)

    def shared_with(self, user_id: UserId, pods: frozenset[PodId]) -> None:
        """Nothing to do: all pods of the process use this object."""

    def forget(self, user_id: UserId) -> None:
        self._budget.forget_if_whole(user_id)
