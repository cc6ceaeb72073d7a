"""A reader's inbox list, kept as a page keeps it: loaded, then changed by what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

LoadList = Callable[[], Awaitable[dict[str, str | None]]]
RETRY_SECONDS = 0.3


class InboxList:
    """Who has which conversation, as one user sees it.

    Args:
        rows: Where the list is kept: assignee by conversation.
        load: Reads the whole list by REST.
    """

    def __init__(self, rows: dict[str, str | None], load: LoadList) -> None:
        self._rows = rows
        self._load = load
        self._news: list[tuple[str, dict[str, Any]]] = []
        self._seq: dict[str, int] = {}
        self._stale = asyncio.Event()
        self._loading = asyncio.create_task(self._keep_loaded())

    def reload(self) -> None:
        """Load it anew, and once more where that is asked for during a load."""
        self._stale.set()

    async def stop(self) -> None:
        """Load no more."""
        self._loading.cancel()
        await asyncio.gather(self._loading, return_exceptions=True)

    def changed(self, event: str, data: dict[str, Any]) -> None:
        """Apply a change; during a load it is applied to what was loaded, too."""
        self._news.append((event, data))
        self._apply(event, data)

    def _apply(self, event: str, data: dict[str, Any]) -> None:
        if event == "inbox:removed":
            conversation_id, seq = data["conversation_id"], data["seq"]
        else:
            conversation_id, seq = data["conversation"]["id"], data["conversation"]["last_seq"]
        if seq < self._seq.get(conversation_id, 0):
            return
        self._seq[conversation_id] = seq
        if event == "inbox:removed":
            self._rows.pop(conversation_id, None)
        else:
            self._rows[conversation_id] = data["conversation"]["assigned_to"]

    async def _keep_loaded(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            self._news.clear()
            try:
                loaded = await self._load()
            except (aiohttp.ClientError, OSError, TimeoutError):
                self._stale.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._rows.clear()
            self._rows.update(loaded)
            self._seq.clear()
            for event, data in self._news:
                self._apply(event, data)
