"""Delivers webhooks as Meta does: signed, at least once, without any promise of order."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from pytake.simulator.envelopes import Change, encode, envelope, signature
from pytake.simulator.world import World

RETRY_AFTER = (1, 5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600, 24 * 3600, 48 * 3600, 48 * 3600)
"""Seconds between attempts: about seven days in all."""

BATCH_SECONDS = 0.3
MAX_BATCH = 20
CONCURRENT_POSTS = 16
LARGE_BODY_BYTES = 3 * 1024 * 1024


@dataclass(slots=True)
class Parcel:
    """One item on its way.

    `key` names it for the dice. `on_post` is told when its body begins to travel,
    `on_confirmed` when the receiver has answered 2xx for it (each time).
    """

    key: str
    field_name: str
    value: Change
    on_post: Callable[[], None] = lambda: None
    on_confirmed: Callable[[], None] = lambda: None


@dataclass(order=True, slots=True)
class _Due:
    at: float
    tie: int
    parcels: list[Parcel] = field(compare=False)
    attempt: int = field(compare=False, default=0)
    forged: bool = field(compare=False, default=False)


class Postman:
    """Posts parcels to one address.

    Args:
        http: A client whose base is the receiver.
        secret: Signs the bodies.
        large_body_bytes: The size of padded bodies.
    """

    def __init__(
        self,
        world: World,
        http: httpx.AsyncClient,
        *,
        path: str,
        secret: str,
        large_body_bytes: int = LARGE_BODY_BYTES,
    ) -> None:
        self._world = world
        self._http = http
        self._path = path
        self._secret = secret
        self._large_body_bytes = large_body_bytes
        self._heap: list[_Due] = []
        self._ties = itertools.count()
        self._changed = asyncio.Event()
        self._batch: list[Parcel] = []
        self._flushes: set[asyncio.Task[None]] = set()
        self._posting = 0
        self.posts = 0
        self.refused_forgeries = 0
        self.accepted_forgeries = 0
        self.given_up = 0
        self.latencies: list[float] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._heap and not self._batch and not self._posting

    def hand_over(self, parcel: Parcel, *, delay: float = 0.0) -> None:
        """Take a parcel, to be posted after so many seconds and as the faults will have it."""
        faults, dice = self._world.faults, self._world.dice
        if dice.happens(faults.reorder, "reorder", parcel.key):
            delay += dice.between(0, faults.reorder_window, "reorder by", parcel.key)
        if dice.happens(faults.duplicate, "duplicate", parcel.key):
            later = delay + dice.between(0.1, 2.0, "duplicate by", parcel.key)
            self._schedule([parcel], later)
        if dice.happens(faults.simultaneous_duplicate, "simultaneous", parcel.key):
            self._schedule([parcel], delay)
        if dice.happens(faults.bad_signature, "forged", parcel.key):
            self._schedule([parcel], delay, forged=True)
        if dice.happens(faults.batch, "batch", parcel.key):
            self._into_batch(parcel)
        else:
            self._schedule([parcel], delay)

    def redeliver(self) -> int:
        """Try what was refused again now, not in minutes or hours; return how many those are."""
        waiting = [due for due in self._heap if due.attempt]
        for due in waiting:
            due.at = self._world.time.now()
        heapq.heapify(self._heap)
        self._changed.set()
        return len(waiting)

    async def run(self) -> None:
        """Post what is due until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                while self._heap and self._posting < CONCURRENT_POSTS:
                    if self._heap[0].at > self._world.time.now():
                        break
                    due = heapq.heappop(self._heap)
                    self._posting += 1
                    group.create_task(self._post(due))
                await self._until_something_is_due()

    async def _until_something_is_due(self) -> None:
        if not self._heap or self._posting >= CONCURRENT_POSTS:
            await self._changed.wait()
            return
        pause = max(0.0, self._heap[0].at - self._world.time.now()) / self._world.time.speed
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return

    def _schedule(
        self, parcels: list[Parcel], delay: float, *, attempt: int = 0, forged: bool = False
    ) -> None:
        at = self._world.time.now() + delay
        heapq.heappush(self._heap, _Due(at, next(self._ties), parcels, attempt, forged))
        self._changed.set()

    def _into_batch(self, parcel: Parcel) -> None:
        self._batch.append(parcel)
        if len(self._batch) >= MAX_BATCH:
            self._flush()
        elif len(self._batch) == 1:
            task = asyncio.get_running_loop().create_task(self._flush_later())
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _flush_later(self) -> None:
        await self._world.time.sleep(BATCH_SECONDS)
        self._flush()

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            self._schedule(batch, 0.0)

    async def _post(self, due: _Due) -> None:
        try:
            for parcel in due.parcels:
                if not due.forged:
                    parcel.on_post()
            confirmed = await self._deliver(due)
            if due.forged:
                self.refused_forgeries += not confirmed
                self.accepted_forgeries += confirmed
                return
            if confirmed:
                for parcel in due.parcels:
                    parcel.on_confirmed()
            key = due.parcels[0].key
            lost = confirmed and self._world.dice.happens(
                self._world.faults.drop, "drop", key, due.attempt
            )
            if not confirmed or lost:
                self._again(due)
        finally:
            self._posting -= 1
            self._changed.set()

    def _again(self, due: _Due) -> None:
        if due.attempt >= len(RETRY_AFTER):
            self.given_up += 1
            return
        self._schedule(due.parcels, RETRY_AFTER[due.attempt], attempt=due.attempt + 1)

    async def _deliver(self, due: _Due) -> bool:
        """Post one body; True if the answer was 2xx."""
        body = self._body(due)
        signed = signature(body, "not the secret" if due.forged else self._secret)
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signed}
        began = asyncio.get_running_loop().time()
        self.posts += 1
        try:
            response = await self._http.post(self._path, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        self.latencies.append(asyncio.get_running_loop().time() - began)
        return response.is_success

    def _body(self, due: _Due) -> bytes:
        faults, dice = self._world.faults, self._world.dice
        key = due.parcels[0].key
        changes = [(parcel.field_name, parcel.value) for parcel in due.parcels]
        if dice.happens(faults.unknown_field, "unknown_field", key):
            changes.append(("weather_forecast", {"sky": "blue", "metadata": {}}))
        if dice.happens(faults.poison, "poison", key):
            changes.insert(0, ("messages", _poison(self._world, dice.index(4, "poison kind", key))))
        account_id = self._world.number().account_id
        entries = 1 + dice.index(3, "entries", key) if len(changes) > 1 else 1
        document: dict[str, Any] = envelope(account_id, changes, entries=entries)
        if dice.happens(faults.large_body, "large_body", key):
            document["padding"] = "x" * self._large_body_bytes
        return encode(document, escaped=not dice.happens(faults.unescaped, "unescaped", key))


def _poison(world: World, kind: int) -> Change:
    metadata = {"phone_number_id": world.number().phone_number_id}
    values: list[Change] = [
        {"messages": [{"type": "text", "text": {"body": "no id"}}], "metadata": metadata},
        {"messages": "not a list", "metadata": metadata},
        {"statuses": [{"id": "wamid.x", "status": "teleported"}], "metadata": metadata},
        {"messages": [None, 17, "text"], "metadata": metadata},
    ]
    return values[kind]
