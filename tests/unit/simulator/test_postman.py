"""How deliveries travel: retried for a week, and nothing is said twice in other words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from pytake.simulator.app import Simulator, SimulatorOptions, open_simulator
from pytake.simulator.customers import Pace
from pytake.simulator.faults import Faults

DAY = 24 * 3600.0
A_WEEK_IN_SECONDS = 200_000.0
"""How much faster than life: a day takes less than half a second."""


class Receiver:
    """Refuses everything for so many days, then takes it."""

    def __init__(self, days: float = 0) -> None:
        self.days = days
        self.simulator: Simulator
        self.taken: list[bytes] = []
        self.refused = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        status = 200 if self.simulator.world.time.now() > self.began + self.days * DAY else 503
        if status == 200:
            self.taken.append(body)
        else:
            self.refused += 1
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def began(self) -> float:
        return self.simulator.world.time._began


@asynccontextmanager
async def simulated(receiver: Receiver, **options: Any) -> AsyncIterator[Simulator]:
    given = SimulatorOptions(
        webhook_url="http://receiver", app_secret="s", access_token="t", pace=None
    )
    values = {name: getattr(given, name) for name in given.__slots__} | options
    transport = httpx.ASGITransport(receiver)
    async with open_simulator(SimulatorOptions(**values), transport) as simulator:
        receiver.simulator = simulator
        running = asyncio.ensure_future(simulator.run())
        try:
            yield simulator
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("days", "taken"), [(5, 1), (30, 0)])
async def test_a_receiver_that_is_away_gets_its_delivery_for_seven_days(
    days: float, taken: int
) -> None:
    receiver = Receiver(days)
    async with simulated(receiver, speed=A_WEEK_IN_SECONDS) as simulator:
        simulator.course.write(simulator.world.add_customer("5511987654321", "Clara"), TEXT)
        await simulator.until_idle(within_seconds=30)

    assert len(receiver.taken) == taken
    assert simulator.postman.given_up == 1 - taken
    assert receiver.refused >= 5


async def test_what_was_refused_comes_at_once_when_it_is_asked_for() -> None:
    receiver = Receiver(days=1)
    async with simulated(receiver, speed=20) as simulator:
        simulator.course.write(simulator.world.add_customer("5511987654321", "Clara"), TEXT)
        while receiver.refused < 4:
            await asyncio.sleep(0.01)
        receiver.days = 0
        # Two minutes before it would come by itself.
        assert simulator.postman.redeliver() == 1
        await simulator.until_idle(within_seconds=5)

    assert len(receiver.taken) == 1


TEXT = {"type": "text", "text": {"body": "oi 😊"}}


async def test_the_same_seed_says_the_same() -> None:
    """Whatever time it takes: what travels depends on the seed alone."""
    runs: list[set[bytes]] = []
    for _ in range(2):
        receiver = Receiver()
        faults = Faults.all_at(0.2).changed({"large_body": 0, "drop": 0, "batch": 0})
        async with simulated(receiver, speed=50, seed=7, faults=faults) as simulator:
            for number in range(40):
                customer = simulator.world.add_customer(f"55119{80_000_000 + number}", "C")
                simulator.course.write(customer, TEXT)
            await simulator.until_idle(within_seconds=30)
        runs.append({re.sub(rb'"timestamp":"\d+"', b"", body) for body in receiver.taken})

    assert runs[0] == runs[1]
    assert len(runs[0]) > 40


async def test_customers_write_at_the_rate_that_was_asked_for() -> None:
    receiver = Receiver()
    async with simulated(receiver, speed=100, pace=Pace(writes_every=1.0)) as simulator:
        for number in range(5):
            simulator.world.add_customer(f"55119{80_000_000 + number}", "C")
        began = simulator.world.time.now()
        while len(receiver.taken) < 50:
            await asyncio.sleep(0.01)
        seconds = simulator.world.time.now() - began

    # One a second, give or take; simulated seconds, so no matter how fast this machine is.
    assert seconds > 30


async def test_who_has_blocked_the_business_gets_nothing() -> None:
    receiver = Receiver()
    async with simulated(receiver, speed=100) as simulator:
        world = simulator.world
        customer = world.add_customer("5511987654321", "Clara", persona="blocked")
        body = {"type": "text", "biz_opaque_callback_data": "m1", "text": {"body": "olá"}}
        sent = simulator.course.accept(
            world.number(), customer, body, name="1", before_answer=False
        )
        await simulator.until_idle(within_seconds=30)

    assert sent.statuses == ["sent"]
