"""One timer for the deadlines of all connections.

A timer per connection costs an object on the heap of the loop, and a task per
connection far more. Here deadlines fall into buckets of one tick, and the loop holds
a single timer, for the next bucket that is not empty. A deadline fires late by less
than a tick, never early; with nothing scheduled, nothing runs.
"""

import asyncio
import math
from typing import Protocol


class Scheduled(Protocol):
    """What has a deadline. `on_deadline` may schedule again."""

    closed: bool

    def on_deadline(self, now: float) -> None: ...


class PingWheel:
    """Calls `on_deadline` of what was scheduled, in the order of the deadlines.

    Args:
        tick_seconds: How exact the deadlines are.
    """

    def __init__(self, tick_seconds: float = 0.25) -> None:
        self._tick = tick_seconds
        self._buckets: dict[int, list[Scheduled]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0

    def schedule(self, item: Scheduled, when: float) -> None:
        """Call the item at `when` (the loop's clock). There is no cancelling: a closed
        item is skipped, and an item whose deadline moved schedules itself again."""
        number = math.ceil(when / self._tick)
        bucket = self._buckets.get(number)
        if bucket is not None:
            bucket.append(item)
            return
        self._buckets[number] = [item]
        if self._timer is None or number < self._armed_for:
            self._arm(number)

    def stop(self) -> None:
        """Forget everything that was scheduled."""
        self._buckets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = number
        self._timer = asyncio.get_running_loop().call_at(number * self._tick, self._turn)

    def _turn(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for number in sorted(self._buckets):
            # uvloop's clock has milliseconds: half of one decides that a tick is due.
            if number * self._tick > now + 0.0005:
                break
            for item in self._buckets.pop(number):
                if not item.closed:
                    try:
                        item.on_deadline(now)
                    except Exception as error:  # one connection must not stop the others
                        loop.call_exception_handler(
                            {"message": "deadline of a connection failed", "exception": error}
                        )
        # An item that scheduled itself again armed the timer for its own bucket, perhaps far
        # behind the buckets that were waiting all along.
        if self._buckets:
            first = min(self._buckets)
            if self._timer is None or first < self._armed_for:
                self._arm(first)
