"""What a customer sees of the agents: that a message was read, and that somebody types.

Opt-in by number (`sends_read_marks`, `sends_typing`). Best effort: nobody waits for it, and
nothing depends on it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from pytake.application.channel_ports import CustomerSigns
from pytake.application.ports import Clock
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ConversationId

TYPING_AGAIN_SECONDS = 20.0
"""WhatsApp shows it for 25 seconds, and until the answer comes."""

NEWEST = 2**62

ShowRead = Callable[[ConversationId, int], Awaitable[None]]
ShowTyping = Callable[[ConversationId], Coroutine[Any, Any, None]]


async def show_nothing(conversation_id: ConversationId, seq: int = 0) -> None:
    """Where no customer is to be shown anything."""


class ShowCustomer:
    """Asks for signs; the sender of the number gives them."""

    def __init__(self, signs: CustomerSigns, clock: Clock) -> None:
        self._signs = signs
        self._clock = clock
        self._typing_shown: dict[ConversationId, float] = {}

    async def read(self, conversation_id: ConversationId, seq: int) -> None:
        """Show that an agent has read up to `seq`."""
        await self._ask(conversation_id, seq, is_typing=False)

    async def typing(self, conversation_id: ConversationId) -> None:
        """Show that an agent types, which also shows that everything was read."""
        now = asyncio.get_running_loop().time()
        if now - self._typing_shown.get(conversation_id, -TYPING_AGAIN_SECONDS) < (
            TYPING_AGAIN_SECONDS
        ):
            return
        if len(self._typing_shown) > 10_000:
            self._typing_shown.clear()
        self._typing_shown[conversation_id] = now
        await self._ask(conversation_id, NEWEST, is_typing=True)

    async def _ask(self, conversation_id: ConversationId, seq: int, *, is_typing: bool) -> None:
        try:
            await self._signs.ask(conversation_id, seq, is_typing=is_typing, now=self._clock())
        except Unavailable:
            return
