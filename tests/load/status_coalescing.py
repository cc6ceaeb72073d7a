"""How many frames `status_batch` saves: a burst of 3,000 statuses for one conversation.

    python tests/load/status_coalescing.py                # 50 clients of each kind
    python tests/load/status_coalescing.py --clients 5 --messages 100

API, relay and gateway on PostgreSQL and Redis. Each of 1,000 messages of one conversation is
reported as sent, delivered and read by signed webhooks, as fast as they are taken; half of the
clients ask for batches. Prints the frames of each kind and exits 1 when a client missed a status
or batches save less than ten times.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jwt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.pods import Pod, run_pytake
from cluster.postgres_server import PostgresServer
from cluster.programs import Program, temporary_folder
from cluster.redis_server import RedisServer
from cluster.waiting import eventually
from pytake.bench.link import Link
from pytake.bench.swarm import Address

TARGET = 10
SECRET = "a secret of thirty-two bytes or so"
APP_SECRET = "app secret"
NUMBER = "1065"
CUSTOMER = "5511987654321"
WAY = ("sent", "delivered", "read")
STATUSES_A_BODY = 100


class Client:
    """One reader of the conversation: counts frames, and knows what it has been told."""

    def __init__(self, *, batches: bool) -> None:
        self.batches = batches
        self.frames: Counter[str] = Counter()
        self.bytes_before = 0
        self.head = 0
        self.holes = 0
        self.last: dict[str, str] = {}
        self.joined = asyncio.Event()

    async def connect(self, url: str, token: str, conversation_id: str) -> None:
        """Connect and join; returns once the conversation is followed."""
        features = ["status_batch"] if self.batches else []
        self._auth = "40" + json.dumps({"token": token, "features": features})
        join = ["join_conversation", {"conversation_id": conversation_id}]
        self._join = "421" + json.dumps(join)
        parts = urlsplit(url)
        address = Address(str(parts.hostname), parts.port or 80, str(parts.hostname))
        self.link = Link(address, self._take, lambda head: None)
        await self.link.open()
        async with asyncio.timeout(30):
            await self.joined.wait()
        self.bytes_before = self.link.received_bytes

    def _take(self, packet: bytes) -> None:
        if packet.startswith(b"0"):
            self.link.send(self._auth)
        elif packet.startswith(b"40"):
            self.link.send(self._join)
        elif packet == b"2":
            self.link.send("3")
        elif packet.startswith(b"431"):
            self.head = json.loads(packet[3:])[0]["seq"]
            self.joined.set()
        elif packet.startswith(b'42["message:status'):
            event, data = json.loads(packet[2:])
            self.frames[event] += 1
            self._see(data)

    def _see(self, data: dict[str, Any]) -> None:
        first = data["first_seq"] if "updates" in data else data["seq"]
        self.holes += first != self.head + 1
        self.head = data["last_seq"] if "updates" in data else first
        for update in data.get("updates", [data]):
            self.last[update["message_id"]] = update["status"]

    @property
    def received_bytes(self) -> int:
        return self.link.received_bytes - self.bytes_before


def body_of(**value: Any) -> bytes:
    metadata = {"phone_number_id": NUMBER}
    change = {"field": "messages", "value": {"metadata": metadata} | value}
    return json.dumps({"entry": [{"id": "1", "changes": [change]}]}).encode()


async def post_webhook(api: httpx.AsyncClient, body: bytes) -> None:
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}"}
    answer = await api.post("/api/v1/webhooks/whatsapp", content=body, headers=headers)
    answer.raise_for_status()


async def open_conversation(api: httpx.AsyncClient) -> str:
    """Let the customer write, and return the conversation that comes of it."""
    text = {
        "id": "wamid.in",
        "from": CUSTOMER,
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": "oi"},
    }
    await post_webhook(api, body_of(messages=[text]))

    async def found() -> list[Any]:
        items: list[Any] = (await api.get("/api/v1/conversations")).json()["items"]
        return items

    [conversation] = await eventually(found, "the conversation", 30)
    return str(conversation["id"])


async def write_messages(api: httpx.AsyncClient, conversation_id: str, count: int) -> list[str]:
    gate = asyncio.Semaphore(20)

    async def write(number: int) -> str:
        async with gate:
            path = f"/api/v1/conversations/{conversation_id}/messages"
            answer = await api.post(path, json={"content": {"text": f"mensagem {number}"}})
            return str(answer.raise_for_status().json()["id"])

    return list(await asyncio.gather(*(write(number) for number in range(count))))


async def report_all(api: httpx.AsyncClient, message_ids: Sequence[str]) -> None:
    """Report each message three times, in mixed bodies of a hundred."""
    statuses = [
        {
            "id": f"wamid.{message_id}",
            "status": status,
            "timestamp": str(int(time.time())),
            "biz_opaque_callback_data": message_id,
        }
        for status in WAY
        for message_id in message_ids
    ]
    for start in range(0, len(statuses), STATUSES_A_BODY):
        await post_webhook(api, body_of(statuses=statuses[start : start + STATUSES_A_BODY]))


async def burst(
    api_url: str, gateway_url: str, organization: str, given: argparse.Namespace
) -> bool:
    claims = {"sub": str(uuid4()), "organization_id": organization, "role": "bot", "name": "Bot"}
    token = jwt.encode(claims | {"exp": time.time() + 3600}, SECRET)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=api_url, headers=headers, timeout=30) as api:
        conversation_id = await open_conversation(api)
        message_ids = await write_messages(api, conversation_id, given.messages)
        clients = [Client(batches=n % 2 == 0) for n in range(2 * given.clients)]
        for number, client in enumerate(clients):
            own = jwt.encode(
                claims | {"sub": str(uuid4()), "name": f"{number}", "exp": time.time() + 3600},
                SECRET,
            )
            await client.connect(gateway_url, own, conversation_id)
        before = clients[0].head
        began = time.monotonic()
        await report_all(api, message_ids)
        posted = time.monotonic() - began
        expected = before + len(WAY) * len(message_ids)
        await eventually(lambda: all(c.head >= expected for c in clients), "all is told", 300)
        seconds = time.monotonic() - began
    return show(clients, message_ids, posted, seconds)


def show(
    clients: Sequence[Client], message_ids: Sequence[str], posted: float, seconds: float
) -> bool:
    total = len(WAY) * len(message_ids)
    print(f"{total} statuses: posted in {posted:.1f} s, told to everybody after {seconds:.1f} s")
    frames: dict[bool, float] = {}
    for batches in (False, True):
        kind = [client for client in clients if client.batches is batches]
        frames[batches] = sum(sum(client.frames.values()) for client in kind) / len(kind)
        size = sum(client.received_bytes for client in kind) / len(kind)
        name = "status_batch" if batches else "single"
        print(f"{name:13} {frames[batches]:8.1f} frames and {size / 1000:.0f} kB a client")
    ratio = frames[False] / frames[True]
    whole = [c for c in clients if c.holes == 0 and set(c.last) == set(message_ids)]
    wrong = sum(status != "read" for client in clients for status in client.last.values())
    print(f"{ratio:.0f} times fewer frames with status_batch (target {TARGET})")
    print(f"{len(clients) - len(whole)} of {len(clients)} clients missed something, ", end="")
    print(f"{wrong} messages did not end as read")
    return ratio >= TARGET and len(whole) == len(clients) and wrong == 0


def start(stack: ExitStack, program: Program) -> None:
    program.start()
    stack.callback(program.kill)
    program.wait_until_serving(60)


def run(given: argparse.Namespace) -> bool:
    folder = temporary_folder("status-coalescing")
    with ExitStack() as stack:
        postgres, redis = PostgresServer(folder, durable=True), RedisServer(folder)
        start(stack, postgres)
        start(stack, redis)
        settings = {
            "PYTAKE_DATABASE_URL": postgres.database_url(
                postgres.create_database(), driver="postgresql+asyncpg"
            ),
            "PYTAKE_REDIS_URL": redis.url,
            "PYTAKE_JWT_SECRET": SECRET,
            "PYTAKE_MEDIA_URL": f"file:{folder / 'media'}",
            "PYTAKE_HTTP_RATE_LIMIT_BOT": "1000000/minute",
            "PYTAKE_WHATSAPP_APP_SECRET": APP_SECRET,
            "PYTAKE_WHATSAPP_ACCESS_TOKEN": "token",
            "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": NUMBER,
            "PYTAKE_WHATSAPP_API_URL": "http://127.0.0.1:9",
        }
        run_pytake("migrate", settings=settings, folder=folder)
        organization = run_pytake(
            "create", "organization", "Loja", settings=settings, folder=folder
        ).strip()
        api = Pod("api", "api", folder, settings)
        relay = Pod("relay", "relay", folder, settings)
        gateway = Pod("gateway", "gateway", folder, settings)
        for pod in (api, relay, gateway):
            start(stack, pod)
        return asyncio.run(burst(api.address, gateway.address, organization, given))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50, help="of each kind")
    parser.add_argument("--messages", type=int, default=1000, help="each with three statuses")
    return 0 if run(parser.parse_args()) else 1


if __name__ == "__main__":
    sys.exit(main())
