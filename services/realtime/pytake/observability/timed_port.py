"""Times the calls of a port without the port knowing: one wrapper for store and broker."""

import inspect
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from pytake.observability.instruments import HistogramCell

Port = TypeVar("Port")
OnError = Callable[[str], None]
OnSuccess = Callable[[], None]


def timed(
    port: Port,
    cells: Mapping[str, HistogramCell],
    *,
    on_error: OnError = lambda method: None,
    on_success: OnSuccess = lambda: None,
) -> Port:
    """Return the port with the named coroutine methods observed; all else is passed through.

    Args:
        port: Any object.
        cells: Where the seconds of each method go, by its name.
        on_error: Told the method whose call raised something.
        on_success: Told of each call that returned.
    """
    return cast(Port, _Timed(port, cells, on_error, on_success))


class _Timed:
    def __init__(
        self,
        port: object,
        cells: Mapping[str, HistogramCell],
        on_error: OnError,
        on_success: OnSuccess,
    ) -> None:
        self._port = port
        for name, cell in cells.items():
            method = getattr(port, name)
            assert inspect.iscoroutinefunction(method), f"{name} is no coroutine function"  # noqa: S101
            setattr(self, name, _observed(method, name, cell, on_error, on_success))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _observed(
    method: Callable[..., Any],
    name: str,
    cell: HistogramCell,
    on_error: OnError,
    on_success: OnSuccess,
) -> Callable[..., Any]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = await method(*args, **kwargs)
        except BaseException:
            on_error(name)
            raise
        finally:
            cell.observe(time.perf_counter() - started)
        on_success()
        return answer

    return call
