"""One holder at a time, and the next one soon."""

from __future__ import annotations

import asyncio

from cluster.waiting import eventually
from pytake.domain.errors import Unavailable
from pytake.relay.leased import while_leased


class MemoryLeases:
    """Port `Leases` in memory, with a store that can be switched off."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, float]] = {}
        self.is_away = False

    async def acquire(self, name: str, holder: str, *, seconds: float) -> bool:
        if self.is_away:
            raise Unavailable
        now = asyncio.get_running_loop().time()
        owner, until = self.held.get(name, ("", 0.0))
        if owner != holder and until > now:
            return False
        self.held[name] = (holder, now + seconds)
        return True

    async def release(self, name: str, holder: str) -> None:
        if self.held.get(name, ("", 0.0))[0] == holder:
            del self.held[name]


class Work:
    """Work that never ends by itself, and tells how many do it."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most = 0

    async def by(self, name: str) -> None:
        self.running.append(name)
        self.most = max(self.most, len(self.running))
        try:
            await asyncio.Event().wait()
        finally:
            self.running.remove(name)


def start(leases: MemoryLeases, work: Work, name: str) -> asyncio.Task[None]:
    return asyncio.ensure_future(
        while_leased(
            leases,
            "work",
            name,
            lambda: work.by(name),
            lease_seconds=0.2,
            renew_seconds=0.05,
            try_seconds=0.02,
        )
    )


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_only_one_works_and_the_other_follows_at_once_when_it_ends() -> None:
    leases, work = MemoryLeases(), Work()
    first = start(leases, work, "first")
    await eventually(lambda: work.running == ["first"], "the first works")
    second = start(leases, work, "second")

    await end(first)
    await eventually(lambda: work.running == ["second"], "the second works")

    assert work.most == 1
    await end(second)
    assert leases.held == {}


async def test_who_cannot_renew_stops_before_another_may_begin() -> None:
    leases, work = MemoryLeases(), Work()
    first = start(leases, work, "first")
    await eventually(lambda: work.running == ["first"], "the first works")

    leases.is_away = True
    await eventually(lambda: not work.running, "the first has stopped")
    leases.is_away = False

    await eventually(lambda: work.running == ["first"], "it goes on")
    await end(first)


async def test_a_holder_that_vanished_is_replaced_when_its_lease_has_run_out() -> None:
    leases, work = MemoryLeases(), Work()
    assert await leases.acquire("work", "vanished", seconds=0.2)

    second = start(leases, work, "second")

    await eventually(lambda: work.running == ["second"], "the second works")
    await end(second)


async def test_work_that_ends_by_itself_ends_the_waiting_too() -> None:
    leases = MemoryLeases()

    async def ends() -> None:
        return None

    async with asyncio.timeout(1):
        await while_leased(leases, "work", "only", ends, try_seconds=0.01)

    assert leases.held == {}
