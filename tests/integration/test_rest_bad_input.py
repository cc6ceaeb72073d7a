"""Everything that is not as it should be: the contract's code, and nothing stored."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio

from cluster.waiting import eventually
from pytake.contract.error_codes import MEANINGS
from pytake.domain.errors import ErrorCode
from rest.server import Person, RestServer, rest_server

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


# One server for all: what is refused leaves nothing behind, which is half of the promise.
@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path_factory.mktemp("rest")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ana(rest: RestServer) -> Person:
    return await rest.person(name="Ana")


def a_phone() -> str:
    return f"+55{uuid4().int % 10**11:011}"


def check_problem(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["retryable"] is MEANINGS[ErrorCode(code)].retryable
    assert body["title"]
    assert body["detail"]
    assert len(body["trace_id"]) == 32


DEEP: dict[str, Any] = {"content": {"text": "x"}}
for _ in range(40):
    DEEP = {"content": {"text": "x", "more": DEEP}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        7,
        {"content": {}},
        {"content": "text"},
        {"content": {"text": ""}},
        {"content": {"text": "   "}},
        {"content": {"text": 7}},
        {"content": {"text": "x" * 4097}},
        {"content": {"text": "a\x00b"}},
        {"content": {"text": "x"}, "message_type": "telepathy"},
        {"content": {"text": "x"}, "message_type": "unsupported"},
        {"content": {"text": "x"}, "message_type": "image"},
        {"content": {"latitude": 91, "longitude": 0}, "message_type": "location"},
        {"content": {"latitude": True, "longitude": 0}, "message_type": "location"},
        {"content": {"name": "x"}, "message_type": "template"},
        {"content": {"contacts": []}, "message_type": "contacts"},
        {"content": {"text": "x"}, "client_message_id": ""},
        {"content": {"text": "x"}, "client_message_id": "x" * 65},
        {"content": {"text": "x"}, "based_on_seq": -1},
        {"content": {"text": "x"}, "based_on_seq": 1.5},
        {"content": {"text": "x"}, "based_on_seq": "1"},
        {"content": {"text": "x"}, "retry_of": "no uuid"},
        DEEP,
    ],
    ids=lambda body: str(body)[:60],
)
async def test_messages_of_the_wrong_shape_are_refused_and_not_stored(
    rest: RestServer, ana: Person, body: Any
) -> None:
    conversation = await ana.opens_conversation(a_phone())
    announced = len(rest.heard.events)

    answer = await ana.post(f"/conversations/{conversation['id']}/messages", body)

    check_problem(answer, 422, "invalid_payload")
    assert len(rest.heard.events) == announced
    listed = await ana.get(f"/conversations/{conversation['id']}/messages")
    assert listed.json()["items"] == []


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"{'a': 1}", b"\xff\xfe", b'{"a": NaN}', b"a=b", b"[" * 20000, b'"\\ud800"']
)
async def test_what_is_no_json_is_400(ana: Person, raw: bytes) -> None:
    conversation = await ana.opens_conversation(a_phone())

    answer = await ana.call(
        "POST",
        f"/conversations/{conversation['id']}/messages",
        content=raw,
        headers={"Content-Type": "application/json"},
    )

    check_problem(answer, 400, "invalid_payload")


@pytest.mark.parametrize(
    "which", ["x", "%00", "1", "{}", "a" * 3000, "d4da36c2-87dd-400c-8102-f39c333d9c2g"]
)
@pytest.mark.parametrize("rest_of_path", ["", "/messages", "/events"])
async def test_a_malformed_id_is_told_from_an_unknown_one(
    ana: Person, which: str, rest_of_path: str
) -> None:
    malformed = await ana.get(f"/conversations/{which}{rest_of_path}")
    unknown = await ana.get(f"/conversations/{uuid4()}{rest_of_path}")

    check_problem(malformed, 422, "invalid_payload")
    check_problem(unknown, 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=made-up",
        "cursor=%00",
        "status=sleeping",
        "assigned_to=somebody",
        "q=%00",
        "q=" + "x" * 201,
    ],
)
async def test_bad_queries_are_refused(ana: Person, query: str) -> None:
    check_problem(await ana.call("GET", f"/conversations?{query}"), 422, "invalid_payload")


@pytest.mark.parametrize("query", ["after_seq=-1", "after_seq=x", "after_seq=99999999999999999999"])
async def test_bad_positions_are_refused(ana: Person, query: str) -> None:
    conversation = await ana.opens_conversation(a_phone())

    answer = await ana.call("GET", f"/conversations/{conversation['id']}/events?{query}")

    check_problem(answer, 422, "invalid_payload")


async def test_an_unknown_assignee_or_channel_is_not_found(ana: Person) -> None:
    conversation = await ana.opens_conversation(a_phone())
    await ana.patch(f"/conversations/{conversation['id']}", {"assigned_to": ana.user_id})

    assignee = await ana.patch(
        f"/conversations/{conversation['id']}", {"assigned_to": str(uuid4())}
    )
    channel = await ana.post(
        "/conversations",
        {"contact": {"name": "Rui", "phone": "+5511900000009"}, "channel_id": str(uuid4())},
    )

    check_problem(assignee, 404, "not_found")
    check_problem(channel, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("DELETE", "/api/v1/conversations", 405),
        ("PUT", "/health", 405),
        ("GET", "/api/v1/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/metrics", 404),
        ("GET", "/internal/connections", 404),
        ("GET", "/socket.io/?EIO=4&transport=polling", 404),
    ],
)
async def test_what_is_not_offered_is_a_problem_too(
    rest: RestServer, method: str, path: str, status: int
) -> None:
    answer = await rest.client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_who_asks_is_known_before_the_body_is_looked_at(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation(a_phone())
    url = f"/api/v1/conversations/{conversation['id']}/messages"
    endless = b"x" * (rest.settings.max_event_bytes + 1)

    for body in (b"{", endless):
        nobody = await rest.client.post(url, content=body)
        check_problem(nobody, 401, "invalid_token")
        assert nobody.headers["www-authenticate"] == "Bearer"


async def test_a_body_is_refused_by_what_it_says_and_by_what_it_is(
    rest: RestServer, ana: Person
) -> None:
    conversation = await ana.opens_conversation(a_phone())
    url = f"/conversations/{conversation['id']}/messages"
    large = b" " * (rest.settings.max_event_bytes + 1)

    async def chunks() -> AsyncIterator[bytes]:
        yield large

    said = await ana.call("POST", url, content=large)
    streamed = await ana.call("POST", url, content=chunks())

    check_problem(said, 413, "payload_too_large")
    check_problem(streamed, 413, "payload_too_large")


async def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(
    rest: RestServer, ana: Person
) -> None:
    parts = urlsplit(str(rest.client.base_url))
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /api/v1/conversations HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n"
        b"Authorization: Bearer " + ana.token.encode() + b"\r\n\r\n"
    )

    async with asyncio.timeout(5):
        answer = await reader.read()

    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()


async def test_bad_input_does_not_flood_the_log(
    rest: RestServer, ana: Person, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await ana.opens_conversation(a_phone())
    caplog.clear()

    with caplog.at_level(logging.INFO):
        for _ in range(20):
            await ana.post(f"/conversations/{conversation['id']}/messages", {"content": 7})

    # pytest hears what nobody else does: the client, and uvicorn's access log, which is off.
    lines = [record for record in caplog.records if record.name not in ("httpx", "uvicorn.access")]
    assert {record.levelname for record in lines} <= {"INFO"}
    assert len(lines) <= 1, "twenty refusals are one line"


@pytest.mark.parametrize("kind", ["json", "form"])
async def test_who_sends_slowly_holds_no_turn_of_the_process(
    rest: RestServer, ana: Person, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixteen requests are worked on at a time; forty that have not come yet are none of them.

    Nor is it worth a line, or an error of ours, when they hang up.
    """
    parts = urlsplit(str(rest.client.base_url))
    path, content_type = {
        "json": ("/api/v1/conversations", "application/json"),
        "form": ("/api/v1/media", "multipart/form-data; boundary=x"),
    }[kind]
    slow = []
    hung_up = rest.metrics.http_errors.cell("invalid_payload").value
    for _ in range(5):
        someone = await rest.person(organization_id=str(uuid4()))
        for _ in range(8):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                f"Content-Type: {content_type}\r\nAuthorization: Bearer {someone.token}\r\n\r\n"
            )
            writer.write(head.encode() + b"{")
            slow.append(writer)
    answers = await asyncio.gather(*(ana.get("/conversations") for _ in range(5)))

    assert [answer.status_code for answer in answers] == [200] * 5
    made = await ana.post("/conversations", {"contact": {"name": "R", "phone": a_phone()}})
    assert made.status_code == 201
    for writer in slow:
        writer.close()
    codes = rest.metrics.http_errors
    before = codes.cell("internal").value
    await eventually(
        lambda: codes.cell("invalid_payload").value >= hung_up + len(slow), "all have hung up"
    )
    assert codes.cell("internal").value == before
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
