"""Two gateways behind NGINX: every client, every transport, every way into a room."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol
from uuid import uuid4

import pytest

from cluster.__main__ import ACCOUNTS, PASSWORD, create_accounts, describe
from cluster.cluster import Cluster
from cluster.js_client import JsClient, JsClients
from cluster.pods import Pod
from cluster.postgres_server import PostgresServer
from cluster.python_client import PythonClient
from cluster.waiting import eventually

pytestmark = pytest.mark.integration

TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrading": ["polling", "websocket"],
}
Client = JsClient | PythonClient


class Connect(Protocol):
    """Connects one more client, of the kind and on the transport that the test runs with."""

    async def __call__(self, user: str) -> Client: ...


@pytest.fixture(params=["javascript", "python"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connect(cluster: Cluster, language: str, transport: str) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(
            JsClients(cluster.url, cluster.certificates.authority)
        )

        async def connect_one(user: str) -> Client:
            token, transports = cluster.token(user), TRANSPORTS[transport]
            if language == "javascript":
                client = await clients.connect(token, transports=transports)
                await client.next("$connect")
                return client
            return await stack.enter_async_context(
                PythonClient(cluster.url, token, tls=cluster.tls(), transports=transports)
            )

        yield connect_one


async def connections_of(pod: Pod) -> int:
    metrics = await asyncio.to_thread(pod.metrics)
    line = next(each for each in metrics.splitlines() if each.startswith("websocket_connections"))
    return int(float(line.split()[-1]))


async def test_a_message_reaches_the_members_on_both_pods(
    cluster: Cluster, connect: Connect, transport: str
) -> None:
    conversation = cluster.create_conversation()["id"]
    members = [await connect(f"agent-{number}") for number in range(4)]
    for member in members:
        answer = await member.call("join_conversation", {"conversation_id": conversation})
        assert answer["ok"], answer

    sent = [cluster.send(conversation, f"message {number}") for number in range(5)]

    for member in members:
        received = [await member.next("message:new") for _ in sent]
        assert [each["id"] for each in received] == [each["id"] for each in sent]
        assert [each["seq"] for each in received] == [each["seq"] for each in sent]
    assert all([await connections_of(gateway) > 0 for gateway in cluster.gateways])
    final = TRANSPORTS[transport][-1]
    for member in members:
        await eventually(partial(is_on, member, final), f"the client is on {final}")


async def is_on(client: Client, transport: str) -> bool:
    if isinstance(client, PythonClient):
        return client.transport == transport
    return bool((await client.state())["transport"] == transport)


@pytest.mark.parametrize("transport", ["websocket"], indirect=True)
async def test_a_stock_emitter_in_another_process_reaches_a_room(
    cluster: Cluster, connect: Connect
) -> None:
    conversation = cluster.create_conversation()["id"]
    members = [await connect(f"agent-{number}") for number in range(4)]
    for member in members:
        await member.call("join_conversation", {"conversation_id": conversation})

    await asyncio.to_thread(emit_from_another_process, cluster.redis.url, conversation)

    for member in members:
        assert await member.next("crm:note") == {"text": "a note", "of": conversation}
    assert all([await connections_of(gateway) > 0 for gateway in cluster.gateways])


def emit_from_another_process(redis_url: str, conversation: str) -> None:
    program = f"""
import asyncio, socketio

async def main():
    manager = socketio.AsyncRedisManager({redis_url!r}, write_only=True)
    await manager.emit(
        "crm:note",
        {{"text": "a note", "of": {conversation!r}}},
        room="conversation:" + {conversation!r},
    )

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


class TestSignals:
    """A pod ends with 0 when it is asked to, and at once when it is asked twice."""

    @pytest.fixture
    def own_cluster(self, postgres_server: PostgresServer) -> Iterator[Cluster]:
        # Long enough that a pod which waits for its window instead of its last client is noticed.
        with Cluster(postgres=postgres_server, settings={"PYTAKE_DRAIN_SECONDS": "20"}) as own:
            yield own

    async def test_sigterm_ends_every_pod_with_0_and_a_second_one_at_once(
        self, own_cluster: Cluster
    ) -> None:
        impatient, patient = own_cluster.gateways
        token = own_cluster.token(f"user-{uuid4()}")
        async with PythonClient(impatient.address, token):
            impatient.send_signal(signal.SIGTERM)
            await eventually(lambda: impatient.probe("/readyz") == 503, "the pod drains")

            impatient.send_signal(signal.SIGTERM)

            assert await asyncio.to_thread(impatient.wait, 2) != 0
        for pod in (patient, *own_cluster.apis, *own_cluster.relays):
            pod.send_signal(signal.SIGTERM)
        for pod in (patient, *own_cluster.apis, *own_cluster.relays):
            assert await asyncio.to_thread(pod.wait, 10) == 0, pod.last_words()


async def test_the_accounts_of_make_cluster_sign_in_through_the_proxy(cluster: Cluster) -> None:
    token = await asyncio.to_thread(create_accounts, cluster)

    with cluster.api() as api:
        for email, role in ACCOUNTS.items():
            answer = api.post("/auth/login", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            assert answer.json()["user"]["role"] == role
    description = describe(cluster, token)
    assert cluster.url in description
    assert all(pod.address in description for pod in cluster.pods)
