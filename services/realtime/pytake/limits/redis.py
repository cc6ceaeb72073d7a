"""Places under the cap and shared rates over Redis, each decided in one atomic script.

The cap: one hash a user, so that one script sees all of it and Redis Cluster keeps it in
one slot; keys of pods would be in others, so callers pass the pods that they know to be
alive. The rates: a budget is decided on this pod alone while the user is connected here
only; when a second pod appears, both go to Redis, a turn's decisions in one call.

While Redis is away both fall back to what this pod knows: nobody is kept out for it.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Protocol

import structlog

from pytake.application.connection_ports import Place, PodId, Seating
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ConnectionId, UserId
from pytake.limits.memory import Gcra, MemoryPlaceTable

log = structlog.get_logger()

KEEP_SECONDS = 60
"""Places are asserted every 10 s; after this a user's key is of nobody."""

BEAT_SECONDS = 2.0
PODS_KEY = "pytake:pods"
FORGET_POD_MS = 60_000
BATCH = 200
"""Users asserted, or places given back, in one pipeline."""


Arguments = Sequence[str | bytes | int | float]


class Commands(Protocol):
    """A pipelined link to Redis that fails fast."""

    async def calls(self, commands: Sequence[Arguments]) -> list[Any]:
        """Return the replies; refusals of Redis are exceptions among them.

        Raises:
            Unavailable: Redis is away.
        """
        ...


