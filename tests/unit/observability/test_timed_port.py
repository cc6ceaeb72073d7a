"""Calls of a port are timed without the port knowing."""

import pytest

from pytake.observability.metrics import Metrics
from pytake.observability.timed_port import timed


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
    failed: list[str] = []
    fine: list[int] = []
    cell = metrics.store_duration_seconds.cell("read")
    shelf = timed(
        Shelf(), {"fetch": cell}, on_error=failed.append, on_success=lambda: fine.append(1)
    )

    assert await shelf.fetch("book") == "book"
    with pytest.raises(LookupError):
        await shelf.fetch("cup")
    assert (await shelf.other(), shelf.size) == ("untimed", 1)

    assert cell.count == 2
    assert (failed, fine) == (["fetch"], [1])


def test_a_method_that_is_gone_is_found_at_the_start() -> None:
    with pytest.raises(AttributeError):
        timed(Shelf(), {"gone": Metrics().store_duration_seconds.cell("read")})
