"""`pytake dev` as a newcomer meets it: one process, nothing else running."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.pods import Pod, run_pytake
from cluster.programs import ProgramFailed
from cluster.python_client import PythonClient
from cluster.waiting import scaled

pytestmark = pytest.mark.integration


class Dev(Pod):
    """The process; its settings are those of a fresh clone."""

    def __init__(self, folder: Path, name: str = "dev", **settings: str) -> None:
        super().__init__("api", name, folder, {"PYTAKE_DEMO": "quiet", **settings})
        self.command[1:] = ["dev"]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    with serving(tmp_path) as process:
        yield process


@contextmanager
def serving(folder: Path) -> Iterator[Dev]:
    process = Dev(folder)
    process.start()
    try:
        process.wait_until_serving()
        yield process
    finally:
        process.stop()


@pytest.fixture
async def http(dev: Dev) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=dev.address, timeout=10) as client:
        yield client


async def sign_in(http: httpx.AsyncClient, account: str = "ana") -> str:
    body = {"email": f"{account}@demo.pytake", "password": "demo"}
    answer = await http.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return token


async def conversations(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1/conversations", params={"limit": 100})
    found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return found


async def test_an_agent_writes_and_the_customer_answers_live(
    dev: Dev, http: httpx.AsyncClient
) -> None:
    token = await sign_in(http)
    ours = next(c for c in await conversations(http) if c["contact"]["name"] == "Juliana Prado")
    async with PythonClient(dev.address, token) as client:
        await client.call("join_conversation", {"conversation_id": ours["id"]})

        answer = await http.post(
            f"/api/v1/conversations/{ours['id']}/messages",
            json={"content": {"text": "O rastreio chegou?"}, "client_message_id": "1"},
        )

        assert answer.status_code == 201
        sent = answer.json()
        shown = await client.next("message:new")
        assert shown["id"] == sent["id"]
        for status in ("sent", "delivered", "read"):
            change = await client.next("message:status", within_seconds=20)
            assert (change["message_id"], change["status"]) == (sent["id"], status)
        reply = await client.next("message:new", within_seconds=20)
        assert reply["sender_type"] == "contact"
        seqs = [data["seq"] for _, data in client.events.received if data and "seq" in data]
        # The customer may write once more meanwhile.
        until_reply = seqs[1 : seqs.index(reply["seq"]) + 1]
        assert until_reply == list(range(shown["seq"], reply["seq"] + 1))


async def test_a_second_start_adds_nothing_and_opens_the_windows(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with serving(tmp_path) as dev:
            async with httpx.AsyncClient(base_url=dev.address) as http:
                await sign_in(http, "admin")
                seen.append({c["id"]: c for c in await conversations(http)})
                users = (await http.get("/api/v1/users")).json()["items"]
                assert len(users) == 3

    first, second = seen
    assert len(first) == 12
    assert {i: c["last_seq"] for i, c in first.items()} == {
        i: c["last_seq"] for i, c in second.items()
    }
    for conversation_id, before in first.items():
        assert second[conversation_id]["window_expires_at"] > before["window_expires_at"]


async def test_a_conversation_made_by_hand_can_be_written_in_at_once(
    http: httpx.AsyncClient,
) -> None:
    await sign_in(http)
    contact = {"name": "Marcos", "phone": "+5511977778888"}

    made = await http.post("/api/v1/conversations", json={"contact": contact})
    sent = await http.post(
        f"/api/v1/conversations/{made.json()['id']}/messages", json={"content": {"text": "Oi!"}}
    )

    assert made.status_code == 201
    assert made.json()["window_expires_at"] is not None
    assert sent.status_code == 201


async def test_the_one_port_serves_page_probes_metrics_and_simulator(
    http: httpx.AsyncClient,
) -> None:
    for path in ("/", "/health", "/readyz", "/startupz", "/openapi.json", "/simulator/"):
        assert (await http.get(path)).status_code == 200, path
    figures = (await http.get("/metrics")).text
    assert "pytake_message_delivery_seconds" in figures
    assert "pytake_sender_requests_total" in figures


async def test_a_drain_makes_it_not_ready_after_the_wait_that_was_asked_for(
    dev: Dev, http: httpx.AsyncClient
) -> None:
    seen = (await http.get("/internal/connections")).json()
    async with asyncio.TaskGroup() as tasks:
        started = time.monotonic()
        hook = tasks.create_task(http.get("/internal/drain", params={"wait": 1}))
        await until_not_ready(http)

        assert not hook.done()
    handshake = await http.get("/socket.io/", params={"EIO": 4, "transport": "polling"})

    assert set(seen) == {"pod", "items"}
    assert time.monotonic() - started >= 1
    assert hook.result().status_code == 202
    assert (await http.get("/readyz")).json()["reasons"] == {"drain": "draining"}
    assert "pytake_ready 0" in (await http.get("/metrics")).text.splitlines()
    assert handshake.status_code == 503


async def until_not_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(scaled(5)):
        while (await http.get("/readyz")).status_code != 503:
            await asyncio.sleep(0.02)


def test_a_signal_ends_it_with_status_0(dev: Dev) -> None:
    assert dev.stop() == 0


def test_a_host_that_others_can_reach_must_be_meant(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="--allow-remote"):
        run_pytake("dev", settings={"PYTAKE_HOST": "0.0.0.0"}, folder=tmp_path)  # noqa: S104
