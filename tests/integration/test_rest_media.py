"""Files over REST: who may read them, as what, and how large they may be."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psutil
import pytest
import pytest_asyncio

from rest.server import Person, RestServer, rest_server

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rest(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RestServer]:
    async with rest_server(tmp_path_factory.mktemp("media")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ana(rest: RestServer) -> Person:
    return await rest.person(name="Ana")


async def upload(
    who: Person, data: bytes = PNG, name: str = "photo.png", declared: str = "image/png"
) -> httpx.Response:
    return await who.call("POST", "/media", files={"file": (name, data, declared)})


async def test_an_uploaded_file_is_read_by_token_and_by_its_link(
    rest: RestServer, ana: Person
) -> None:
    made = (await upload(ana, name="../férias\r\n.png")).json()

    by_token = await ana.get(f"/media/{made['id']}")
    by_link = await rest.client.get(made["media_url"])

    assert made["mime_type"] == "image/png"
    assert by_token.content == by_link.content == PNG
    assert by_link.headers["content-type"] == "image/png"
    assert by_link.headers["content-disposition"].startswith("inline; filename*=UTF-8''f%C3%A9rias")
    assert "sandbox" in by_link.headers["content-security-policy"]


async def test_a_page_that_calls_itself_an_image_is_only_ever_downloaded(
    rest: RestServer, ana: Person
) -> None:
    made = (await upload(ana, HTML, "photo.png", "image/png")).json()

    shown = await rest.client.get(made["media_url"])

    assert shown.headers["content-type"] == "application/octet-stream"
    assert shown.headers["content-disposition"].startswith("attachment")
    assert shown.headers["x-content-type-options"] == "nosniff"


async def test_a_link_that_was_changed_opens_nothing(rest: RestServer, ana: Person) -> None:
    one, other = (await upload(ana)).json(), (await upload(ana)).json()
    address = httpx.URL(one["media_url"])
    params = dict(address.params)

    attempts = [
        (one["id"], {**params, "expires": str(int(params["expires"]) + 1)}),
        (one["id"], {**params, "signature": "0" * 32}),
        (one["id"], {"expires": params["expires"]}),
        (other["id"], params),
        (one["id"], {"expires": "1", "signature": params["signature"]}),
        (one["id"], {"expires": "é", "signature": "é"}),
    ]

    for media_id, changed in attempts:
        answer = await rest.client.get(f"/api/v1/media/{media_id}", params=changed)
        assert answer.status_code == 401


async def test_a_file_of_another_organization_can_neither_be_read_nor_sent(
    rest: RestServer, ana: Person
) -> None:
    secret = (await upload(ana)).json()["id"]
    mallory = await rest.person("admin", organization_id=str(uuid4()))
    conversation = await mallory.opens_conversation()
    path = f"/conversations/{conversation['id']}/messages"

    read = await mallory.get(f"/media/{secret}")
    sent = [
        await mallory.post(path, {"message_type": kind, "content": content})
        for kind, content in (
            ("image", {"media_id": secret}),
            ("text", {"text": "x", "media_id": secret}),
            ("image", {"link": "https://x.test/a.png", "media_id": secret}),
        )
    ]

    assert read.status_code == 404
    assert [answer.status_code for answer in sent] == [404, 404, 404]


async def test_a_message_with_a_file_says_where_to_read_it_and_nobody_else_may(
    rest: RestServer, ana: Person
) -> None:
    made = (await upload(ana)).json()
    conversation = await ana.opens_conversation()
    content = {"media_id": made["id"], "caption": "look", "media_url": "https://evil.test/"}

    message = await ana.post(
        f"/conversations/{conversation['id']}/messages",
        {"message_type": "image", "content": content},
    )

    assert message.status_code == 201
    url = message.json()["content"]["media_url"]
    assert url.startswith(f"/api/v1/media/{made['id']}?")
    assert (await rest.client.get(url)).content == PNG
    listed = await ana.get(f"/conversations/{conversation['id']}/messages")
    assert listed.json()["items"][0]["content"]["media_url"].startswith("/api/v1/media/")
    assert b"evil.test" not in rest.heard.events[-1].data


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=0-3", 206, PNG[:4]),
        ("bytes=4-", 206, PNG[4:]),
        ("bytes=-5", 206, PNG[-5:]),
        ("bytes=0-99999", 206, PNG),
        ("bytes=500-", 200, PNG),
        ("bytes=5-2", 200, PNG),
        ("bytes=a-b", 200, PNG),
        ("lines=0-3", 200, PNG),
        ("bytes=--1", 200, PNG),
        ("bytes=²-3", 200, PNG),
    ],
)
async def test_players_may_ask_for_a_part(
    ana: Person, header: str, status: int, content: bytes
) -> None:
    made = (await upload(ana)).json()

    answer = await ana.call(
        "GET", f"/media/{made['id']}", headers={b"Range": header.encode("latin-1")}
    )

    assert (answer.status_code, answer.content) == (status, content)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"json": {"file": "x"}}, 422),
        ({"content": b"x"}, 422),
        ({"files": {"other": ("a", b"x")}}, 422),
        ({"files": {"file": ("a", b"")}}, 422),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]}, 422),
        ({"data": {"file": "a text"}, "files": {"x": ("a", b"x")}}, 422),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, 422),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422),
    ],
    ids=lambda given: str(given)[:50],
)
async def test_what_is_no_form_with_a_file_is_refused(
    ana: Person, given: dict[str, Any], status: int
) -> None:
    answer = await ana.call("POST", "/media", **given)

    assert (answer.status_code, answer.json()["code"]) == (status, "invalid_payload")


async def test_files_have_the_limit_of_what_they_are(rest: RestServer, ana: Person) -> None:
    large_image = await upload(ana, PNG + b"\x00" * 5_000_000)
    large_document = await upload(ana, b"x" * 5_000_100, "a.txt", "text/plain")

    assert (large_image.status_code, large_image.json()["code"]) == (413, "payload_too_large")
    assert large_document.status_code == 201


async def test_a_reader_that_does_not_read_keeps_no_file_in_memory(
    rest: RestServer, ana: Person
) -> None:
    """Twenty downloads of 16 MB that nobody takes: parts of them wait, not all of them."""
    large = b"\0" * 16_000_000
    made = (await ana.call("POST", "/media", files={"file": ("a.bin", large)})).json()
    parts = urlsplit(str(rest.client.base_url))
    before = psutil.Process().memory_info().rss
    writers = []
    for _ in range(20):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1024)
        writer.write(f"GET {made['media_url']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        writers.append(writer)
    answers = [await ana.get("/conversations") for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}
    assert psutil.Process().memory_info().rss - before < 100_000_000
    for writer in writers:
        writer.close()
