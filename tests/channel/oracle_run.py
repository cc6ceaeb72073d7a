"""The long talk: agents, customers and every fault, and an oracle that counts afterwards.

The platform runs whole in this process (API, gateway, relay), WhatsApp is the simulator, the
watching clients are python-socketio's own over a real socket. What is random depends on the
seed alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from channel.watchers import Watchers
from cluster.waiting import eventually, scaled
from pytake.domain.errors import Unavailable
from pytake.domain.principal import Role
from pytake.processes import dev_key
from pytake.processes.single import Single, open_single
from pytake.processes.whatsapp import Timing
from pytake.settings import Settings, load
from pytake.simulator.app import SimulatorOptions
from pytake.simulator.faults import Faults
from pytake.simulator.oracle import Verdict
from pytake.store import migrate, open_store
from pytake.whatsapp.pacing import Pacing

UNLIMITED = "100000000/minute"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a talk it is. Half of the messages are customers', half are agents'.

    After `seconds` nobody begins to speak any more; what was said is judged all the same.
    """

    messages: int
    customers: int = 50
    seed: int = 1
    fault_probability: float = 0.05
    large_body_bytes: int = 3 * 1024 * 1024
    large_body_probability: float | None = None
    watchers: int = 2
    talking_at_once: int = 20
    seconds: float | None = None

    @property
    def faults(self) -> Faults:
        # Without 131047: it ends the window, and then nobody may answer until the customer writes.
        codes = (131026, 131049, 131051, 131053, 132015)
        faults = replace(Faults.all_at(self.fault_probability), failure_codes=codes)
        large = self.large_body_probability
        return faults if large is None else faults.changed({"large_body": large})


@dataclass(slots=True)
class Outcome:
    """What the run found."""

    verdict: Verdict
    counts: dict[str, int]
    seconds: float
    posts: int
    refused_forgeries: int
    accepted_forgeries: int
    given_up: int
    quarantined: int
    watched_events: int
    asked: int
    fingerprint: str
    latencies: list[float] = field(repr=False, default_factory=list)


def settings_of(folder: Path, database_url: str | None = None) -> Settings:
    """Settings of a platform of its own in a folder, without limits that the run would meet."""
    settings = load(
        "dev",
        database_url=database_url or f"sqlite+aiosqlite:///{folder}/pytake.db",
        media_url=f"file:{folder}/media",
        http_rate_limit_bot=UNLIMITED,
        http_rate_limit=UNLIMITED,
        event_rate_limit="100000/1",
        access_token_ttl="12h",
        # Clients and servers share one process here: a late ping is no lost connection, and
        # who has not read yet is no slow consumer.
        ping_interval=10,
        ping_timeout=120,
        send_buffer_bytes=100_000_000,
        demo="off",
    )
    return dev_key.complete(settings, folder)


