"""Times the calls of a port without the port knowing: one wrapper for store and broker."""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from pytake.observability.instruments import HistogramCell
from pytake.observability.trace_context import current_traceparent, is_sampled

Port = TypeVar("Port")


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the figures of one method go.

    `returned` gets the seconds of calls that returned, `raised` of those that did not
    (the same if None); `on_result` is told each result, `on_error` each failure, `span` the
    seconds of calls within a sampled trace.
    """

    returned: HistogramCell
    raised: HistogramCell | None = None
    on_result: Callable[[Any], None] = _nothing
    on_error: Callable[[], None] = _nothing
    span: Callable[[float], None] = _nothing


def timed(port: Port, methods: Mapping[str, Timing]) -> Port:
    """Return the port with the named coroutine methods observed; all else is passed through."""
    return cast(Port, _Timed(port, methods))


class _Timed:
    def __init__(self, port: object, methods: Mapping[str, Timing]) -> None:
        self._port = port
        for name, timing in methods.items():
            method = getattr(port, name)
            assert inspect.iscoroutinefunction(method), f"{name} is no coroutine function"  # noqa: S101
            setattr(self, name, _observed(method, timing))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _observed(method: Callable[..., Any], timing: Timing) -> Callable[..., Any]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = await method(*args, **kwargs)
        except BaseException as error:
            (timing.raised or timing.returned).observe(time.perf_counter() - started)
            if isinstance(error, Exception):
                timing.on_error()
            raise
        seconds = time.perf_counter() - started
        timing.returned.observe(seconds)
        if is_sampled(current_traceparent()):
            timing.span(seconds)
        timing.on_result(answer)
        return answer

    return call
