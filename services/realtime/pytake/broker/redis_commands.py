"""Commands to Redis over one FIFO connection, which never hold anybody up for long.

A pool would change the order of what one process publishes. Commands are written at once
and pipelined by themselves; each has a deadline. Once one was missed, every call is
refused at once: until the answer comes after all (then it was our own loop that was
late), or else, a second later, until a new connection has answered a PING.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from pytake.broker.redis_link import (
    BackOff,
    Command,
    LinkLost,
    RedisLink,
    ReplyError,
    open_master,
)
from pytake.domain.errors import Unavailable
from pytake.transport.redis_address import RedisAddress

log = structlog.get_logger()

DEADLINE_SECONDS = 0.25
GIVE_UP_SECONDS = 1.0
"""How much later than its deadline a reply may come before the connection is dropped."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What Redis may leave unread before the link counts as lost."""

Replies = list[Any]


class RedisCommands:
    """One command link to the master of an address.

    Args:
        address: Where Redis is.
        deadline: How long a reply may take.
    """

    def __init__(self, address: RedisAddress, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._address = address
        self._deadline = deadline
        self._link: RedisLink | None = None
        self._pending: deque[tuple[asyncio.Future[Replies], int]] = deque()
        self._keeping: asyncio.Task[None] | None = None
        self._late: asyncio.TimerHandle | None = None
        self._first_try = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self.reconnects = 0

    async def start(self) -> None:
        """Connect; where that fails, go on trying in the background."""
        self._keeping = asyncio.create_task(self._keep(), name="redis commands")
        await self._first_try.wait()

    async def stop(self) -> None:
        """Close the connection; what is under way fails."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def on_up(self, listener: Callable[[], None]) -> None:
        """Be told each time a connection was made."""
        self._listeners.append(listener)

    @property
    def is_up(self) -> bool:
        return self._link is not None and self._late is None

    async def call(self, *command: str | bytes | int | float) -> Any:
        """Return the reply to one command.

        Raises:
            Unavailable: Redis is away; whether the command was carried out is not known.
            ReplyError: Redis refused it.
        """
        reply = (await self.calls([command]))[0]
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def calls(self, commands: Sequence[Command]) -> Replies:
        """Return the replies to a pipeline, refusals as `ReplyError` objects among them.

        Raises:
            Unavailable: As `call`.
        """
        if not commands:
            # Nothing would be answered, and the next caller's reply would count as ours.
            return []
        link = self._link
        if link is None or self._late is not None:
            raise Unavailable(detail="Redis is away.")
        future: asyncio.Future[Replies] = asyncio.get_running_loop().create_future()
        self._pending.append((future, len(commands)))
        link.write(commands)
        if link.waiting_bytes > MAX_WAITING_BYTES:
            self._lose(link, "it does not read")
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.shield(future)
        except TimeoutError:
            self._suspect(link)
            raise Unavailable(detail="Redis does not answer.") from None

    async def _keep(self) -> None:
        back_off = BackOff()
        try:
            while True:
                try:
                    link = await open_master(self._address)
                except LinkLost as error:
                    if not self._first_try.is_set():
                        log.warning("redis cannot be reached", reason=str(error))
                        self._first_try.set()
                    await asyncio.sleep(back_off.next_seconds())
                    continue
                back_off.success()
                await self._serve(link)
                await asyncio.sleep(back_off.next_seconds())
        finally:
            if self._link is not None:
                self._lose(self._link, "")

    async def _serve(self, link: RedisLink) -> None:
        """Read replies for as long as the link lasts."""
        self._link = link
        self._first_try.set()
        self.reconnects += 1
        for listener in self._listeners:
            listener()
        try:
            while self._link is link:
                reply = await _reply(link)
                if self._link is not link:
                    return
                future, count = self._pending[0]
                replies = [reply]
                while len(replies) < count:
                    replies.append(await _reply(link))
                if self._link is link:
                    self._pending.popleft()
                    self._trust()
                if not future.done():
                    future.set_result(replies)
        except LinkLost as error:
            self._lose(link, str(error))

    def _suspect(self, link: RedisLink) -> None:
        if self._link is link and self._late is None:
            loop = asyncio.get_running_loop()
            reason = "it does not answer in time"
            self._late = loop.call_later(GIVE_UP_SECONDS, self._lose, link, reason)

    def _trust(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _lose(self, link: RedisLink, reason: str) -> None:
        link.close()
        if self._link is not link:
            return
        self._link = None
        self._trust()
        if reason:
            log.warning("link to redis lost", link="commands", reason=reason)
        pending, self._pending = self._pending, deque()
        for future, _ in pending:
            if not future.done():
                future.set_exception(Unavailable(detail="Redis is away."))
                future.exception()


async def _reply(link: RedisLink) -> Any:
    try:
        return await link.read()
    except ReplyError as error:
        return error
