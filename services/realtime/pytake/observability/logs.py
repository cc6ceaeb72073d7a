"""One line an event: JSON for machines, readable on a terminal, never a customer's words.

Everything goes through one handler, our own lines and those of uvicorn, Socket.IO and
SQLAlchemy: level, trace id, redaction and the bound under floods hold for all.

    log = structlog.get_logger("pytake.gateway")
    log.info("join refused", code="not_found", conversation_id=conversation_id)
"""

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import IO, Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from pytake.observability.redaction import redact, without_controls
from pytake.observability.trace_context import current_trace_id

FLOOD_LINES = 20
FLOOD_SECONDS = 10.0
DEBUG_LINES = 2000
"""Who asks for debug lines wants to see them; even these have an end."""

MAX_KINDS = 1000
"""How many kinds of lines are told apart; the memory of the flood guard is bounded by it."""

OnLine = Callable[[str], None]
OnSuppressed = Callable[[], None]


def configure(
    component: str,
    *,
    level: str = "info",
    stream: IO[str] | None = None,
    human: bool | None = None,
) -> None:
    """Send all logging of this process to one place.

    Args:
        component: The process, a field of every line.
        level: The lowest level that is written: debug, info, warning or error.
        stream: Where to; standard error if None.
        human: Lines for people instead of JSON; None decides by whether it is a terminal.
    """
    stream = stream or sys.stderr
    human = stream.isatty() if human is None else human

    def name_component(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_component,
        _add_trace_id,
    ]
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _redact,
    ]
    last += [_without_controls, _Console()] if human else [_json_line]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)
    )
    handler.addFilter(FloodGuard())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _quiet_the_libraries(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def count_lines(on_line: OnLine, on_suppressed: OnSuppressed) -> None:
    """Have the lines counted from now on; nothing happens where logs are not configured."""
    for handler in logging.getLogger().handlers:
        for guard in handler.filters:
            if isinstance(guard, FloodGuard):
                guard.tell(on_line, on_suppressed)


def _quiet_the_libraries(level: str) -> None:
    """Their lines go to our handler; what they write per request is counted, not logged."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "engineio", "socketio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    for name in ("uvicorn.access", "engineio", "socketio", "httpx", "httpcore", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # At info SQLAlchemy writes each statement with its parameters, at debug each row.
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def writes_debug_lines() -> bool:
    """Whether debug lines are written; on a hot path ask once, not for each line."""
    return logging.getLogger("pytake").isEnabledFor(logging.DEBUG)


class FloodGuard(logging.Filter):
    """Lets through so many lines of one kind in a time, and then says how many it left out.

    A kind is the logger, the level and the event without its values. What a hostile client
    can cause is thus bounded whatever we log, also by libraries.
    """

    def __init__(
        self,
        *,
        lines: int = FLOOD_LINES,
        seconds: float = FLOOD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lines, self._seconds, self._clock = lines, seconds, clock
        self._on_suppressed: OnSuppressed | None = None
        self._on_line: OnLine | None = None
        self._seen: dict[tuple[str, int, str], list[float]] = {}

    def tell(self, on_line: OnLine, on_suppressed: OnSuppressed) -> None:
        """Name who is told the level of each line, and who of each one left out."""
        self._on_line, self._on_suppressed = on_line, on_suppressed

    def filter(self, record: logging.LogRecord) -> bool:
        event = record.msg
        text = str(event.get("event", "")) if isinstance(event, dict) else str(event)
        kind = (record.name, record.levelno, text[:200])
        now = self._clock()
        seen = self._seen.get(kind)
        if seen is None or now - seen[0] >= self._seconds:
            if len(self._seen) >= MAX_KINDS:
                self._seen.clear()
            suppressed = int(seen[2]) if seen is not None else 0
            seen = self._seen[kind] = [now, 0, 0]
            _note_suppressed(record, suppressed)
        if seen[1] >= (self._lines if record.levelno > logging.DEBUG else DEBUG_LINES):
            seen[2] += 1
            if self._on_suppressed is not None:
                self._on_suppressed()
            return False
        seen[1] += 1
        if self._on_line is not None:
            self._on_line(record.levelname.lower())
        return True


def _note_suppressed(record: logging.LogRecord, suppressed: int) -> None:
    if not suppressed:
        return
    if isinstance(record.msg, dict):
        record.msg["suppressed"] = suppressed
    else:
        record.msg = f"{record.getMessage()} (suppressed {suppressed} alike)"
        record.args = None


class OncePerReason:
    """Logs one line per reason and time, with the count of those left out since.

    For refusals on hot paths: `refused(log, "rate_limited", user_id=…)`. Where debug lines are
    written every single one is.
    """

    def __init__(
        self,
        event: str,
        *,
        seconds: float = FLOOD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._event, self._seconds, self._clock = event, seconds, clock
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def __call__(
        self, log: structlog.stdlib.BoundLogger, reason: str, *, level: str = "info", **fields: Any
    ) -> None:
        """Write the line, or count it. `reason` comes from a closed set: the codes."""
        now = self._clock()
        last = self._last.get(reason)
        if last is not None and now - last < self._seconds and not writes_debug_lines():
            self._suppressed[reason] = self._suppressed.get(reason, 0) + 1
            return
        self._last[reason] = now
        suppressed = self._suppressed.pop(reason, 0)
        if suppressed:
            fields["suppressed"] = suppressed
        getattr(log, level)(self._event, reason=reason, **fields)


def _add_trace_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    trace_id = current_trace_id()
    if trace_id:
        event.setdefault("trace_id", trace_id)
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: redact(key, value) for key, value in event.items()}


def _without_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {
        key: without_controls(value, keep_newlines=key == "exception")
        for key, value in event.items()
    }


def _json_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    first: MutableMapping[str, Any] = {
        name: event.pop(name) for name in ("timestamp", "level", "event") if name in event
    }
    return orjson.dumps({**first, **event}, default=str).decode()


class _Console:
    """`12:30:01 info  gateway  listening  address=…`; no colour codes, a terminal may be a file."""

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        moment = str(event.pop("timestamp", ""))[11:19]
        level = str(event.pop("level", "info"))
        exception = event.pop("exception", None)
        text = event.pop("event", "")
        event.pop("logger", None)
        component = event.pop("component", "")
        fields = " ".join(f"{key}={value}" for key, value in event.items())
        line = f"{moment} {level:<7} {component:<8} {text}  {fields}".rstrip()
        return f"{line}\n{exception}" if exception else line