class Talk:
    """One run, from nothing to the verdict."""

    def __init__(self, plan: Plan, folder: Path, database_url: str | None = None) -> None:
        self.plan = plan
        self.settings = settings_of(folder, database_url)
        self._asked: dict[str, str] = {}
        self._conversations: list[str] = []

    async def run(self) -> Outcome:
        """Talk until everything is said and has settled, then judge."""
        await migrate(self.settings.database_url)
        async with open_store(self.settings.database_url) as store:
            self._store = store
            self._organization = await store.users.create_organization("Oracle")
            simulated = self._simulated()
            await store.channels.ensure_channel(
                self._organization,
                name="Number",
                phone_number_id=simulated.phone_number_id,
                access_token=simulated.access_token,
            )
            bot = await store.users.create_user(
                self._organization, email=None, name="Bot", role=Role.BOT, password_hash=None
            )
            async with (
                open_single(
                    self.settings,
                    store,
                    simulated,
                    default_organization=self._organization,
                    timing=FAST,
                    request_seconds=5.0,
                ) as single,
                _running(single),
            ):
                assert single.tokens.issue is not None
                token = single.tokens.issue(bot).token
                return await self._talk(single, token)

    def _simulated(self) -> SimulatorOptions:
        def secret(name: str) -> str:
            return str(getattr(self.settings, name).get_secret_value())

        return SimulatorOptions(
            webhook_url="http://pytake",
            app_secret=secret("whatsapp_app_secret"),
            access_token=secret("whatsapp_access_token"),
            verify_token=secret("whatsapp_verify_token"),
            seed=self.plan.seed,
            faults=self.plan.faults,
            per_second=None,
            pace=None,
            large_body_bytes=self.plan.large_body_bytes,
            sent_after=(0.02, 0.1),
            delivered_after=(0.05, 0.3),
            read_after=(0.1, 0.6),
        )

    async def _talk(self, single: Single, token: str) -> Outcome:
        simulator = single.simulator
        assert await simulator.verify()
        began = time.monotonic()
        async with (
            _client(single, token) as api,
            _watchers(single, token, self.plan.watchers) as watchers,
        ):
            await self._introduce(single, api, watchers)
            self._silent_at = began + (self.plan.seconds or float("inf"))
            gate = asyncio.Semaphore(self.plan.talking_at_once)
            async with asyncio.TaskGroup() as group:
                for number in range(self.plan.customers):
                    group.create_task(self._converse(single, api, number, gate))
            await self._settle(single, api)
            seconds = time.monotonic() - began
            stored = await self._stored(api)
            watched = await watchers.seen()
            poison = await self._store.quarantine.items(self._organization, cursor=None, limit=100)
        postman = simulator.postman
        return Outcome(
            verdict=simulator.oracle.judge(stored, watched, asked=self._asked),
            counts=simulator.oracle.counts(),
            seconds=seconds,
            posts=postman.posts,
            refused_forgeries=postman.refused_forgeries,
            accepted_forgeries=postman.accepted_forgeries,
            given_up=postman.given_up,
            quarantined=len(poison.items),
            watched_events=sum(len(events) for events in watched.values()),
            asked=len(self._asked),
            fingerprint=simulator.oracle.fingerprint(),
            latencies=sorted(postman.latencies),
        )

    async def _introduce(self, single: Single, api: httpx.AsyncClient, watchers: Watchers) -> None:
        """Each customer writes once, so that there are conversations to be watched."""
        world = single.simulator.world
        for number in range(self.plan.customers):
            world.add_customer(_phone(number), f"Cliente {number}")
        for customer in list(world.customers.values()):
            single.simulator.course.write(customer, _text(f"{customer.name}: primeira"))

        async def all_are_there() -> bool:
            self._conversations = [c["id"] for c in await _conversations(api)]
            return len(self._conversations) == self.plan.customers

        await eventually(all_are_there, "every customer has a conversation", 60)
        await watchers.join(self._conversations)

    async def _converse(
        self, single: Single, api: httpx.AsyncClient, number: int, gate: asyncio.Semaphore
    ) -> None:
        """One customer and the agents: by turns, each writing as much as the other."""
        customer = single.simulator.world.customer(_phone(number))
        assert customer is not None
        conversation_id = self._conversations[number]
        for turn in range(max(1, self.plan.messages // self.plan.customers // 2)):
            if time.monotonic() > self._silent_at:
                return
            async with gate:
                single.simulator.course.write(customer, _text(f"{customer.name}: fala {turn}"))
                await self._answer(api, conversation_id, number, turn)

    async def _answer(
        self, api: httpx.AsyncClient, conversation_id: str, number: int, turn: int
    ) -> None:
        text = f"resposta {turn} na conversa {number}"
        body = {"content": {"text": text}, "client_message_id": f"{number}.{turn}"}
        path = f"/api/v1/conversations/{conversation_id}/messages"
        answer = await api.post(path, json=body)
        while answer.status_code == 503:
            # As clients do: the same again, which the client_message_id makes safe.
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            answer = await api.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        self._asked[answer.json()["id"]] = text

    async def _settle(self, single: Single, api: httpx.AsyncClient) -> None:
        """Return when nothing is on its way any more, on either side."""

        async def is_quiet() -> bool:
            try:
                figures = await self._waiting()
            except Unavailable:
                # A database that is slow for a moment has lost nothing; what it has is judged.
                return False
            return single.simulator.postman.is_idle and not any(figures)

        quiet = 0
        deadline = time.monotonic() + scaled(120 + self.plan.messages / 50)
        while quiet < 5:
            assert time.monotonic() < deadline, await self._waiting()
            quiet = quiet + 1 if await is_quiet() else 0
            await asyncio.sleep(0.2)

    async def _waiting(self) -> tuple[int, int, int]:
        store = self._store
        return (
            (await store.webhooks.depth())[0],
            (await store.send_queue.depth())[0],
            (await store.outbox.depth())[0],
        )

    async def _stored(self, api: httpx.AsyncClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for conversation_id in [c["id"] for c in await _conversations(api)]:
            rows: list[dict[str, Any]] = []
            before: int | None = None
            while before is None or before > 1:
                query = {"limit": 100} | ({"before_seq": before} if before else {})
                path = f"/api/v1/conversations/{conversation_id}/messages"
                page = (await api.get(path, params=query)).raise_for_status().json()["items"]
                if not page:
                    break
                rows = page + rows
                before = page[0]["seq"]
            found += rows
        return found


FAST = Timing(
    unconfirmed_wait=timedelta(seconds=8),
    pacing=lambda: Pacing(
        number_per_second=10_000,
        number_burst=10_000,
        pair_seconds=0.0001,
        pair_burst=10_000,
        number_pause=0.02,
        pair_pause=0.02,
    ),
    media_waits=(0.2, 0.5, 1.0),
)


def _phone(number: int) -> str:
    return f"55119{80_000_000 + number}"


def _text(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": f"{body} – ção 😊"}}


async def _conversations(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return all conversations in the order of the customers' numbers."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/api/v1/conversations", params=query)).raise_for_status().json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return sorted(found, key=lambda c: int(c["contact"]["name"].rpartition(" ")[2]))


@asynccontextmanager
async def _client(single: Single, token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(single.rest),
        base_url="http://pytake",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


@asynccontextmanager
async def _running(single: Single) -> AsyncIterator[None]:
    """Keep the background work going, and end it."""
    tasks = [asyncio.ensure_future(work()) for work in single.works]
    try:
        yield
    finally:
        failed = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in failed:
            task.result()


@asynccontextmanager
async def _watchers(single: Single, token: str, count: int) -> AsyncIterator[Watchers]:
    """Serve the gateway on a free port and connect clients."""
    config = uvicorn.Config(
        single.app, host="127.0.0.1", port=0, log_config=None, lifespan="off", **single.options
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    try:
        await eventually(lambda: server.started, "the process serves")
        port = server.servers[0].sockets[0].getsockname()[1]
        async with Watchers(f"http://127.0.0.1:{port}", token, count) as watchers:
            yield watchers
    finally:
        server.should_exit = True
        await serving
