"""Waiting for work."""

from __future__ import annotations

import asyncio

from pytake.relay.wake import Wake


async def test_a_call_ends_the_wait() -> None:
    wake = Wake()
    asyncio.get_running_loop().call_later(0.01, wake.call)

    async with asyncio.timeout(1):
        await wake.wait(60)


async def test_a_call_that_came_before_the_wait_is_not_lost() -> None:
    wake = Wake()
    wake.call()

    async with asyncio.timeout(1):
        await wake.wait(60)


async def test_one_call_ends_one_wait() -> None:
    wake = Wake()
    wake.call()
    await wake.wait(60)
    began = asyncio.get_running_loop().time()

    await wake.wait(0.05)

    assert asyncio.get_running_loop().time() - began >= 0.04
