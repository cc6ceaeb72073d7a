"""Clients that follow all conversations of the long talk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from cluster.python_client import PythonClient

JOINS_AT_ONCE = 200


class Watchers:
    """Some of python-socketio's own clients; every second one takes statuses in batches.

    They live in the loop of a thread: python-socketio's client needs two turns of its loop for
    a packet, and would fall minutes behind in the loop of a busy platform.
    """

    def __init__(self, url: str, token: str, count: int) -> None:
        features: list[dict[str, Any]] = [{}, {"features": ["status_batch"]}]
        self._clients = [PythonClient(url, token, auth=features[n % 2]) for n in range(count)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="watchers")

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._thread.start()
            stack.push_async_callback(self._stop)
            for client in self._clients:
                await self._there(client.__aenter__())
                stack.push_async_callback(self._leave, client)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _leave(self, client: PythonClient) -> None:
        await self._there(client.__aexit__())

    async def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def join(self, conversation_ids: Sequence[str]) -> None:
        """Let each watch the conversations from their first message on."""
        for client in self._clients:
            for start in range(0, len(conversation_ids), JOINS_AT_ONCE):
                part = conversation_ids[start : start + JOINS_AT_ONCE]
                joins = [{"conversation_id": each, "last_seq": 0} for each in part]
                call = client.call("join_conversations", {"conversations": joins})
                answer = await self._there(call)
                assert answer["ok"], answer

    async def seen(self) -> dict[str, list[tuple[str, Any]]]:
        """Return what each saw of messages and conversations, once nothing new comes in.

        Raises:
            AssertionError: One of them has lost its connection.
        """
        before = -1
        while before != (before := sum(len(each.events.received) for each in self._clients)):
            await asyncio.sleep(0.5)
        for client in self._clients:
            assert client.connected, client.events.of("$disconnect") + client.events.of("error")
        return {
            f"watcher {number}": [
                (name, data)
                for name, data in client.events.received
                if name.startswith(("message:", "conversation:updated"))
            ]
            for number, client in enumerate(self._clients)
        }

    async def _there(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
