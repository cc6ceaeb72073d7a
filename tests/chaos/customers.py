"""Customers on the other side: a simulated WhatsApp, as a process of its own.

What they write comes in by signed webhooks, repeated until they are answered with 200; what
agents write goes out and comes back as `sent`, `delivered` and `read`, twice and out of order.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from cluster.cluster import Cluster
from cluster.pods import Pod
from cluster.programs import free_port

NUMBER = "106540352242922"
ACCESS_TOKEN = "access token of the simulated number"
FAULTS = {
    "duplicate": 0.05, "simultaneous_duplicate": 0.05, "reorder": 0.2,
    "read_without_delivered": 0.1, "drop": 0.05, "batch": 0.3,
}  # fmt: skip
PHONE = "55119{:08d}"


class Customers:
    """The simulator beside a cluster; made before the cluster starts, which must know its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self._pod: Pod | None = None
        self.organization = ""

    @property
    def settings(self) -> dict[str, str]:
        """What API and relays must know of the simulated provider."""
        return {
            "PYTAKE_WHATSAPP_APP_SECRET": "app secret of the simulated provider",
            "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify me",
            "PYTAKE_WHATSAPP_API_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self, cluster: Cluster) -> None:
        """Make an organization with a number, and start the provider of that number."""
        self.organization = cluster.create_organization("Chaos")
        options = ("--organization", self.organization)
        cluster.run("create", "channel", NUMBER, *options, stdin=f"{ACCESS_TOKEN}\n")
        own = {
            "PYTAKE_WHATSAPP_ACCESS_TOKEN": ACCESS_TOKEN,
            "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        }
        settings = cluster.settings | self.settings | own
        self._pod = Pod("simulate-whatsapp", "simulator", cluster.folder, settings)
        assert self._pod.env is not None
        self._pod.env["PYTAKE_PORT"] = str(self.port)
        webhooks = cluster.apis[0].address
        self._pod.command += ["--webhook-url", webhooks, "--quiet", "--seed", "1"]
        # What was refused comes again after 1, 5, 30 s of the provider's time: a quarter of ours.
        self._pod.command += ["--speed", "4"]
        self._pod.start()
        self._pod.wait_until_serving()

    def stop(self) -> None:
        if self._pod is not None and self._pod.is_running:
            self._pod.kill()

    async def arrive(self, session: aiohttp.ClientSession, count: int) -> list[str]:
        """Let so many people write for the first time; return their WhatsApp ids."""
        phones = [PHONE.format(number) for number in range(count)]
        people = [
            {"phone": phone, "name": f"Cliente {phone}", "persona": "silent"} for phone in phones
        ]
        added = (await self._ask(session, "POST", "customers", people))["items"]
        ids: list[str] = [each["wa_id"] for each in added]
        for wa_id in ids:
            await self.write(session, wa_id, f"olá de {wa_id}")
        return ids

    async def misbehave(self, session: aiohttp.ClientSession) -> None:
        """From now on deliver as the real one does on a bad day."""
        await self._ask(session, "PATCH", "faults", FAULTS)

    async def write(self, session: aiohttp.ClientSession, wa_id: str, text: str) -> None:
        """Let a customer write; the provider delivers it until it gets its 200."""
        await self._ask(session, "POST", f"customers/{wa_id}/messages", {"text": text})

    async def is_idle(self, session: aiohttp.ClientSession) -> bool:
        """Whether the provider has delivered everything; what it would try later, it tries now."""
        await self._ask(session, "POST", "redeliver")
        return bool((await self._ask(session, "GET", "state"))["is_idle"])

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None
    ) -> Any:
        address = f"http://127.0.0.1:{self.port}/control/{path}"
        async with session.request(method, address, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()
