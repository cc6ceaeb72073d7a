"""Connections die by reference count, so that the collector may rest."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from pytake.transport import AsyncServer, freeze_garbage, keep_garbage_frozen
from pytake.transport.connection import Connection
from pytake.transport.garbage import RUSH_OBJECTS
from pytake.transport.rooms import Member, Room
from pytake.transport.session import Session
from running_transport import connected, polling, running, until


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def living() -> Counter[str]:
    ours = (Connection, Member, Room, Session)
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, ours))


@pytest.mark.usefixtures("collector_off")
async def test_nothing_of_a_connection_waits_for_the_collector() -> None:
    sio = AsyncServer(cors_allowed_origins="*")

    @sio.on("connect")
    async def connect(sid: str, environ: object, auth: object) -> None:
        await sio.enter_room(sid, "r")

    sio.on("echo", lambda sid, data: data)
    async with running(sio) as pod:
        before = living()
        for transports in (["websocket"], ["polling", "websocket"]):
            async with connected(pod, 5, transports=transports) as clients:
                for client in clients:
                    await client.sio.call("echo", 1, timeout=5)
                assert living()["Connection"] >= before["Connection"] + 5
        async with polling(pod) as (http, session):
            await http.post(session, content="1")

        await until(lambda: not sio.eio.sockets, "all are gone")
        # The deadline of a session that has closed stays in the wheel until it is due.
        sio.eio.wheel.stop()
        await until(lambda: living() == before, f"nothing is left of them: {living()}")


@pytest.mark.usefixtures("collector")
async def test_a_rush_of_new_objects_does_not_wait_for_the_next_freeze() -> None:
    pauses: list[float] = []
    freezing = asyncio.create_task(keep_garbage_frozen(3600, pauses.append))
    await until(lambda: len(pauses) == 1, "the first freeze")
    frozen = gc.get_freeze_count()

    rush = [[number] for number in range(2 * RUSH_OBJECTS)]
    await until(lambda: len(pauses) == 2, "a freeze long before its time")

    assert gc.get_freeze_count() >= frozen + len(rush)
    freezing.cancel()
    await asyncio.gather(freezing, return_exceptions=True)


@pytest.mark.usefixtures("collector")
async def test_what_lives_is_frozen_and_fresh_garbage_is_not() -> None:
    class Node:
        def __init__(self) -> None:
            self.itself = self

    Node()
    freeze_garbage()
    assert gc.get_freeze_count() > 0
    assert not [each for each in gc.get_objects() if isinstance(each, Node)]

    pauses: list[float] = []
    freezing = asyncio.create_task(keep_garbage_frozen(0.01, pauses.append))
    await until(lambda: len(pauses) >= 3, "three freezes")
    freezing.cancel()
    assert gc.get_threshold()[0] > 10_000
    await asyncio.gather(freezing, return_exceptions=True)
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold()[0] < 10_000
