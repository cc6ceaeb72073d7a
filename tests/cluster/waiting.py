"""Waiting for a condition with a deadline, the only way in which the tests wait.

`PYTAKE_TEST_TIMEOUT_SCALE` stretches every deadline, for a slow or crowded machine.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

TIMEOUT_SCALE = float(os.environ.get("PYTAKE_TEST_TIMEOUT_SCALE", "1"))
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1

Value = TypeVar("Value")


def scaled(seconds: float) -> float:
    """A deadline as this machine needs it."""
    return seconds * TIMEOUT_SCALE


def wait_until(
    condition: Callable[[], Value | None], what: str, within_seconds: float = 10
) -> Value:
    """Ask again and again until the answer is true, and return that answer.

    Raises:
        TimeoutError: The deadline passed; the message names what was waited for.
    """
    deadline = time.monotonic() + scaled(within_seconds)
    pause = _FIRST_PAUSE_SECONDS
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {scaled(within_seconds):g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


async def eventually(condition: Callable[[], Any], what: str, within_seconds: float = 10) -> Any:
    """Like `wait_until`, inside an event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + scaled(within_seconds)
    pause = _FIRST_PAUSE_SECONDS
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {scaled(within_seconds):g} s: {what}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
