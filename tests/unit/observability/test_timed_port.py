"""Calls of a port are timed without the port knowing."""

import pytest

from pytake.observability.metrics import Metrics
from pytake.observability.timed_port import Timing, timed


class Shelf:
    """A port with one thing on it."""

    size = 1

    async def fetch(self, name: str) -> str:
        if name != "book":
            raise LookupError(name)
        return name

    async def other(self) -> str:
        return "untimed"


async def test_named_methods_are_observed_and_errors_passed_on() -> None:
    metrics = Metrics()
    seen: list[str] = []
    cells = metrics.broker_publish_duration_seconds
    timing = Timing(cells.cell("ok"), cells.cell("error"), seen.append, lambda: seen.append("!"))
    shelf = timed(Shelf(), {"fetch": timing})

    assert await shelf.fetch("book") == "book"
    with pytest.raises(LookupError):
        await shelf.fetch("cup")
    assert (await shelf.other(), shelf.size) == ("untimed", 1)

    assert (cells.cell("ok").count, cells.cell("error").count) == (1, 1)
    assert seen == ["book", "!"]


def test_a_method_that_is_gone_is_found_at_the_start() -> None:
    with pytest.raises(AttributeError):
        timed(Shelf(), {"gone": Timing(Metrics().store_duration_seconds.cell("read"))})
