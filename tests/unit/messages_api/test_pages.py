"""The pages at `/`: the inbox, its policy, and addresses that are none of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from pytake.messages_api.app import create_app
from pytake.messages_api.services import Services


class NoServices:
    """No page asks for a service."""

    verify = throttle = None


NOBODY = cast("Services", NoServices())


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Inbox</title>")
    (folder / "assets" / "app-4f2a.js").write_text("export {}")
    (folder / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / ".hidden").write_text("secret")
    return folder


@pytest.fixture
async def client(inbox: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(NOBODY, inbox=inbox, allowed_origins=["https://app.example.test"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/admin/users", "/agent/conversations/6a1f", "/deep/er/still"]
)
async def test_every_address_that_the_inbox_makes_up_is_the_page(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert "<title>Inbox</title>" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


async def test_files_with_a_hash_in_their_name_are_kept_for_ever(client: httpx.AsyncClient) -> None:
    script = await client.get("/assets/app-4f2a.js")
    icon = await client.get("/icon.svg")

    assert "immutable" in script.headers["cache-control"]
    assert icon.headers["content-type"].startswith("image/svg")
    assert icon.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.js",
        "/missing.png",
        "/.hidden",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/index.html%00.png",
        "/api/v1/nowhere",
        "/api",
        "/socket.io/",
        "/internal/drain",
        "/metrics",
        "/livez",
        "/docs/docs.js",
        "/openapi.json",
    ],
)
async def test_what_is_no_page_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "Inbox" not in answer.text


async def test_the_page_runs_nothing_from_elsewhere_and_is_framed_by_nobody(
    client: httpx.AsyncClient,
) -> None:
    headers = (await client.get("/")).headers

    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_answers_with_data_are_kept_and_shown_by_nobody(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/api/v1/nowhere"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in headers


async def test_over_tls_browsers_are_told_to_stay_there(inbox: Path) -> None:
    transport = httpx.ASGITransport(create_app(NOBODY, inbox=inbox))
    async with httpx.AsyncClient(transport=transport, base_url="https://pytake.test") as client:
        secure = await client.get("/")
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        plain = await client.get("/")

    assert "max-age" in secure.headers["strict-transport-security"]
    assert "strict-transport-security" not in plain.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://app.example.test", True), ("https://evil.test", False), ("null", False)],
)
async def test_other_origins_may_call_only_if_listed(
    client: httpx.AsyncClient, origin: str, allowed: bool
) -> None:
    preflight = await client.options(
        "/api/v1/conversations",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    simple = await client.get("/health", headers={"Origin": origin})

    for answer in (preflight, simple):
        given = answer.headers.get("access-control-allow-origin")
        assert given == (origin if allowed else None)
        assert "access-control-allow-credentials" not in answer.headers


async def test_without_a_list_no_other_origin_may_call(inbox: Path) -> None:
    transport = httpx.ASGITransport(create_app(NOBODY, inbox=inbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        answer = await client.get("/health", headers={"Origin": "https://app.example.test"})

    assert "access-control-allow-origin" not in answer.headers


async def test_without_a_build_the_page_says_how_to_make_one() -> None:
    transport = httpx.ASGITransport(create_app(NOBODY))
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        answer = await client.get("/")

    assert answer.status_code == 200
    assert "make web" in answer.text


async def test_the_documentation_is_there_only_where_enabled_and_loads_nothing() -> None:
    transport = httpx.ASGITransport(create_app(NOBODY, has_docs=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        page = await client.get("/docs")
        script = await client.get("/docs/docs.js")
        document = (await client.get("/openapi.json")).json()

    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "http://" not in page.text + script.text
    assert "https://" not in page.text + script.text
    assert document["openapi"].startswith("3.")
    assert document["components"]["schemas"]["SendMessage"]["properties"]["content"]
    assert document["paths"]["/api/v1/messages"]["post"]["security"] == [{"bearer": []}]


async def test_what_nobody_foresaw_is_internal_with_a_trace_id() -> None:
    """Without services the first route that asks for one breaks."""
    transport = httpx.ASGITransport(create_app(NOBODY))
    async with httpx.AsyncClient(transport=transport, base_url="http://pytake.test") as client:
        answer = await client.get("/api/v1/users", headers={"Authorization": "Bearer x"})

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.json()["retryable"] is True
    assert len(answer.json()["trace_id"]) == 32
    assert "NoneType" not in answer.text