class RedisPlaces:
    """Port `ConnectionPlaces`, and this pod's heartbeat.

    Args:
        commands: The process's link to Redis.
        pod_id: This pod.
        cap: Connections of a user in the whole cluster.
    """

    def __init__(self, commands: Commands, pod_id: PodId, cap: int) -> None:
        self._commands = commands
        self._pod_id = pod_id
        self._cap = cap
        self._script = _Script(commands, "places.lua")
        self._alone = MemoryPlaceTable()
        self._ages: dict[PodId, int] = {}
        self._leaving: list[Arguments] = []
        self._left: set[ConnectionId] = set()
        self._releasing: asyncio.Task[None] | None = None
        self._seen_at = time.monotonic()
        self.is_shared = True
        self.on_shared_again: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Beat, and learn who else does, until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        """Say that this pod lives, by Redis's own clock, and read who else does."""
        try:
            replies = await self._commands.calls([["TIME"], ["HGETALL", PODS_KEY]])
            now = _milliseconds(_good(replies[0]))
            stored = _good(replies[1])
            _good((await self._commands.calls([["HSET", PODS_KEY, self._pod_id, now]]))[0])
        except Unavailable:
            return
        beats = {stored[i].decode(): now - int(stored[i + 1]) for i in range(0, len(stored), 2)}
        self._note(shared=True)
        self._ages = {pod: max(0, age) for pod, age in beats.items()}
        self._seen_at = time.monotonic()
        if dead := [pod for pod, age in self._ages.items() if age > FORGET_POD_MS]:
            await self._forget(dead)

    async def _forget(self, pods: list[PodId]) -> None:
        try:
            await self._commands.calls([["HDEL", PODS_KEY, *pods]])
        except Unavailable:
            return

    async def end(self) -> None:
        """Withdraw the heartbeat: the places of this pod come free at once."""
        await self._forget([self._pod_id])

    @property
    def living(self) -> frozenset[PodId]:
        """The pods whose heartbeat was seen lately, this one included."""
        return frozenset(pod for pod, age in self._present_ages().items() if age < 5000) | {
            self._pod_id
        }

    def _present_ages(self) -> dict[PodId, int]:
        """Return how old each heartbeat is by now. Ours were read a moment ago: what others
        beat since is not known, so only what was late when read counts as late."""
        return {pod: age for pod, age in self._ages.items() if pod != self._pod_id}

    async def take(
        self,
        user_id: UserId,
        connection_id: ConnectionId,
        *,
        instead_of: ConnectionId | None = None,
    ) -> Seating:
        # Entered here, too: it is what the pod falls back to.
        alone = self._alone.take(user_id, connection_id, self._pod_id, self._cap, instead_of)
        try:
            arguments = self._arguments(user_id, connection_id, instead_of=instead_of)
            replies = await self._script.calls([arguments])
            must_go, stay = _good(replies[0])
        except Unavailable:
            self._note(shared=False)
            return alone
        self._note(shared=True)
        others = frozenset(pod.decode() for pod in stay) - {self._pod_id}
        return Seating(_places(must_go), others)

    def _arguments(
        self,
        user_id: UserId,
        connection_id: ConnectionId,
        *,
        instead_of: ConnectionId | None = None,
        opened_seconds_ago: float = 0.0,
    ) -> list[str | bytes | int | float]:
        ages = [part for pair in self._present_ages().items() for part in pair]
        return [
            1,
            places_key(user_id),
            connection_id,
            self._pod_id,
            self._cap,
            instead_of or "",
            KEEP_SECONDS,
            math.ceil(opened_seconds_ago * 1000),
            *ages,
        ]

    async def release(self, user_id: UserId, connection_id: ConnectionId) -> None:
        self._alone.release(user_id, connection_id)
        self._left.add(connection_id)
        self._leaving.append(["HDEL", places_key(user_id), connection_id])
        if self._releasing is None:
            self._releasing = asyncio.create_task(self._release())
        await asyncio.shield(self._releasing)

    async def _release(self) -> None:
        """Give back all places of this turn at once: thousands may leave together."""
        leaving, self._leaving, self._releasing = self._leaving, [], None
        try:
            for start in range(0, len(leaving), BATCH):
                await self._commands.calls(leaving[start : start + BATCH])
        except Unavailable:
            # Ghosts until the pod's next life: they are not asserted any more and expire.
            return

    async def assert_all(
        self, mine: Mapping[UserId, Mapping[ConnectionId, float]]
    ) -> Sequence[tuple[UserId, Place]]:
        self._alone.beat(self._pod_id)
        # Who leaves while this is under way must not be entered again.
        self._left.clear()
        begun = time.monotonic()
        whose = [(user_id, *each) for user_id, ages in mine.items() for each in ages.items()]
        must_go: list[tuple[UserId, Place]] = []
        refused = 0
        try:
            await self.beat()
            for start in range(0, len(whose), BATCH):
                batch = [each for each in whose[start : start + BATCH] if each[1] not in self._left]
                passed = time.monotonic() - begun
                arguments = [
                    self._arguments(user_id, connection_id, opened_seconds_ago=ago + passed)
                    for user_id, connection_id, ago in batch
                ]
                replies = await self._script.calls(arguments)
                for (user_id, *_), reply in zip(batch, replies, strict=True):
                    if isinstance(reply, Exception):
                        # The places of one user; those of the others are what they are.
                        refused += 1
                    else:
                        must_go += [(user_id, place) for place in _places(reply[0])]
        except Unavailable:
            self._note(shared=False)
            return must_go
        self._note(shared=not refused)
        return must_go

    def _note(self, *, shared: bool) -> None:
        if shared is self.is_shared:
            return
        self.is_shared = shared
        log.warning("connection cap", scope="cluster" if shared else "this pod alone")
        if shared:
            # What was decided meanwhile is not entered yet.
            self.on_shared_again()


