"""Log lines: one shape for all, nothing private in them, bounded under floods."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from pytake.observability import logs
from pytake.observability.trace_context import new_traceparent, trace_id_of, using_traceparent

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.configure(**ours)


def written(stream) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("gateway", level="info", stream=stream, human=False)
    return stream


def test_ours_and_library_lines_have_one_shape_and_the_trace_id(stream: io.StringIO) -> None:
    traceparent = new_traceparent()
    with using_traceparent(traceparent):
        structlog.get_logger("pytake.gateway").info("join refused", code="not_found")
        logging.getLogger("uvicorn.error").warning("odd request from %s", "somewhere")

    ours, theirs = written(stream)
    assert ours["event"] == "join refused"
    assert ours["code"] == "not_found"
    assert theirs["event"] == "odd request from somewhere"
    for line in (ours, theirs):
        assert line["component"] == "gateway"
        assert line["trace_id"] == trace_id_of(traceparent)
        assert line["timestamp"].endswith("Z")
        assert line["level"] in ("info", "warning")


@pytest.mark.parametrize(
    "text",
    [
        "+55 11 98765-4321",
        "+5511987654321",
        "from 5511987654321 again",
        f"Bearer {TOKEN}",
        f"GET /socket.io/?token={TOKEN}&x=1",
        "redis://:hunter2hunter2@localhost:6379",
        "postgresql+asyncpg://pytake:hunter2hunter2@db/pytake",
        "EAAGm0PX4ZCpsBAKZCw1ZBzQZDZD refused",
        "wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYIA==",
        "INSERT ... [parameters: ('oi, meu CPF', 'x')]\n(Background on this error)",
        "duplicate key\nDETAIL:  Key (phone)=(meu CPF) already exists.",
        "content.text [type=string_type, input_value='meu CPF', input_type=str]",
        "ana@demo.pytake",
    ],
)
def test_private_values_are_taken_out_of_any_string(stream: io.StringIO, text: str) -> None:
    log = structlog.get_logger("pytake")
    log.info("odd", detail=text)
    logging.getLogger("somebody").error("library says %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("surprise")

    output = stream.getvalue()
    assert len(written(stream)) == 3
    for private in ("98765", "987654321", TOKEN, "hunter2", "EAAGm0", "HBgNNT", "CPF", "ana@"):
        assert private not in output


def test_private_fields_are_taken_out_by_name_at_any_depth(stream: io.StringIO) -> None:
    structlog.get_logger().info(
        "message", text="oi", content={"text": "oi"}, items=[{"caption": "oi", "seq": 7}]
    )

    (line,) = written(stream)
    assert line["text"] == line["content"] == "[redacted]"
    assert line["items"] == [{"caption": "[redacted]", "seq": 7}]


def test_what_operators_need_is_left_as_it_is(stream: io.StringIO) -> None:
    fields = {
        "conversation_id": "12345678-1234-4123-8123-123456789012",
        "address": "http://127.0.0.1:54321",
        "seconds": 0.123456789012,
        "created_at": "2026-11-22T12:30:00.123Z",
        "path": "/api/v1/conversations/12345678-1234-4123-8123-123456789012/messages",
        "seq": 9007199254740991,
    }
    structlog.get_logger().info("listening", **fields)

    (line,) = written(stream)
    assert {name: line[name] for name in fields} == fields


def test_a_flood_of_one_kind_is_cut_and_its_size_told() -> None:
    now, stream = 0.0, io.StringIO()
    guard = logs.FloodGuard(lines=3, seconds=10, clock=lambda: now)
    handler = logging.StreamHandler(stream)
    handler.addFilter(guard)
    logger = logging.Logger("flooded")
    logger.addHandler(handler)

    for attempt in range(1000):
        logger.warning("bad request %d", attempt)
    logger.warning("another kind")
    now = 11.0
    logger.warning("bad request %d", 1000)

    lines = stream.getvalue().splitlines()
    assert lines[:4] == ["bad request 0", "bad request 1", "bad request 2", "another kind"]
    assert lines[4:] == ["bad request 1000 (suppressed 997 alike)"]


def test_kinds_that_a_peer_makes_up_do_not_fill_the_memory() -> None:
    guard = logs.FloodGuard()
    for number in range(5 * logs.MAX_KINDS):
        guard.filter(logging.makeLogRecord({"msg": f"kind {number}", "levelno": 20}))

    assert len(guard._seen) <= logs.MAX_KINDS


def test_a_reason_is_logged_once_in_a_while_with_the_count_of_the_others(
    stream: io.StringIO,
) -> None:
    now = 0.0
    refused = logs.OncePerReason("refused", seconds=10, clock=lambda: now)
    log = structlog.get_logger()
    for _ in range(50):
        refused(log, "rate_limited", user_id="u1")
    refused(log, "not_found")
    now = 10.0
    refused(log, "rate_limited", user_id="u1")

    first, other, later = written(stream)
    assert (first["reason"], other["reason"]) == ("rate_limited", "not_found")
    assert later["suppressed"] == 49


def test_a_hostile_name_cannot_forge_a_line_or_steer_a_terminal() -> None:
    stream = io.StringIO()
    logs.configure("api", stream=stream, human=True)

    structlog.get_logger().info("unknown event", name="x\n12:00:00 error forged\x1b[2J")

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_lines_below_the_level_are_not_written(stream) -> None:
    structlog.get_logger().debug("emit", seq=1)
    logging.getLogger("uvicorn.access").info("GET /health 200")

    assert stream.getvalue() == ""


def test_lines_and_suppressed_ones_are_counted() -> None:
    levels: list[str] = []
    left_out: list[None] = []
    logs.configure("api", stream=io.StringIO(), human=False)
    logs.count_lines(levels.append, lambda: left_out.append(None))

    for _ in range(logs.FLOOD_LINES + 5):
        structlog.get_logger("pytake").info("same")

    assert levels == ["info"] * logs.FLOOD_LINES
    assert len(left_out) == 5


def test_a_very_long_value_is_cut(stream: io.StringIO) -> None:
    structlog.get_logger().info("odd", detail="x" * 1_000_000)

    assert len(stream.getvalue()) < 3000
