"""Starts the REST API in the test's own loop, and signs tokens for it."""

import asyncio
import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import uvicorn

from pytake.application.announce import Announcer
from pytake.domain.events import ConversationEvent
from pytake.messages_api.app import build_routes
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import Tracing
from pytake.processes.clock import utc_now
from pytake.processes.rest import build_limits, build_rest, build_services
from pytake.processes.server import bind
from pytake.processes.tokens import Tokens, build_tokens
from pytake.settings import Settings, load
from pytake.store import Store, migrate, open_store
from pytake.tokens.rights import PolledRights

SECRET = "test-secret-of-enough-bytes-for-hmac"
PREFIX = "/api/v1"


@dataclass
class Heard:
    """What was announced after commits: events to pods, notices to rooms."""

    events: list[ConversationEvent] = field(default_factory=list)
    notices: list[tuple[tuple[str, ...], str, Mapping[str, Any]]] = field(default_factory=list)

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        self.events.extend(events)

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        self.notices.append((tuple(rooms), event, data))


@dataclass
class Person:
    """Somebody with a token, who speaks HTTP."""

    client: httpx.AsyncClient
    user_id: str
    organization_id: str
    token: str

    async def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **given.pop("headers", {})}
        return await self.client.request(method, PREFIX + path, headers=headers, **given)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.call("POST", path, json=body)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=body)

    async def opens_conversation(self, phone: str = "+5511987654321") -> dict[str, Any]:
        answer = await self.post("/conversations", {"contact": {"name": "Rui", "phone": phone}})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def writes(self, conversation_id: str, text: str, **more: Any) -> httpx.Response:
        body = {"message_type": "text", "content": {"text": text}, **more}
        return await self.post(f"/conversations/{conversation_id}/messages", body)


@dataclass
class RestServer:
    """The running API and what stands behind it."""

    client: httpx.AsyncClient
    settings: Settings
    store: Store
    rights: PolledRights
    tokens: Tokens
    heard: Heard
    metrics: Metrics
    document: dict[str, Any]
    organization_id: str = field(default_factory=lambda: str(uuid4()))
    claims: dict[str, Any] = field(default_factory=dict)
    """What every token of a test says besides, such as `iss` and `aud`."""

    def token(self, *, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
        now = datetime.now(UTC)
        everything = (
            {
                "sub": str(uuid4()),
                "organization_id": self.organization_id,
                "role": "agent",
                "iat": now.timestamp(),
                "exp": int((now + timedelta(minutes=5)).timestamp()),
            }
            | self.claims
            | claims
        )
        return jwt.encode(everything, secret, algorithm=algorithm)

    async def person(
        self, role: str = "agent", *, name: str = "", organization_id: str | None = None
    ) -> Person:
        """Return somebody of the organization, known to the store."""
        organization_id = organization_id or self.organization_id
        user_id = str(uuid4())
        token = self.token(sub=user_id, role=role, name=name, organization_id=organization_id)
        await self.store.users.ensure_principal(await self.tokens.verify(token))
        return Person(self.client, user_id, organization_id, token)


@asynccontextmanager
async def rest_server(folder: Path, **settings: Any) -> AsyncIterator[RestServer]:
    """Run the API over a new SQLite file in the folder; `settings` as in `pytake.settings`."""
    chosen: dict[str, Any] = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'rest.db'}",
        "jwt_secret": SECRET,
        "http_rate_limit": (100_000, 60.0),
        "http_rate_limit_bot": (100_000, 60.0),
        "login_rate_limit": (100_000, 60.0),
        "organization_rate_limit": (100_000, 10.0),
        "media_url": f"file:{folder / 'media'}",
    } | settings
    loaded = load("command", **chosen)
    if loaded.database_url == f"sqlite+aiosqlite:///{folder / 'rest.db'}":
        shutil.copyfile(await _migrated(), folder / "rest.db")
    async with open_store(loaded.database_url) as store:
        heard, metrics = Heard(), Metrics("api")
        announce = Announcer(heard, heard, store.outbox, store.conversations)
        rights = PolledRights(store.rights, utc_now)
        tokens = build_tokens(loaded, rights, utc_now)
        services = build_services(
            loaded,
            store,
            announce=announce,
            notifier=heard,
            tokens=tokens,
            rights=rights,
            limits=build_limits(loaded),
            clock=utc_now,
            link_key=await store.link_key(),
        )
        document = build_routes(services).openapi()
        app = build_rest(loaded, services, metrics=metrics, tracing=Tracing())
        announcing = asyncio.create_task(announce.run())
        async with listening(app) as base, httpx.AsyncClient(base_url=base, timeout=20) as client:
            yield RestServer(client, loaded, store, rights, tokens, heard, metrics, document)
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
        await tokens.close()


_template: Path | None = None


async def _migrated() -> Path:
    """Return an empty database of the newest schema, made once for all tests."""
    global _template
    if _template is None:
        folder = Path(tempfile.mkdtemp(prefix="pytake-rest-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        await migrate(f"sqlite+aiosqlite:///{folder / 'empty.db'}")
        with sqlite3.connect(folder / "empty.db") as connection:
            # Everything into the one file that will be copied.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        _template = folder / "empty.db"
    return _template


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """Serve an application on a free port of this machine; give its base address."""
    bound = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", proxy_headers=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([bound]))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
