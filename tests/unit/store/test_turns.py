"""Writers of one conversation take turns; nobody waits for ever, and nobody else waits."""

from __future__ import annotations

import asyncio

import pytest

from pytake.domain.errors import ErrorCode, Unavailable
from pytake.store.turns import Turns


async def test_turns_come_in_the_order_of_asking() -> None:
    turns = Turns()
    served: list[int] = []

    async def take(number: int) -> None:
        async with turns.turn("c1"):
            await asyncio.sleep(0)
            served.append(number)

    await asyncio.gather(*(take(number) for number in range(10)))

    assert served == list(range(10))


async def test_other_names_do_not_wait() -> None:
    turns = Turns(seconds=0.01)

    async with turns.turn("c1"), turns.turn("c2"):
        with pytest.raises(Unavailable):
            async with turns.turn("c1"):
                pytest.fail("two had the same turn")


async def test_a_line_has_an_end() -> None:
    turns = Turns(max_waiting=2)
    async with turns.turn("c1"):
        waiting = [asyncio.create_task(_take(turns)) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(Unavailable) as refused:
            await _take(turns)

        assert refused.value.code is ErrorCode.OVERLOADED
    await asyncio.gather(*waiting)


async def test_who_gives_up_does_not_hold_up_the_others() -> None:
    turns = Turns(seconds=5)
    async with turns.turn("c1"):
        patient = asyncio.create_task(_take(turns))
        hasty = asyncio.create_task(_take(turns))
        await asyncio.sleep(0)
        hasty.cancel()
    await patient
    await asyncio.wait([hasty])

    assert hasty.cancelled()
    assert turns._lines == {}


async def _take(turns: Turns) -> None:
    async with turns.turn("c1"):
        await asyncio.sleep(0)
