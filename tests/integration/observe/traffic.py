"""A little of everything that users do, so that every figure has something to show."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import uuid4

import httpx

from cluster.cluster import Cluster
from cluster.python_client import PythonClient
from cluster.waiting import scaled

AUTH = {"features": ["receipts", "status_batch"]}


class Traffic:
    """Clients on both gateways that join, type, read and reconnect, and messages for them."""

    def __init__(self, cluster: Cluster, conversations: list[str]) -> None:
        self.cluster = cluster
        self.conversations = conversations
        self._clients: list[PythonClient] = []
        self._stack = contextlib.AsyncExitStack()
        self._work: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Traffic:
        for number in range(6):
            gateway = self.cluster.gateways[number % len(self.cluster.gateways)]
            transports = ("polling",) if number == 5 else ("websocket",)
            client = PythonClient(
                gateway.address,
                self.cluster.token(f"user-{number}", role="admin" if number == 0 else "agent"),
                auth=AUTH,
                transports=transports,
            )
            await self._stack.enter_async_context(client)
            for conversation in self.conversations:
                join = {"conversation_id": conversation, "last_seq": 0}
                await client.call("join_conversation", join)
            self._clients.append(client)
        upgrading = PythonClient(
            self.cluster.gateways[0].address,
            self.cluster.token("upgrading"),
            auth=AUTH,
            transports=("polling", "websocket"),
        )
        await self._stack.enter_async_context(upgrading)
        self._work = [
            asyncio.create_task(self._look_in()),
            asyncio.create_task(self._post()),
            asyncio.create_task(self._act()),
            asyncio.create_task(self._come_and_go()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._stack.aclose()

    async def _post(self) -> None:
        token = self.cluster.token("bot", role="bot")
        async with httpx.AsyncClient(
            base_url=f"{self.cluster.apis[0].address}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=scaled(5),
        ) as api:
            number = 0
            while True:
                number += 1
                conversation = self.conversations[number % len(self.conversations)]
                body = {"message_type": "text", "content": {"text": f"texto secreto {number}"}}
                with contextlib.suppress(httpx.TransportError):
                    await api.post(f"/conversations/{conversation}/messages", json=body)
                    await api.get("/conversations")
                    await api.get(f"/conversations/{uuid4()}")
                await asyncio.sleep(0.1)

    async def _act(self) -> None:
        payloads: list[tuple[str, dict[str, Any]]] = [
            ("typing_start", {}),
            ("mark_read", {"seq": 1}),
            ("typing_stop", {}),
            ("nonsense", {}),
        ]
        while True:
            for client in self._clients:
                for event, more in payloads:
                    data = {"conversation_id": self.conversations[0], **more}
                    with contextlib.suppress(Exception):
                        await client.call(event, data)
            await asyncio.sleep(1)

    async def _look_in(self) -> None:
        """Somebody opens a conversation, with what was written before, and leaves."""
        while True:
            with contextlib.suppress(Exception):
                token = self.cluster.token(f"visitor-{uuid4().hex[:6]}")
                async with PythonClient(self.cluster.gateways[1].address, token) as client:
                    join = {"conversation_id": self.conversations[0], "last_seq": 0}
                    await client.call("join_conversation", join)
            await asyncio.sleep(2)

    async def _come_and_go(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                await reconnect(self.cluster, f"guest-{uuid4().hex[:6]}")
            # Seldom: two reconnects in the twenty seconds of a window among so few would be an
            # alert, and rightly.
            with contextlib.suppress(Exception):
                async with PythonClient(self.cluster.gateways[0].address, "no.token.at-all"):
                    pass
            await asyncio.sleep(20)


async def reconnect(cluster: Cluster, user: str) -> None:
    """Connect as a client that lost its connection, and leave again."""
    auth = AUTH | {"resume": {"previous_sid": "gone", "cause": "network"}}
    async with PythonClient(cluster.gateways[0].address, cluster.token(user), auth=auth) as client:
        await client.next("connected")
