"""The parts of a run. Each has a deadline, and a run that cannot go on says what it lacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from cluster.waiting import scaled

SHOWN = 10


class Stuck(AssertionError):
    """A part of a run did not end in time; the message names what was still missing."""


@asynccontextmanager
async def phase(
    what: str, within_seconds: float, missing: Callable[[], Iterable[str]]
) -> AsyncIterator[None]:
    """Let the body run until the deadline.

    Raises:
        Stuck: The deadline passed. What the body raises by itself passes through.
    """
    seconds = scaled(within_seconds)
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError as late:
        if not timer.expired():
            raise
        lines = list(missing()) or ["nothing that the workload knows of"]
        if len(lines) > SHOWN:
            lines = [*lines[:SHOWN], f"and {len(lines) - SHOWN} more"]
        raise Stuck(f"not within {seconds:g} s: {what}\n  " + "\n  ".join(lines)) from late


class OwnLag:
    """How long the loop of the readers themselves stood still, at worst.

    Readers and writers share a processor with what they test. Above a part of a second the
    latencies of a run are their own, and the run says so.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> OwnLag:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._watching is not None
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.longest = max(self.longest, time.monotonic() - before - 0.05)
