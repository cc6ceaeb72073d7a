"""Loops of a pod go on whatever happens in them."""

import asyncio

import pytest

from pytake.gateway import tasks
from pytake.gateway.tasks import Tasks


async def test_a_loop_that_failed_begins_anew_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    failures: list[BaseException] = []
    owner = Tasks(failures.append)
    works = asyncio.Event()

    async def loop() -> None:
        if len(failures) < 2:
            raise KeyError("a bug")
        works.set()
        await asyncio.Event().wait()

    task = owner.keep(loop, "loop")
    async with asyncio.timeout(5):
        await works.wait()

    assert [type(each) for each in failures] == [KeyError, KeyError]
    await owner.stop()
    assert task.cancelled()
