"""Deadlines in buckets: never early, late by less than a tick, one timer for all."""

import asyncio

from pytake.transport.ping_wheel import PingWheel
from running_transport import until


class Recorder:
    """Remembers when it was called."""

    def __init__(self) -> None:
        self.closed = False
        self.calls: list[float] = []

    def on_deadline(self, now: float) -> None:
        self.calls.append(now)


class Faulty(Recorder):
    def on_deadline(self, now: float) -> None:
        raise RuntimeError("broken")


async def test_a_deadline_is_never_early_and_soon_after() -> None:
    wheel, loop = PingWheel(0.02), asyncio.get_running_loop()
    items = [Recorder() for _ in range(5)]
    dues = [loop.time() + 0.01 * number for number in (9, 1, 5, 3, 7)]
    for item, due in zip(items, dues, strict=True):
        wheel.schedule(item, due)

    await until(lambda: all(item.calls for item in items), "all called")

    for item, due in zip(items, dues, strict=True):
        assert item.calls[0] >= due - 0.001
    wheel.stop()


async def test_a_closed_item_is_skipped_and_a_faulty_one_stops_nobody() -> None:
    wheel, loop = PingWheel(0.01), asyncio.get_running_loop()
    contexts: list[str] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context["message"]))
    closed, faulty, last = Recorder(), Faulty(), Recorder()
    closed.closed = True
    for item in (closed, faulty, last):
        wheel.schedule(item, loop.time())

    await until(lambda: last.calls, "the last is called")

    assert closed.calls == []
    assert contexts == ["deadline of a connection failed"]
    wheel.stop()


async def test_a_nearer_deadline_comes_first_though_it_was_scheduled_later() -> None:
    wheel, loop = PingWheel(0.01), asyncio.get_running_loop()
    far, near = Recorder(), Recorder()
    wheel.schedule(far, loop.time() + 5)

    wheel.schedule(near, loop.time() + 0.01)

    await until(lambda: near.calls, "the nearer one", 1)
    assert far.calls == []
    wheel.stop()


async def test_an_item_that_comes_again_later_does_not_hold_up_those_who_wait() -> None:
    wheel, loop = PingWheel(0.01), asyncio.get_running_loop()

    class Again(Recorder):
        def on_deadline(self, now: float) -> None:
            super().on_deadline(now)
            wheel.schedule(self, now + 30)

    first, waiting = Again(), Recorder()
    wheel.schedule(first, loop.time() + 0.01)
    wheel.schedule(waiting, loop.time() + 0.1)

    await until(lambda: waiting.calls, "the one who waited", 2)

    assert len(first.calls) == 1
    wheel.stop()