class RedisEventRates:
    """Port `EventRates`.

    Args:
        commands: The process's link to Redis.
        count, seconds: So many events at once, then evenly.
    """

    def __init__(self, commands: Commands, count: int, seconds: float) -> None:
        self._commands = commands
        self._local = Gcra(count, seconds)
        self._script = _Script(commands, "rates.lua")
        self._shared: set[UserId] = set()
        self._waiting: dict[UserId, list[asyncio.Future[float]]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self.is_shared = True

    async def take(self, user_id: UserId) -> float:
        # What this pod alone has seen is too much for the cluster, too.
        wait = self._local.take(user_id)
        if wait > 0 or user_id not in self._shared:
            return wait
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._ask_soon(user_id, [future])
        return await future

    def _ask_soon(self, user_id: UserId, futures: list[asyncio.Future[float]]) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.setdefault(user_id, []).extend(futures)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        task = asyncio.get_running_loop().create_task(self._ask(waiting))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, waiting: dict[UserId, list[asyncio.Future[float]]]) -> None:
        """Decide for many users in one call; while Redis is away the pod's word counts."""
        try:
            answers = await self._decide(waiting)
            self.is_shared = True
        except Unavailable:
            self.is_shared = False
            answers = [part for futures in waiting.values() for part in (len(futures), 0)]
        for index, futures in enumerate(waiting.values()):
            granted, wait = answers[2 * index], answers[2 * index + 1] / 1_000_000
            for number, future in enumerate(futures):
                if not future.done():
                    future.set_result(0.0 if number < granted else max(wait, 0.001))

    async def _decide(self, waiting: dict[UserId, list[asyncio.Future[float]]]) -> list[int]:
        interval = round(self._local.interval * 1_000_000)
        tolerance = round(self._local.tolerance * 1_000_000)
        # One pipeline, a script a user: in a cluster their budgets are on several nodes.
        replies = await self._script.calls(
            [
                [1, _rate_key(user_id), interval, tolerance, len(futures)]
                for user_id, futures in waiting.items()
            ]
        )
        return [int(part) for reply in replies for part in _good(reply)]

    def shared_with(self, user_id: UserId, pods: frozenset[PodId]) -> None:
        """From a second pod on, the user's budget is in Redis; what was used here is told."""
        if not pods:
            return
        if user_id not in self._shared:
            self._shared.add(user_id)
            full_at = self._local.full_at.get(user_id)
            if full_at is not None:
                self._push(user_id, full_at - self._local.clock())

    def _push(self, user_id: UserId, used_seconds: float) -> None:
        used = round(used_seconds / self._local.interval)
        if used > 0:
            futures: list[asyncio.Future[float]] = [
                asyncio.get_running_loop().create_future() for _ in range(used)
            ]
            self._ask_soon(user_id, futures)

    def forget(self, user_id: UserId) -> None:
        self._shared.discard(user_id)
        self._local.forget_if_whole(user_id)


class _Script:
    """A Lua script, called by its hash; sent again where Redis has forgotten it."""

    def __init__(self, commands: Commands, name: str) -> None:
        self._commands = commands
        self._text = files("pytake.limits").joinpath(name).read_text()
        self._hash = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def calls(self, arguments: Sequence[Arguments]) -> list[Any]:
        """Run the script once for each list of arguments, in one pipeline."""
        replies = await self._commands.calls([["EVALSHA", self._hash, *each] for each in arguments])
        forgotten = [
            index
            for index, reply in enumerate(replies)
            if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT")
        ]
        if forgotten:
            again = [["EVAL", self._text, *arguments[index]] for index in forgotten]
            for index, reply in zip(forgotten, await self._commands.calls(again), strict=True):
                replies[index] = reply
        return replies


def places_key(user_id: UserId) -> str:
    """Where the connections of a user are entered."""
    return f"pytake:places:{{{user_id}}}"


def _rate_key(user_id: UserId) -> str:
    return f"pytake:rate:{{{user_id}}}"


def _good(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise Unavailable(detail=str(reply))
    return reply


def _milliseconds(reply: Sequence[bytes]) -> int:
    return int(reply[0]) * 1000 + int(reply[1]) // 1000


def _places(flat: Sequence[bytes]) -> tuple[Place, ...]:
    return tuple(
        Place(ConnectionId(flat[i].decode()), flat[i + 1].decode()) for i in range(0, len(flat), 2)
    )
