"""A WhatsApp number with a customer who answers, in an organization of its own.

In the organization of the other traffic nothing has a channel, so that no 24-hour window
keeps anybody from writing there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from cluster.cluster import Cluster
from cluster.pods import Pod
from cluster.programs import free_port
from cluster.python_client import PythonClient
from cluster.waiting import eventually, scaled

ORGANIZATION = "shop"
CUSTOMER = "5511912345678"
NUMBER = "1065"
SECRETS = {
    "PYTAKE_WHATSAPP_APP_SECRET": "the app secret of this test",
    "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify",
}
_ACCESS_TOKEN = "the access token of this test"


class Simulated:
    """Where the simulator will be, for the settings of the cluster that comes first."""

    def __init__(self) -> None:
        self.port = free_port()

    @property
    def settings(self) -> dict[str, str]:
        return SECRETS | {"PYTAKE_WHATSAPP_API_URL": f"http://127.0.0.1:{self.port}"}

    @contextlib.contextmanager
    def running(self, cluster: Cluster) -> Iterator[Pod]:
        """Run the simulator against the cluster."""
        more = {
            "PYTAKE_WHATSAPP_ACCESS_TOKEN": _ACCESS_TOKEN,
            "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        }
        pod = Pod("simulate-whatsapp", "simulator", cluster.folder, cluster.settings | more)
        assert pod.env is not None
        pod.env["PYTAKE_PORT"] = str(self.port)
        pod.command += ["--webhook-url", cluster.apis[0].address, "--quiet"]
        pod.start()
        try:
            pod.wait_until_serving()
            yield pod
        finally:
            pod.kill()


class ChannelTraffic:
    """An agent who watches, a customer who answers, and a bot who writes to the customer."""

    def __init__(self, cluster: Cluster, simulator: Pod) -> None:
        self._cluster = cluster
        self._simulator = simulator
        self._stack = contextlib.AsyncExitStack()

    def _token(self, user: str, role: str) -> str:
        return self._cluster.token(user, role=role, organization=ORGANIZATION)

    async def __aenter__(self) -> ChannelTraffic:
        api = await self._stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"{self._cluster.apis[0].address}/api/v1",
                headers={"Authorization": f"Bearer {self._token('owner', 'admin')}"},
                timeout=scaled(5),
            )
        )
        channel = {"name": "Shop", "phone_number_id": NUMBER, "access_token": _ACCESS_TOKEN}
        if not (await api.get("/channels")).json()["items"]:
            (await api.post("/channels", json=channel)).raise_for_status()
        conversation = await eventually(lambda: self._conversation(api), "the customer's row", 30)
        agent = PythonClient(
            self._cluster.gateways[0].address,
            self._token("seller", "agent"),
            auth={"features": ["status_batch", "receipts"]},
        )
        await self._stack.enter_async_context(agent)
        answer = await agent.call("join_conversation", {"conversation_id": conversation})
        assert answer["ok"], answer
        working = asyncio.create_task(self._write(api, conversation))
        self._stack.callback(working.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _conversation(self, api: httpx.AsyncClient) -> str | None:
        """The conversation, once the customer's first message has come in."""
        items: list[dict[str, Any]] = (await api.get("/conversations")).json()["items"]
        if items:
            return str(items[0]["id"])
        control = f"{self._simulator.address}/control/customers"
        person = {"phone": CUSTOMER, "name": "Clara", "persona": "friendly"}
        (await api.post(control, json=person)).raise_for_status()
        await self.customer_writes()
        await asyncio.sleep(1)
        return None

    async def customer_writes(self) -> None:
        """Let the customer write once."""
        url = f"{self._simulator.address}/control/customers/{CUSTOMER}/messages"
        async with httpx.AsyncClient(timeout=scaled(5)) as client:
            (await client.post(url, json={"text": "texto secreto"})).raise_for_status()

    async def _write(self, api: httpx.AsyncClient, conversation: str) -> None:
        body = {"message_type": "text", "content": {"text": "texto secreto"}}
        while True:
            with contextlib.suppress(httpx.TransportError):
                await api.post(f"/conversations/{conversation}/messages", json=body)
            # No faster than WhatsApp lets one customer be written to: what waits would be an alert.
            await asyncio.sleep(7)
