"""The whole gateway under the load generator: `pytake gateway` with a store in memory.

    SECRET=… REDIS_URL=… python tests/load/peers/gateway_peer.py PORT

Everything between socket and store is the product's own process: tokens, the cap and the budgets
in Redis, guard, sequencer, metrics, freezes. The store answers every question from memory: any
conversation exists and may be seen. With DATABASE_URL it is not replaced, and this is
`pytake gateway` itself. Three liberties for the generator's sake: `bench:send` puts a message
into the conversation, as the feed would, events without weight (`ping`, `message:receipt`) are
charged like the others instead of being held to ten a second, and budgets and handshakes are as
good as unlimited (they are counted all the same).
"""

import contextlib
import gc
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pytake.contract.client_events import CLIENT_EVENTS, ClientPayload, UuidText
from pytake.domain.conversation import Access
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, OrganizationId
from pytake.gateway import guard
from pytake.gateway.connection import Connection
from pytake.gateway.handlers import Handlers, Reply
from pytake.gateway.pod import Gateway, Options, Ports
from pytake.observability import logs
from pytake.processes import gateway as process
from pytake.processes.start import run
from pytake.settings import load
from pytake.store import Store, migrate, open_store

ORGANIZATION = OrganizationId("0a0a0a0a-0000-4000-8000-000000000001")
UNLIMITED = "1000000000/1"


class BenchSend(ClientPayload):
    conversation_id: UuidText
    content: str


class MemoryEventLog:
    """Any conversation: unassigned, never written to."""

    async def access(self, conversation_ids: Sequence[ConversationId]) -> Mapping[Any, Access]:
        return {each: Access(ORGANIZATION, None, 1, 1) for each in conversation_ids}

    async def heads(self, conversation_ids: Sequence[ConversationId]) -> Mapping[Any, int]:
        return dict.fromkeys(conversation_ids, 0)

    async def replay(self, requests: Sequence[Any]) -> Mapping[Any, Any]:
        return {}

    async def oldest_kept(self, conversation_ids: Sequence[ConversationId]) -> Mapping[Any, int]:
        return dict.fromkeys(conversation_ids, 1)

    async def epoch(self) -> str:
        return "bench"


class MemoryUsers:
    async def ensure_principal(self, principal: Any) -> None:
        """Everybody is known."""

    async def user(self, *_: Any) -> None: ...

    async def users(self, *_: Any) -> Sequence[Any]:
        return ()


@contextlib.asynccontextmanager
async def memory_store(settings: Any) -> AsyncIterator[Store]:
    """A small real one, with answers from memory where gateways ask."""
    with tempfile.TemporaryDirectory(prefix="pytake-peer-") as folder:
        url = f"sqlite+aiosqlite:///{folder}/store.db"
        await migrate(url)
        async with open_store(url) as store:
            store.event_log = MemoryEventLog()  # type: ignore[assignment]
            store.users = MemoryUsers()  # type: ignore[assignment]
            yield store


def take_bench_events() -> None:
    """Let connections publish, and charge what weighs nothing."""
    CLIENT_EVENTS["bench:send"] = BenchSend
    guard.WEIGHTS.update({"bench:send": 1, "ping": 1, "message:receipt": 1})
    builds_sessions = Gateway._build_sessions

    def build_sessions(gateway: Gateway, options: Options, ports: Ports) -> None:
        builds_sessions(gateway, options, ports)

        async def send(connection: Connection, payload: BenchSend, reply: Reply) -> None:
            room = gateway.rooms.get(ConversationId(payload.conversation_id))
            if room is not None:
                gateway.rooms.on_event(message(payload, room.head + 1))
            reply({})

        handlers: Handlers = gateway.sessions.handlers
        handlers.by_event["bench:send"] = send

    setattr(Gateway, "_build_sessions", build_sessions)  # noqa: B010


def message(payload: BenchSend, seq: int) -> ConversationEvent:
    now = datetime.now(UTC)
    data = {
        "id": str(uuid.uuid4()),
        "conversation_id": payload.conversation_id,
        "seq": seq,
        "direction": "inbound",
        "message_type": "text",
        "content": payload.content,
        "sender_id": "6ae9ebac-0000-4000-8000-000000000001",
        "status": "pending",
        "created_at": now.isoformat(timespec="milliseconds"),
    }
    return ConversationEvent(
        organization_id=ORGANIZATION,
        conversation_id=ConversationId(payload.conversation_id),
        seq=seq,
        name="message:new",
        data=orjson.dumps(data),
        created_at=now,
        acl_version=1,
        organization_acl_version=1,
    )


def note_pauses(file: Path) -> None:
    """Write the seconds of each stop by the collector into a file, one a line, from now on."""
    notes = file.open("w", buffering=1)
    began = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            notes.write(f"{time.perf_counter() - began:.6f}\n")

    gc.callbacks.append(note)


def main(port: int) -> None:
    database = os.environ.get("DATABASE_URL", "")
    if not database:
        setattr(process, "opened_store", memory_store)  # noqa: B010  # imported there
    take_bench_events()
    if pauses := os.environ.get("PAUSES"):
        note_pauses(Path(pauses))
    logs.configure("gateway", level="error")
    settings = load(
        "gateway",
        port=port,
        metrics_port=int(os.environ.get("METRICS_PORT", "0")),
        jwt_secret=os.environ["SECRET"],
        redis_url=os.environ["REDIS_URL"],
        database_url=database or "sqlite+aiosqlite:///unused.db",
        handshake_rate=1e9,
        event_rate_limit=UNLIMITED,
        max_connections=1_000_000,
        ping_interval=float(os.environ.get("PING_INTERVAL", "25")),
    )
    run(lambda: process.serve_gateway(settings))


if __name__ == "__main__":
    main(int(sys.argv[1]))
