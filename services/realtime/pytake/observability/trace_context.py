"""The W3C trace context of what is being done, as a string that costs nothing.

Every request, handshake and event has a trace id, so that a log line, an error shown to
a user and a trace can be brought together. Whether it is also *sampled* is one
character at the end of the string, looked at before OpenTelemetry is touched.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("traceparent", default="")
_WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ids = random.Random()  # noqa: S311 - identifiers of traces are no secrets


def new_traceparent(*, sample_ratio: float = 0.0) -> str:
    """Start a trace; it is sampled with the given probability."""
    trace_id, span_id = _ids.getrandbits(128) | 1, _ids.getrandbits(64) | 1
    sampled = sample_ratio > 0 and _ids.random() < sample_ratio
    return f"00-{trace_id:032x}-{span_id:016x}-{'01' if sampled else '00'}"


def accepted_traceparent(value: str | None) -> str:
    """Return what a caller sent if it is well formed, else an empty string.

    It comes from outside: anything else than the exact form is dropped, not repaired.
    """
    if value is not None and len(value) == 55 and _WELL_FORMED.fullmatch(value):
        return value
    return ""


def is_sampled(traceparent: str | None) -> bool:
    """Whether spans are recorded for this context."""
    return bool(traceparent) and traceparent[-1] in "13579bdf"  # type: ignore[index]


def trace_id_of(traceparent: str | None) -> str:
    """Return the 32 hexadecimal digits, or an empty string."""
    return traceparent[3:35] if traceparent else ""


def current_traceparent() -> str:
    """Return the context of the running task, or an empty string."""
    return _current.get()


def current_trace_id() -> str:
    """Return the trace id of the running task, or an empty string."""
    return _current.get()[3:35]


@contextmanager
def using_traceparent(traceparent: str) -> Iterator[None]:
    """Make it the context of what happens inside."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
